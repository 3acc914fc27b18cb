import BackupModel
import Diagnostics
import Foundation
import StreamPipeline

/// `audit.jsonl`: who ran what, on which database, with what outcome. Each line carries the SHA-256 of the line before, so that none can
/// be changed or taken out unseen.
package struct AuditTrail: Sendable {
  private let path: String

  package init(_ repository: Repository) { path = "\(repository.path)/audit.jsonl" }

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
    var previous = ""

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
    let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0, flock(descriptor, LOCK_EX) == 0 else { throw cannotWrite(path, errno) }
    let file = FileDescriptor(adopting: descriptor, path: path)
    var chained = entry
    chained.previous = try SHA256.hash(of: lastLine(descriptor))
    let encoder = Manifest.encoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(chained) else { throw .internalError("an audit entry cannot be encoded") }
    try file.write(Array(data) + [0x0A])
    try file.synchronize()
  }

  /// The last whole line without its end; a half one, left by a killed writer, is cut off.
  private func lastLine(_ descriptor: Int32) throws(Failure) -> String {
    let size = lseek(descriptor, 0, SEEK_END)
    let start = max(0, size - (64 << 10))
    var buffer = [UInt8](repeating: 0, count: Int(size - start))
    guard pread(descriptor, &buffer, buffer.count, start) == buffer.count else { throw cannotWrite(path, errno) }
    let end = buffer.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    guard ftruncate(descriptor, start + off_t(end)) == 0 else { throw cannotWrite(path, errno) }
    let lines = buffer[..<end].split(separator: 0x0A)
    return String(decoding: lines.last ?? [], as: UTF8.self)
  }
}
