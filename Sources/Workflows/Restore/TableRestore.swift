import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// Fills a new database with some of a backup's tables, from any format: the statements that they need, and their rows, go to the server
/// by a session of our own as the dump's text passes by.
struct TableRestore: Sendable {
  let backup: Backup
  let selection: TableSelection
  var tableNames: Set<String> { Set(selection.tables.map(\.description)) }
  /// What a faithful restore holds: the tables' digests from the backup, the rest from the statements that are run.
  let expected: DatabaseDigest
  /// Those of the schema, as they were digested.
  let schemaStatements: [SchemaStatement]
  /// What is restored, as the dump has it.
  let statements: [[UInt8]]
  private let text: BackupText
  private let surroundings: Surroundings

  /// Reads the backup's statements, and nothing of rows that lie apart, and chooses among them.
  ///
  /// - Throws: `no_such_table`, `table_needs`.
  init(_ tables: [String], of backup: Backup, toolbox: Toolbox, surroundings: Surroundings) throws(Failure) {
    self.backup = backup
    self.surroundings = surroundings
    text = try BackupText(backup, toolbox: toolbox, surroundings: surroundings)
    let list = StatementList()
    let scanner = SharedScanner { event in
      if case .statement(let bytes) = event { list.append(bytes) }
    }
    try text.read(skipping: { _ in true }, objects: false) { (piece) throws(Failure) in try scanner.scan(piece) }
    _ = try scanner.finish()
    let statements = list.all.map { DumpedStatement($0) }
    let encoding = backup.manifest.nameEncoding
    do throws(Failure) {
      selection = try TableSelection(
        of: statements, tables: tables.map(encoding.inDump),
        largeObjects: backup.manifest.digests.largeObjects.count)
    } catch { throw error.shown(by: encoding) }
    self.statements = zip(list.all, selection.isIncluded).filter(\.1).map(\.0)
    (expected, schemaStatements) = try Self.expectation(backup.manifest, selection, statements)
  }

  /// Looks in the table of contents alone, whose hash is checked before: nobody waits for a large backup to be told of a mistyped name.
  ///
  /// Only of a backup whose table of contents is a file of its own. What else is wrong with it, the verification tells.
  /// - Throws: `no_such_table`, `table_needs`.
  static func refuseUnknown(
    _ tables: [String], of backup: Backup, toolbox: Toolbox, surroundings: Surroundings
  ) throws(Failure) {
    let known = Set(backup.manifest.tableNames)
    guard backup.manifest.format == .directory, !known.isSuperset(of: tables),
      try ChecksumCheck(backup).areWhole({ $0 == "data/toc.dat" || $0.hasSuffix(".toc") }, surroundings.cancellation)
    else { return }
    do throws(Failure) {
      _ = try TableRestore(tables, of: backup, toolbox: toolbox, surroundings: surroundings)
    } catch {
      try surroundings.cancellation.check()
      if ["no_such_table", "table_needs"].contains(error.code) { throw error }
    }
  }

  private static func expectation(
    _ manifest: Manifest, _ selection: TableSelection, _ statements: [DumpedStatement]
  ) throws(Failure) -> (DatabaseDigest, [SchemaStatement]) {
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

  func fill(_ place: RestorePlace) throws(Failure) -> RestoreResult {
    let (included, names) = (selection.isIncluded, Set(selection.tables.map(\.description)))
    return try TextRestore(
      place: place, text: text, includes: { included.indices.contains($0) && included[$0] },
      skips: { !names.contains($0) }, hasObjects: false
    ).run()
  }
}
