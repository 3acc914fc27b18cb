import Diagnostics
import Foundation

/// A `.env` file: `NAME=value` lines, as dotenv and Prisma read them.
package struct EnvironmentFile: Sendable {
  /// Empty when there is no file.
  package let variables: [String: String]
  /// Why the file is there and cannot be read; nil when it can, or is not there.
  package private(set) var problem: String?

  package init(path: String) {
    if let refusal = ForeignOwner.refusal(of: path, code: "foreign_owner", what: path) {
      self.init(text: "")
      problem = "\(refusal.why): \(refusal.nextStep)"
      return
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    let number = errno
    if descriptor >= 0 { close(descriptor) }
    let data = FileManager.default.contents(atPath: path)
    self.init(text: String(decoding: data ?? Data(), as: UTF8.self))
    if descriptor < 0, ![ENOENT, ENOTDIR].contains(number) {
      problem = "\(path) cannot be read: \(String(cString: strerror(number)))"
    } else if descriptor >= 0, data == nil {
      problem = "\(path) cannot be read: it is no plain file"
    }
  }

  package init(text: String) {
    var variables: [String: String] = [:]
    for line in text.split(whereSeparator: \.isNewline) {
      guard let match = line.wholeMatch(of: /\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*/) else {
        continue
      }
      variables[String(match.1)] = Self.value(match.2)
    }
    self.variables = variables
  }

  /// In quotes everything is meant; bare, a ` #` begins a comment.
  private static func value(_ text: Substring) -> String {
    if let quote = text.first, quote == "\"" || quote == "'" || quote == "`",
      let end = text.dropFirst().firstIndex(of: quote)
    {
      let inner = String(text[text.index(after: text.startIndex)..<end])
      return quote == "\"" ? inner.replacing("\\n", with: "\n") : inner
    }
    let bare = text.firstRange(of: /\s#/).map { text[..<$0.lowerBound] } ?? text
    return bare.trimmingCharacters(in: .whitespaces)
  }
}
