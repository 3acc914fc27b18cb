import BackupModel
import CLibPQ
import Foundation

/// libpq's environment variables. A password of theirs is taken where `database.url` has none; where to connect, only the URL says.
package enum ConnectionVariables {
  /// `PGPASSWORD`; nil when it is not set.
  static var password: String? {
    ProcessInfo.processInfo.environment["PGPASSWORD"].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// The variables that libpq may see: they name no server, and only whom the URL gives no password.
  package static let kept: Set<String> = ["PGPASSWORD", "PGPASSFILE"]

  /// Variables that are set and have no effect, though the URL leaves open what they say.
  ///
  /// - Parameter environment: that Holdfast was started with.
  package static func ignored(_ environment: [String: String], by target: ConnectionTarget) -> [String] {
    options.compactMap { option in
      guard let variable = option.variable, environment[variable]?.isEmpty == false, !kept.contains(variable),
        !ConnectionURL.ours.contains(option.keyword), !target.given.contains(option.keyword)
      else { return nil }
      return variable
    }.sorted()
  }

  /// What this libpq can be told.
  static var keywords: Set<String> { Set(options.map(\.keyword)) }

  private static var options: [(keyword: String, variable: String?)] {
    guard let options = PQconndefaults() else { return [] }
    defer { PQconninfoFree(options) }
    var found: [(keyword: String, variable: String?)] = []
    var option = options
    while let keyword = option.pointee.keyword {
      found.append((String(cString: keyword), option.pointee.envvar.map { String(cString: $0) }))
      option += 1
    }
    return found
  }
}
