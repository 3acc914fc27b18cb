import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// Fills a new database from a directory archive: what stands before the data by pg_restore, the rows by sessions of our own, keys and
/// indexes by pg_restore again.
///
/// Our sessions read the stored files as they are: no raw copy needs room on a disk, whatever the client's version (an older pg_restore
/// does not know zstd). And they write rows frozen, which spares whoever reads them first (the comparison, before all) a second writing.
struct DirectoryRestore {
  let backup: Backup
  let target: ConnectionTarget
  let surroundings: Surroundings
  /// Calls pg_restore on the new database.
  let pgRestore: @Sendable (_ arguments: [String]) throws(Failure) -> Void
  let toolbox: Toolbox

  private var data: String { "\(backup.path)/data" }
  private var manifest: Manifest { backup.manifest }

  func run() throws(Failure) {
    let contents = try ArchiveContents.read(
      data: data, rawNames: manifest.dataFiles.map(\.rawName), toolbox: toolbox, surroundings: surroundings)
    let folder = try ArchiveFolder(backup, surroundings: surroundings)
    let lists = try folder.lists(toolbox, surroundings)
    let restore: @Sendable (ArchiveFolder.Portion, [String]) throws(Failure) -> Void = {
      (portion, options) throws(Failure) in
      guard let list = lists[portion] else { return }
      try pgRestore(options + ["-L", list, "-Fd", folder.path])
    }
    let cores = ["-j", "\(surroundings.cores)"]
    try restore(.main, ["--section=pre-data"])
    step("fill the tables")
    try load(contents) { () throws(Failure) in try restore(.main, ["--section=data"]) }
    step("make the indexes")
    try restore(.main, ["--section=post-data"] + cores)
    // An owner may have taken rights from itself; and nothing that is still to be made should wake a trigger that waits for such.
    step("give the privileges")
    try restore(.privileges, [])
    try refresh { (options) throws(Failure) in try restore(.refreshes, options) }
    try restore(.eventTriggers, [])
  }

  /// A materialized view that reads another one through a function, which pg_dump does not see, needs the order of the dump.
  private func refresh(_ restore: (_ options: [String]) throws(Failure) -> Void) throws(Failure) {
    do throws(Failure) { try restore(["-j", "\(surroundings.cores)"]) } catch {
      guard error.code == "child_failed" else { throw error }
      surroundings.log.info("materialized views are filled again, in the order of the dump: \(error.why)")
      try restore([])
    }
  }

  // MARK: Rows

  private enum Load: Sendable {
    case table(ArchiveContents.Entry, file: StoredFile)
    case rest
  }

  /// The largest tables first, so that no core is left with one at the end.
  private func load(
    _ contents: ArchiveContents, rest: @escaping @Sendable () throws(Failure) -> Void
  ) throws(Failure) {
    let files = Dictionary(manifest.dataFiles.map { ($0.rawName, $0.stored) }) { first, _ in first }
    let tables = contents.tables.compactMap { entry in files[entry.file].map { (entry, $0) } }
    guard tables.count == contents.tables.count else {
      throw .internalError("a table of \(backup.id) has no file, though the backup was verified")
    }
    let ordered = tables.sorted { ($0.1.rawBytes ?? $0.1.bytes) > ($1.1.rawBytes ?? $1.1.bytes) }
    let loads = [Load.rest] + ordered.map { Load.table($0.0, file: $0.1) }
    let pool = SessionPool(surroundings.connector, target, purpose: "restore", settings: RowLoad.settings(manifest))
    let done = DoneLoads()
    do throws(Failure) {
      _ = try inParallel(loads, threads: surroundings.cores, cancellation: surroundings.cancellation) {
        (load) throws(Failure) in
        switch load {
        case .rest:
          try rest()
          done.add("")
        case .table(let entry, let file):
          try pool.with { (session) throws(Failure) in try fill(entry.target, from: file, session) }
          done.add(entry.file)
        }
      }
    } catch {
      // A check that looks into other tables, which the server does not forbid, may need the order of the dump.
      guard error.isOfStatement, done.has("") else { throw error }
      surroundings.log.info("rows are loaded again, in the order of the dump: \(error.why)")
      try pool.with { (session) throws(Failure) in try loadInOrder(tables, done, session) }
    }
  }

  /// An extension's table has rows of the extension's own: it is never emptied.
  private func loadInOrder(
    _ tables: [(ArchiveContents.Entry, StoredFile)], _ done: DoneLoads, _ session: Session
  ) throws(Failure) {
    var own: Set<String> = []
    for (entry, _) in tables where try !RowLoad.isExtensions(entry.target, session) {
      own.insert(entry.file)
      try session.query(bytes: Array("TRUNCATE ".utf8) + entry.target.nameBytes)
    }
    for (entry, file) in tables where own.contains(entry.file) || !done.has(entry.file) {
      try fill(entry.target, from: file, session)
    }
  }

  /// What pg_dump writes for a table without rows.
  private static let bytesOfNone = "\\.\n\n\n".utf8.count

  private func fill(_ table: CopyTarget, from file: StoredFile, _ session: Session) throws(Failure) {
    let reporter = surroundings.reporter
    let bytes = file.rawBytes ?? file.bytes
    guard bytes > Self.bytesOfNone else { return }
    try session.query("BEGIN")
    try session.copyIn(try RowLoad.statement(for: table, bytes: bytes, session)) { (put) throws(Failure) in
      try DataFilePass.expand("\(backup.path)/\(file.path)", cancellation: surroundings.cancellation) {
        (piece) throws(Failure) in
        try put(piece)
        reporter.advance(bytes: UInt64(piece.count))
      }
    }
    try session.query("COMMIT")
  }
}

/// Which loads have come to their end, by their files; the one that is no table's has none.
private final class DoneLoads: @unchecked Sendable {
  private let lock = NSLock()
  private var files: Set<String> = []
  func add(_ file: String) { lock.withLock { _ = files.insert(file) } }
  func has(_ file: String) -> Bool { lock.withLock { files.contains(file) } }
}
