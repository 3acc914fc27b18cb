import BackupModel
import Diagnostics
import Foundation
import StreamPipeline

/// A file of sealed lines that only grows: `verifications.jsonl`, a deploy's journal.
struct RecordFile {
  let path: String
  /// The backup or the deploy that it belongs to.
  let id: String
  /// Of its folder within the repository.
  let depth: Int

  init(path: String, of id: String, depth: Int) {
    self.path = path
    self.id = id
    self.depth = depth
  }

  /// Appends a record; it is on the disk on return.
  func append(_ record: some Encodable) throws(Failure) {
    try LineFile(path: path, depth: depth).append { (_) throws(Failure) in try SealedLine.seal(record, of: id) }
  }

  /// All records. A last line without its end was being written when its writer was killed: it does not count.
  ///
  /// - Returns: nil when a line was changed since it was written.
  /// - Throws: `cannot_read`.
  func records<Record: Decodable>(_ type: Record.Type) throws(Failure) -> [Record]? {
    guard let data = try contents(path, atMost: 64) else { return [] }
    guard let text = String(data: data, encoding: .utf8) else { return nil }
    // Bytes, for a carriage return before it would make one character of the newline.
    var lines = text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false).map(Substring.init)
    let half = lines.removeLast()
    // A line that was being written ends before its newline; a whole one with another byte there was changed.
    guard SealedLine.open(half.dropLast(), of: id, as: type) == nil else { return nil }
    let records = lines.compactMap { SealedLine.open($0, of: id, as: type) }
    return records.count == lines.count ? records : nil
  }
}
