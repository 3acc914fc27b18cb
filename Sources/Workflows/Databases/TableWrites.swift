import BackupModel
import StreamPipeline

/// What was written to a table since a snapshot.
package struct TableWrites: Sendable, Equatable {
  package var schema: String
  package var name: String
  /// Rows that were inserted or updated.
  package var changed: UInt64
  /// More of these, perhaps: written in savepoints or the like while a transaction was open beside the snapshot. Which of them it holds only
  /// the restored database tells.
  package var perhaps: UInt64 = 0
  /// Rows that the undone migrations themselves wrote: no write of a user is lost with them.
  package var byMigrations: UInt64 = 0
  /// Nil when it cannot be told: rows were changed too, and the table has no primary key to compare by.
  package var deleted: UInt64?
}

extension Manifest.Activity {
  /// Rows written per table between two looks; nil when the counters were reset in between.
  func growth(to later: Manifest.Activity) -> [QualifiedName: UInt64]? {
    guard since == later.since else { return nil }
    func byName(_ tables: [Table]) -> [QualifiedName: UInt64] {
      Dictionary(tables.map { (QualifiedName(schema: $0.schema, name: $0.name), $0.writes) }) { first, _ in first }
    }
    let (before, after) = (byName(tables), byName(later.tables))
    // After a crash the server begins to count again, and says so in no other way.
    guard before.allSatisfy({ (after[$0.key] ?? $0.value) >= $0.value }) else { return nil }
    return Dictionary(uniqueKeysWithValues: after.map { ($0.key, $0.value - (before[$0.key] ?? 0)) })
  }
}

extension TableWrites {
  var key: QualifiedName { QualifiedName(schema: schema, name: name) }
  var isSomething: Bool { changed + perhaps + byMigrations > 0 || deleted ?? 1 > 0 }
  /// As SQL takes it.
  var qualifiedName: String { "\(quoteIdentifier(schema)).\(quoteIdentifier(name))" }
}
