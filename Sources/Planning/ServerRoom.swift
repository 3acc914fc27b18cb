import BackupModel

/// What a restored database takes on the server's disk, next to the live one.
package struct ServerRoom: Sendable, Equatable {
  /// Bytes of the database.
  package let needed: UInt64
  /// Bytes of the server's log that are kept while it is written, up to `max_wal_size`; nil: the server does not tell.
  private let log: UInt64?
  /// Bytes that are free there; nil: nobody here can look.
  package let free: UInt64?

  /// - Parameter longestLog: the server's `max_wal_size`, in bytes.
  package init(needed: UInt64, longestLog: UInt64?, free: UInt64?) {
    self.needed = needed
    log = longestLog.map { min($0, needed) }
    self.free = free
  }

  /// A server whose disk is full stops, with every database on it.
  package var isShort: Bool { free.map { $0 < needed + (log ?? 0) } ?? false }

  /// `up to 612 MB on the server's disk, and up to 512 MB of WAL (77 GB free)`
  package var text: String {
    let logText = log.map { ", and up to \(sizeText($0)) of WAL" } ?? ""
    let freeText = free.map { " (\(isShort ? "only " : "")\(sizeText($0)) free)" } ?? ""
    return "up to \(sizeText(needed)) on the server's disk\(logText)\(freeText)"
  }
}
