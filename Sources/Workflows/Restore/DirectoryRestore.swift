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
  let place: RestorePlace
  let pgRestore: PgRestore
  let toolbox: Toolbox

  private var backup: Backup { place.backup }
  private var surroundings: Surroundings { place.surroundings }
  private var manifest: Manifest { backup.manifest }

  func run() throws(Failure) -> RestoreResult {
    try place.rows.ending { () throws(Failure) in try fillAll() }
  }

  private func fillAll() throws(Failure) -> RestoreResult {
    let contents = try ArchiveContents.read(
      data: "\(backup.path)/data", sealed: backup, rawNames: manifest.dataFiles.map(\.rawName), toolbox: toolbox,
      surroundings: surroundings)
    let folder = try ArchiveFolder(backup, surroundings: surroundings)
    let lists = try folder.lists(toolbox, surroundings)
    let sections = ArchiveSections(
      place: place, folder: folder, lists: lists, toolbox: toolbox, pgRestore: pgRestore)
    let cores = ["-j", "\(surroundings.cores)"]
    var shortfalls = try sections.restore(.main, "pre-data")
    step("fill the tables")
    shortfalls += try load(contents, sections)
    step("make the indexes")
    shortfalls += try sections.restore(.main, "post-data", cores)
    // An owner may have taken rights from itself; and nothing that is still to be made should wake a trigger that waits for such.
    step("give the privileges")
    shortfalls += try sections.restore(.privileges, nil)
    return try place.finish(try sections.held(), after: shortfalls)
  }

  // MARK: Rows

  private enum Load: Sendable {
    case table(ArchiveContents.Entry, file: StoredFile)
    case rest
  }

  private enum Loaded: Sendable {
    case table(Failure?)
    case rest([Shortfall])
  }

  /// The largest tables first, so that no core is left with one at the end.
  private func load(_ contents: ArchiveContents, _ sections: ArchiveSections) throws(Failure) -> [Shortfall] {
    let files = Dictionary(manifest.dataFiles.map { ($0.rawName, $0.stored) }) { first, _ in first }
    let tables = contents.tables.compactMap { entry in files[entry.file].map { (entry, $0) } }
    guard tables.count == contents.tables.count else {
      throw .internalError("a table of \(backup.id) has no file, though the backup was verified")
    }
    let ordered = tables.sorted { ($0.1.rawBytes ?? $0.1.bytes) > ($1.1.rawBytes ?? $1.1.bytes) }
    let loads = [Load.rest] + ordered.map { Load.table($0.0, file: $0.1) }
    let loaded = try inParallel(loads, threads: surroundings.cores, cancellation: surroundings.cancellation) {
      (load) throws(Failure) -> Loaded in
      switch load {
      case .rest: return .rest(try sections.restore(.main, "data"))
      case .table(let entry, let file):
        return .table(try outcome(of: entry.target, from: file))
      }
    }
    var (shortfalls, failed): ([Shortfall], [(ArchiveContents.Entry, StoredFile)]) = ([], [])
    var states: Set<String> = []
    for (index, one) in loaded.enumerated() {
      switch one {
      case .rest(let found): shortfalls += found
      case .table(nil): break
      case .table(let failure?):
        failed.append(ordered[index - 1])
        if let state = failure.server?.sqlState { states.insert(state) }
      }
    }
    guard !failed.isEmpty else { return shortfalls }
    _ = try place.pool.with { (session) throws(Failure) in try sections.bringForward(for: states, session) }
    return shortfalls + (try rescue(failed, tables))
  }

  /// An error of the rows; the transaction is over then.
  private func outcome(of table: CopyTarget, from file: StoredFile) throws(Failure) -> Failure? {
    do throws(Failure) {
      try fill(table, from: file, under: place.paths.own)
      return nil
    } catch {
      guard error.isOfStatement else { throw error }
      surroundings.log.info("the rows of \(table.schema).\(table.name) are loaded again later: \(error.why)")
      return error
    }
  }

  private typealias File = (ArchiveContents.Entry, StoredFile)

  /// Loads what has failed by itself, now that all others are there; then everything in the order of the dump, as a check that looks into
  /// other tables, which the server does not forbid, may need that; then without the checks that the rows break.
  private func rescue(_ failed: [File], _ tables: [File]) throws(Failure) -> [Shortfall] {
    try place.pool.with { (session) throws(Failure) in
      let rescue = RowRescue(session: session, paths: place.paths, isTolerant: place.isTolerant)
      let pieces = tables.enumerated().map { RowRescue.Piece(table: $1.0.target, place: $0) }
      func load(_ piece: RowRescue.Piece, under path: String) throws(Failure) {
        try fill(piece.table, from: tables[piece.place].1, under: path)
      }
      let files = Set(failed.map(\.0.file))
      let first = pieces.filter { files.contains(tables[$0.place].0.file) }
      guard !(try rescue.retry(first, load)).isEmpty else { return [] }
      surroundings.log.info("rows are loaded again, in the order of the dump")
      for (entry, _) in tables where try RowLoad.isThere(entry.target, session) {
        if try RowLoad.isExtensions(entry.target, session) { continue }
        try RowLoad.emptyAgain(entry.target, session)
      }
      var left: [RowRescue.Piece] = []
      for piece in pieces {
        let (entry, file) = tables[piece.place]
        if !files.contains(entry.file), try RowLoad.isExtensions(entry.target, session) { continue }
        if try outcome(of: entry.target, from: file) != nil { left.append(piece) }
      }
      let stillFailed = try rescue.retry(left, load)
      try place.rows.refuse(stillFailed.map(\.failure))
      return try rescue.relax(stillFailed, load)
    }
  }

  /// What pg_dump writes for a table without rows.
  private static let bytesOfNone = "\\.\n\n\n".utf8.count

  /// In a transaction of its own; after an error its session is used no more.
  private func fill(_ table: CopyTarget, from file: StoredFile, under path: String) throws(Failure) {
    let reporter = surroundings.reporter
    let bytes = file.rawBytes ?? file.bytes
    guard bytes > Self.bytesOfNone else { return }
    try place.rows.with(table) { (session) throws(Failure) in
      let statement = try RowLoad.begin(table, bytes: bytes, under: path, session)
      try session.copyIn(statement) { (put) throws(Failure) in
        try DataFilePass.expand(file, of: backup.path, cancellation: surroundings.cancellation) {
          (piece) throws(Failure) in
          try put(piece)
          reporter.advance(bytes: UInt64(piece.count))
        }
      }
      // As long as the rows take to come to the disk.
      try session.query("COMMIT", [], .unlimited)
    }
  }
}
