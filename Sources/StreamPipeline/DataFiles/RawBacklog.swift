import BackupModel
import Foundation

/// How much of the raw files lies unread on the disk: what pg_dump has written, less what the pass behind it has read.
///
/// Not safe for several threads by itself.
struct RawBacklog {
  private let folder: String
  /// Above it pg_dump has to wait, until it has gone down to three quarters.
  private let limit: UInt64
  private var open: Set<String> = []
  private var closedBytes: UInt64 = 0
  private var readBytes: UInt64 = 0
  private var isWaitedFor = false
  private var lastRead = ContinuousClock.now

  /// 32 MB for each job: with what a file holds until its next hole, and what is written before pg_dump stands still, it stays below
  /// the 64 MB that the documents name.
  static let limitPerJob: UInt64 = 32 << 20

  init(folder: String, jobs: Int) {
    self.folder = folder
    limit = Self.limitPerJob * UInt64(jobs)
  }

  mutating func created(_ name: String) { open.insert(name) }

  /// Its writer has closed it: its size is final.
  mutating func closed(_ name: String) {
    guard open.remove(name) != nil else { return }
    closedBytes += size(name)
  }

  mutating func read(_ bytes: Int) {
    readBytes += UInt64(bytes)
    lastRead = .now
  }

  /// Whether the writer has to wait for the readers.
  mutating func mustWait() -> Bool {
    let written = open.reduce(closedBytes) { $0 + size($1) }
    let unread = written > readBytes ? written - readBytes : 0
    isWaitedFor = unread > (isWaitedFor ? limit / 4 * 3 : limit)
    // Where nobody reads on, as the end of a file was not seen, waiting would never end.
    return isWaitedFor && ContinuousClock.now - lastRead < .seconds(5)
  }

  private func size(_ name: String) -> UInt64 {
    var status = stat()
    return lstat("\(folder)/\(name)", &status) == 0 ? UInt64(status.st_size) : 0
  }
}
