import BackupModel
import Diagnostics
import Foundation
import StreamPipeline

/// `audit.jsonl`: who ran what, on which database, with what outcome. Each line carries the SHA-256 of the line before, so that none
/// before the last can be changed or taken out unseen.
package struct AuditTrail: Sendable {
  private let path: String

  static let file = "audit.jsonl"

  package init(_ repository: Repository) { path = "\(repository.path)/\(Self.file)" }

  package struct Entry: Sendable, Equatable, Codable {
    package var at: Date
    /// `user@host`.
    package var who: String
    package var command: String
    package var policy: String
    package var database: String
    /// `done`, or the code of the failure.
    package var outcome: String
    /// The backup, deploy or migration that it was about.
    package var subject: String?
    /// SHA-256 of the line before; of nothing, for the first.
    package fileprivate(set) var previous = ""

    package init(
      at: Date, who: String, command: String, policy: String, database: String, outcome: String, subject: String?
    ) {
      self.at = at
      self.who = who
      self.command = command
      self.policy = policy
      self.database = database
      self.outcome = outcome
      self.subject = subject
    }
  }

  /// Appends an entry; it is on the disk on return.
  package func append(_ entry: Entry) throws(Failure) {
    try LineFile(path: path, depth: 0).append { (last) throws(Failure) in
      var chained = entry
      let sha = try SHA256()
      last.withUnsafeBytes { sha.update($0) }
      chained.previous = sha.finish()
      let encoder = Manifest.encoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      guard let data = try? encoder.encode(chained) else { throw .internalError("an audit entry cannot be encoded") }
      return Array(data) + [0x0A]
    }
  }
}
