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
  func schemaStatements() throws(Failure) -> [String] {
    guard backup.manifest.format != .directory else {
      try toolbox.requireFiles(of: .directory, what: "backup \(backup.id)")
      return try ArchiveContents.read(
        data: "\(backup.path)/data", rawNames: backup.manifest.dataFiles.map(\.rawName), toolbox: toolbox,
        surroundings: surroundings, keepStatements: true
      ).statements
    }
    let scanner = SharedScanner(keepStatements: true)
    try BackupText(backup, toolbox: toolbox, surroundings: surroundings)
      .read { (piece) throws(Failure) in try scanner.scan(piece) }
    return scanner.statements
  }

  /// The digest of a table's rows with their values in another order.
  func digest(of table: TableDigest, reordered rows: ReorderedRows) throws(Failure) -> String {
    var rows = rows
    let files = backup.manifest.files.filter { $0.table == table.qualifiedName }
    let namesakes = backup.manifest.digests.tables.count { $0.qualifiedName == table.qualifiedName }
    // The rows of some partitions lie in several files; and a name with a dot in it may read as another's.
    if let file = files.first, files.count == 1, namesakes == 1 {
      try DataFilePass.expand("\(backup.path)/\(file.path)", cancellation: surroundings.cancellation) { rows.take($0) }
      return rows.digest
    }
    let scanner = SharedScanner(reordering: table, rows)
    try BackupText(backup, toolbox: toolbox, surroundings: surroundings)
      .read(objects: false) { (piece) throws(Failure) in try scanner.scan(piece) }
    return scanner.reorderedDigest ?? table.digest
  }
}
