import Diagnostics

/// A policy's name becomes a folder of the repository.
package enum PolicyName {
  private static let longest = 100
  /// What names may be made of, in words.
  package static let rule =
    "letters, digits, '.', '_' and '-' only, not beginning with '.' or '-', at most \(longest) bytes"

  static func check(_ name: String, file: String) throws(Failure) {
    guard !isSafe(name) else { return }
    throw Failure(
      "configuration", exit: .configuration, what: "policy \(printable(name))",
      why: "its name cannot be the name of a folder: \(rule)",
      nextStep: "rename \(printable(file, limit: 4096)), for example to production.yaml",
      details: ["\(printable(file, limit: 4096)):1: the policy is named by its file"])
  }

  package static func isSafe(_ name: String) -> Bool {
    guard let first = name.utf8.first, first != UInt8(ascii: "."), first != UInt8(ascii: "-") else { return false }
    return name.utf8.count <= longest
      && name.unicodeScalars.allSatisfy {
        $0.isASCII && ($0.properties.isAlphabetic || "0123456789._-".unicodeScalars.contains($0))
      }
  }
}
