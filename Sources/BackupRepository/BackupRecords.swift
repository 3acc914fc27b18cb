import BackupModel
import Diagnostics
import Foundation
import StreamPipeline

/// What may be written beside a finished backup.
extension Backup {
  /// `policy/id` in its repository.
  private static let depth = 2

  /// Appends a result to `verifications.jsonl`, durable on return.
  package mutating func record(_ verification: Verification) throws(Failure) {
    try RecordFile(path: "\(path)/verifications.jsonl", of: id, depth: Self.depth).append(verification)
    verifications.append(verification)
  }

  /// Marks the backup as held.
  ///
  /// - Throws: `no_such_backup`, or `locked` when somebody is about to remove it; `cannot_write`.
  package mutating func place(_ hold: Hold) throws(Failure) {
    let use = try BackupUse.reading(self)
    defer { withExtendedLifetime(use) {} }
    // A name of its own: two who hold the backup at once must not rename each other's half a file.
    let temporary = "\(unfinishedHold)\(UUID().uuidString.prefix(8)).json"
    try OpenFolder(path, depth: Self.depth).replace(
      "hold.json", by: try SealedLine.seal(hold, of: id), through: temporary)
    self.hold = hold
  }

  /// Takes the mark away; without one nothing happens.
  package mutating func release() throws(Failure) {
    let folder = try OpenFolder(path, depth: Self.depth)
    try folder.remove("hold.json")
    try folder.synchronize()
    hold = nil
  }
}

/// Names that may stand in a backup's folder beside the files of its manifest.
let recordNames: Set<String> = ["manifest.json", "SHA256SUMS", "hold.json", "verifications.jsonl"]

/// What a killed `hold` left does no harm.
func isUnfinishedHold(_ name: String) -> Bool { name.hasPrefix(unfinishedHold) }
private let unfinishedHold = ".partial-hold"
