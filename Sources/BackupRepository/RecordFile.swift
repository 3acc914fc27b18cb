import BackupModel
import Diagnostics
import Foundation
import StreamPipeline

/// A file of sealed lines that only grows: `verifications.jsonl`, a deploy's journal.
struct RecordFile {
  let path: String
  /// The backup or the deploy that it belongs to.
  let id: String

  init(path: String, of id: String) {
    self.path = path
    self.id = id
  }

  /// Appends a record; it is on the disk on return.
  func append(_ record: some Encodable) throws(Failure) {
    let existed = access(path, F_OK) == 0
    let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw cannotWrite(path, errno) }
    let file = FileDescriptor(adopting: descriptor, path: path)
    // One writer at a time: what a killed one left half written is cut off, never written behind.
    guard flock(descriptor, LOCK_EX) == 0 else { throw cannotWrite(path, errno) }
    try cutOffHalfLine(descriptor)
    try file.write(try SealedLine.seal(record, of: id))
    try file.synchronize()
    if !existed { try synchronizeFolder(parent(of: path)) }
  }

  private func cutOffHalfLine(_ descriptor: Int32) throws(Failure) {
    var end = lseek(descriptor, 0, SEEK_END)
    var byte: UInt8 = 0
    while end > 0, pread(descriptor, &byte, 1, end - 1) == 1, byte != 0x0A { end -= 1 }
    guard end >= 0, ftruncate(descriptor, end) == 0 else { throw cannotWrite(path, errno) }
  }

  /// All records. A last line without its end was being written when its writer was killed: it does not count.
  ///
  /// - Returns: nil when a line was changed since it was written.
  func records<Record: Decodable>(_ type: Record.Type) -> [Record]? {
    guard let data = FileManager.default.contents(atPath: path) else { return [] }
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
