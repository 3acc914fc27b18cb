import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// Fills a new database with some of a backup's tables, from any format: the statements that they need, and their rows, go to the server
/// by a session of our own as the dump's text passes by.
struct TableRestore: Sendable {
  let backup: Backup
  let selection: TableSelection
  /// What a faithful restore holds: the tables' digests from the backup, the rest from the statements that are run.
  let expected: DatabaseDigest
  /// Those of the schema, as they were digested.
  let schemaStatements: [String]
  private let text: BackupText
  private let surroundings: Surroundings

  /// Reads the backup's statements, and nothing of rows that lie apart, and chooses among them.
  ///
  /// - Throws: `no_such_table`, `table_needs`.
  init(_ tables: [String], of backup: Backup, toolbox: Toolbox, surroundings: Surroundings) throws(Failure) {
    self.backup = backup
    self.surroundings = surroundings
    text = try BackupText(backup, toolbox: toolbox, surroundings: surroundings)
    let statements = StatementList()
    let scanner = SharedScanner { event in
      if case .statement(let bytes) = event { statements.append(DumpedStatement(bytes)) }
    }
    try text.read(skipping: { _ in true }, objects: false) { (piece) throws(Failure) in try scanner.scan(piece) }
    _ = try scanner.finish()
    selection = try TableSelection(
      of: statements.all, tables: tables, largeObjects: backup.manifest.digests.largeObjects.count)
    (expected, schemaStatements) = try Self.expectation(backup.manifest, selection, statements.all)
  }

  private static func expectation(
    _ manifest: Manifest, _ selection: TableSelection, _ statements: [DumpedStatement]
  ) throws(Failure) -> (DatabaseDigest, [String]) {
    let scanner = DumpScanner(keepStatements: true)
    try scanner.scan(Array("-- PostgreSQL database dump\n".utf8))
    for (statement, isIncluded) in zip(statements, selection.isIncluded) where isIncluded && !statement.hasRows {
      try scanner.scan(statement.bytes + Array(";\n".utf8))
    }
    try scanner.scan(Array("-- PostgreSQL database dump complete\n".utf8))
    var expected = try scanner.finish()
    let names = Set(selection.tables)
    expected.tables = manifest.digests.tables.filter { names.contains(QualifiedName(schema: $0.schema, name: $0.name)) }
    return (expected, scanner.statements)
  }

  /// Raw bytes of the rows that are restored, where that is known beforehand.
  var bytes: UInt64 {
    let names = Set(selection.tables.map(\.description))
    let files = backup.manifest.files.filter { $0.table.map(names.contains) ?? false }
    return files.reduce(0) { $0 + ($1.rawBytes ?? $1.bytes) }
  }

  func fill(_ target: ConnectionTarget) throws(Failure) {
    let session = try surroundings.connector.connect(target, purpose: "restore")
    try session.query(RowLoad.settings(backup.manifest))
    let names = Set(selection.tables.map(\.description))
    let filling = Filling(selection, session, surroundings) { table in
      let name = "\(table.schema).\(table.name)"
      return backup.manifest.files.first { $0.table == name }.map { $0.rawBytes ?? $0.bytes } ?? .max
    }
    let scanner = SharedScanner { (event) throws(Failure) in try filling.take(event) }
    try text.read(skipping: { !names.contains($0) }, objects: false) { (piece) throws(Failure) in
      try scanner.scan(piece)
    }
    _ = try scanner.finish()
  }
}

/// Runs what is included of a dump that passes. Used by one thread at a time.
private final class Filling: @unchecked Sendable {
  private let selection: TableSelection
  private let session: Session
  private let surroundings: Surroundings
  /// Of a table's rows, as far as that is known.
  private let bytes: (CopyTarget) -> UInt64
  private var next = 0
  /// The rows that come are wanted.
  private var loads = false

  init(
    _ selection: TableSelection, _ session: Session, _ surroundings: Surroundings,
    bytes: @escaping (CopyTarget) -> UInt64
  ) {
    self.bytes = bytes
    self.selection = selection
    self.session = session
    self.surroundings = surroundings
  }

  func take(_ event: DumpEvent) throws(Failure) {
    switch event {
    case .statement(let bytes):
      defer { next += 1 }
      guard selection.isIncluded.indices.contains(next) else {
        throw .internalError("the backup has more statements than when it was read first")
      }
      if selection.isIncluded[next] { try run(DumpedStatement(bytes)) }
    case .rows(_, let rows, let areLast):
      guard loads else { return }
      try surroundings.cancellation.check()
      try session.putRows(rows)
      surroundings.reporter.advance(bytes: UInt64(rows.count))
      guard areLast else { return }
      loads = false
      try session.endCopy()
      try session.query("COMMIT")
    }
  }

  private func run(_ statement: DumpedStatement) throws(Failure) {
    if let table = statement.rows {
      try session.query("BEGIN")
      try session.beginCopy(try RowLoad.statement(for: table, bytes: bytes(table), session))
      loads = true
    } else if !UnknownSetting.isUnknown(statement.bytes, server: session.serverVersion / 10_000) {
      do throws(Failure) { try session.query(bytes: statement.bytes) } catch {
        var failure = error
        failure.details.append("while running: \(statement.line)")
        throw failure
      }
    }
  }
}

/// Filled by one thread, read by another one afterwards.
private final class StatementList: @unchecked Sendable {
  private(set) var all: [DumpedStatement] = []
  func append(_ statement: DumpedStatement) { all.append(statement) }
}
