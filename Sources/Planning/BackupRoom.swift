import BackupModel

/// How many more backups a disk has room for: each takes more while it is taken than what stays of it.
package struct BackupRoom: Sendable, Equatable {
  /// What stays of one.
  private let stored: UInt64
  /// What one takes besides while it is taken.
  package let besides: UInt64

  /// What pg_dump may be ahead of the compression, for each of its jobs; docs/design.md has it too.
  package static let besidesPerJob: UInt64 = 64 << 20

  /// - Parameters:
  ///   - stored: bytes of the newest backup: the next is likely as large.
  ///   - raw: its bytes before compression.
  ///   - jobs: of pg_dump.
  ///   - givesBack: the file system takes back the part of a file that was read.
  package init(
    stored: UInt64, raw: UInt64, format: BackupFormat, compression: Compression, jobs: Int, givesBack: Bool
  ) {
    self.stored = stored
    let isRaw = format == .directory && compression != .none
    let most = givesBack ? Self.besidesPerJob * UInt64(jobs) : raw
    besides = isRaw ? min(most, raw) : 0
  }

  package func backups(in free: UInt64) -> UInt64 { free < besides || stored == 0 ? 0 : (free - besides) / stored }

  /// `193 MB free, room for 1 more backup`
  package func text(free: UInt64) -> String {
    let count = backups(in: free)
    let room =
      count > 1000 ? "more than 1000 backups" : count == 0 ? "no more backup" : "about \(counted(count, "more backup"))"
    let need = besides > 0 ? " (and \(sizeText(besides)) while it is taken)" : ""
    return "\(sizeText(free)) free, room for \(room)"
      + (count < 2 ? ": the last one takes \(sizeText(stored))\(need)" : "")
  }
}
