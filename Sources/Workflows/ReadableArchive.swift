import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// A folder that pg_restore can read: the backup's own where the client knows zstd, else one with the data expanded.
///
/// pg_restore takes nothing but regular files (15.20 refuses named pipes and symbolic links), so an older client needs room for
/// the raw data in the temporary folder. It is checked first.
struct ReadableArchive {
  /// The folder for pg_restore.
  let path: String
  /// Keeps the expanded files for as long as this value lives.
  private let work: WorkFolder?

  /// For the report.
  var summary: String { work == nil ? "read in place" : "expanded for a client older than \(Self.firstWithZstd)" }

  /// The first major whose pg_restore reads `.zst` files.
  private static let firstWithZstd = 16

  /// - Parameter progress: told of raw bytes expanded.
  /// - Throws: `no_space`, `damaged_stream`.
  init(
    _ backup: Backup, toolbox: Toolbox, surroundings: Surroundings, progress: @escaping @Sendable (UInt64) -> Void
  ) throws(Failure) {
    let data = "\(backup.path)/data"
    let compressed = backup.manifest.dataFiles.contains { $0.stored.path.hasSuffix(".zst") }
    guard compressed, toolbox.installation.version.major < Self.firstWithZstd else {
      (path, work) = (data, nil)
      return
    }
    let folder = try WorkFolder()
    (path, work) = (folder.path, folder)
    try Self.checkSpace(backup.manifest.dataBytes, in: folder.path)
    let files = backup.manifest.files.filter { $0.path.hasPrefix("data/") }.sorted { $0.bytes > $1.bytes }
    let cancellation = surroundings.cancellation
    _ = try inParallel(files, threads: surroundings.cores, cancellation: cancellation) { (file) throws(Failure) in
      let name = file.path.dropFirst(5)
      let raw = name.hasSuffix(".zst") ? name.dropLast(4) : name
      let output = try FileDescriptor.creating("\(folder.path)/\(raw)")
      try DataFilePass.expand("\(data)/\(name)", cancellation: cancellation) { (piece) throws(Failure) in
        try output.write(piece)
        progress(UInt64(piece.count))
      }
    }
  }

  private static func checkSpace(_ needed: UInt64, in folder: String) throws(Failure) {
    let free = freeBytes(folder)
    guard free < needed else { return }
    throw Failure(
      "no_space", exit: .cannotWrite, what: "temporary folder \(folder)",
      why: "the expanded data needs \(sizeText(needed)) there during the restore, and \(sizeText(free)) are free",
      nextStep: "set TMPDIR to a folder with more room, or use a client of major \(firstWithZstd) or newer")
  }
}
