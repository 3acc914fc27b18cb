import BackupModel
import Diagnostics
import Foundation
import PolicyFiles
import Testing

/// A connection whose parts no error may show.
let secretURL = "postgresql://app:hunter2@db1.internal:5432/app"

let onlyURL: [String: String] = ["DATABASE_URL": secretURL]

extension PolicyReader {
  /// Takes any URL, as it is.
  init(environment: [String: String]) { self.init(environment: environment) { .unread($0.reveal()) } }
}

extension ConnectionTarget {
  static func unread(_ url: String) -> ConnectionTarget { ConnectionTarget(parameters: ["url": url]) }
}

/// Reads a policy as if it stood in `/srv/app/policies/app.yaml`.
func policy(_ text: String, environment: [String: String] = onlyURL) throws -> Policy {
  try PolicyReader(environment: environment).read(text: text, file: "/srv/app/policies/app.yaml", name: "app")
}

/// The same with `database.url` before the text, which so begins on line 3.
func policy(adding text: String, environment: [String: String] = onlyURL) throws -> Policy {
  try policy(withURL(text), environment: environment)
}

func withURL(_ text: String) -> String { "database:\n  url: ${DATABASE_URL}\n" + text }

/// The failure that a policy must give.
func failure(
  of text: String, environment: [String: String] = onlyURL, sourceLocation: SourceLocation = #_sourceLocation
) throws -> Failure {
  try #require(throws: Failure.self, sourceLocation: sourceLocation) {
    try policy(text, environment: environment)
  }
}

/// Its details without the file's name: `LINE: KEY: sentence`.
func problems(
  of text: String, environment: [String: String] = onlyURL, sourceLocation: SourceLocation = #_sourceLocation
) throws -> [String] {
  let failure = try failure(of: text, environment: environment, sourceLocation: sourceLocation)
  #expect(failure.exit == .configuration, sourceLocation: sourceLocation)
  #expect(failure.code == "configuration", sourceLocation: sourceLocation)
  let prefix = "/srv/app/policies/app.yaml:"
  #expect(failure.details.allSatisfy { $0.hasPrefix(prefix) }, sourceLocation: sourceLocation)
  return failure.details.map { String($0.dropFirst(prefix.count)) }
}

/// The policies that come with Holdfast.
enum ShippedPolicy: String, CaseIterable {
  case development, staging, production

  var path: String {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "policies/\(rawValue).yaml").path
  }

  func text() throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
}

/// A temporary folder, removed afterwards.
func withFolder(_ body: (String) throws -> Void) throws {
  let folder = FileManager.default.temporaryDirectory.appending(path: "policies-\(UUID().uuidString)").path
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  try body(folder)
}
