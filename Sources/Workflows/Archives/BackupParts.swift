import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// Single parts of a backup's content, whatever its format.
struct BackupParts {
  let backup: Backup
  let toolbox: Toolbox
  let surroundings: Surroundings

  /// The statements of the schema, as they were digested.
  func schemaStatements() throws(Failure) -> [SchemaStatement] {
    guard backup.manifest.format != .directory else {
      try toolbox.requireFiles(of: .directory, what: "backup \(backup.id)")
      return try ArchiveContents.read(
        data: "\(backup.path)/data", sealed: backup, rawNames: backup.manifest.dataFiles.map(\.rawName),
        toolbox: toolbox,
        surroundings: surroundings, keepStatements: true
      ).statements
    }
    let scanner = SharedScanner(keepStatements: true)
    try BackupText(backup, toolbox: toolbox, surroundings: surroundings)
      .read { (piece) throws(Failure) in try scanner.scan(piece) }
    return scanner.statements
  }

  /// The digest of a table's rows with their values in another order.
  ///
  /// - Parameter columns: that order.
  func digest(of table: TableDigest, inOrder columns: [String]) throws(Failure) -> String {
    let files = backup.manifest.files.filter { $0.table == table.qualifiedName }
    let namesakes = backup.manifest.digests.tables.count { $0.qualifiedName == table.qualifiedName }
    // The rows of some partitions lie in several files, each in an order of its own; and a name with a dot in it may read as another's.
    if let file = files.first, files.count == 1, namesakes == 1 {
      guard let rows = ReorderedRows(from: table.columns, to: columns) else { return table.digest }
      return try ArchiveContents.digest("\(backup.path)/\(file.path)", rows, surroundings)
    }
    let scanner = SharedScanner(reordering: table, columns)
    try BackupText(backup, toolbox: toolbox, surroundings: surroundings)
      .read(objects: false) { (piece) throws(Failure) in try scanner.scan(piece) }
    return scanner.reorderedDigest ?? table.digest
  }
}
