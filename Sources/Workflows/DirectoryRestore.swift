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
    let archive = ["-Fd", folder.path]
    try pgRestore(["--section=pre-data"] + archive)
    step("fill the tables")
    try load(contents, rest: ["--section=data", "-L", try folder.listWithoutRows(toolbox, surroundings)] + archive)
    step("make the indexes")
    try pgRestore(["--section=post-data", "-j", "\(surroundings.cores)"] + archive)
  }

  // MARK: Rows

  private enum Load: Sendable {
    case table(ArchiveContents.Entry, file: StoredFile)
    case rest
  }

  /// The largest tables first, so that no core is left with one at the end.
  private func load(_ contents: ArchiveContents, rest: [String]) throws(Failure) {
    let files = Dictionary(manifest.dataFiles.map { ($0.rawName, $0.stored) }) { first, _ in first }
    let tables = contents.tables.compactMap { entry in files[entry.file].map { (entry, $0) } }
    guard tables.count == contents.tables.count else {
      throw .internalError("a table of \(backup.id) has no file, though the backup was verified")
    }
    let ordered = tables.sorted { ($0.1.rawBytes ?? $0.1.bytes) > ($1.1.rawBytes ?? $1.1.bytes) }
    let loads = [Load.rest] + ordered.map { Load.table($0.0, file: $0.1) }
    let pool = SessionPool(surroundings.connector, target, purpose: "restore", settings: sessionSettings)
    _ = try inParallel(loads, threads: surroundings.cores, cancellation: surroundings.cancellation) {
      (load) throws(Failure) in
      switch load {
      case .rest: try pgRestore(rest)
      case .table(let entry, let file):
        try pool.with { (session) throws(Failure) in try fill(entry.target, from: file, session) }
      }
    }
  }

  /// What a dump sets before its rows, and what pg_restore's own sessions get.
  private var sessionSettings: String {
    let encoding = manifest.source.properties.dumpEncoding.isEmpty ? "UTF8" : manifest.source.properties.encoding
    let settings = Toolbox.restoreSettings.merging([
      "client_encoding": encoding, "xmloption": "content", "row_security": "off", "standard_conforming_strings": "on",
    ]) { _, own in own }
    return settings.sorted { $0.key < $1.key }.map { "SET \($0.key) = \(quoteLiteral($0.value));" }.joined()
  }

  private func fill(_ table: CopyTarget, from file: StoredFile, _ session: Session) throws(Failure) {
    let freezes = try empties(table, session)
    let reporter = surroundings.reporter
    let copy = Array("COPY ".utf8) + table.source + Array(" FROM STDIN\(freezes ? " WITH (FREEZE)" : "")".utf8)
    try session.copyIn(copy) { (put) throws(Failure) in
      try DataFilePass.expand("\(backup.path)/\(file.path)", cancellation: surroundings.cancellation) {
        (piece) throws(Failure) in
        try put(piece)
        reporter.advance(bytes: UInt64(piece.count))
      }
    }
    try session.query("COMMIT")
  }

  /// Begins a transaction, and empties the table in it where it can: only then rows can be written frozen.
  ///
  /// An extension's table has rows of the extension's own; and what goes to a partitioned table may come from several files.
  private func empties(_ table: CopyTarget, _ session: Session) throws(Failure) -> Bool {
    // The name is spelled in the bytes of the dump, so it goes as they do.
    let name = Array(table.source.prefix(table.nameLength))
    let literal = name.flatMap { $0 == UInt8(ascii: "'") ? [$0, $0] : [$0] }
    let found = try session.query(
      bytes: Array(
        """
        SELECT FROM pg_catalog.pg_class c WHERE c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
          AND c.oid = '
        """.utf8) + literal + Array("'::pg_catalog.regclass".utf8))
    try session.query("BEGIN")
    guard !found.isEmpty else { return false }
    try session.query(bytes: Array("TRUNCATE ONLY ".utf8) + name)
    return true
  }
}
