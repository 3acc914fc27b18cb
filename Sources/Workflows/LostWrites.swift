import BackupModel
import Diagnostics
import Foundation
import PostgresTools

/// What was written to a table since a snapshot.
package struct TableWrites: Sendable, Equatable {
  package var schema: String
  package var name: String
  /// Rows that were inserted or updated.
  package var changed: UInt64
  /// Nil when it cannot be told: rows were changed too, and the table has no primary key to compare by.
  package var deleted: UInt64?
}

/// Counts what a rollback loses.
///
/// A row's xmin tells whether it was written after the snapshot: exact, except for rows that were frozen since, and for tables that were
/// truncated or rewritten.
struct LostWrites {
  /// On the live database.
  let live: Session
  let manifest: Manifest

  /// Tables with writes, the most written first. Deletions that need the restored database are left unknown.
  func count() throws(Failure) -> [TableWrites] {
    let before = Dictionary(manifest.digests.tables.map { ($0.qualifiedName, $0.rows) }) { first, _ in first }
    var found: [TableWrites] = []
    for table in try tables() {
      let name = "\(quoteIdentifier(table.schema)).\(quoteIdentifier(table.name))"
      let row = try Row(try live.query(Self.countSQL(name), [manifest.snapshot.pgCurrentSnapshot]).first)
      let (total, changed) = (UInt64(try row.text(0)) ?? 0, UInt64(try row.text(1)) ?? 0)
      let rows = before["\(table.schema).\(table.name)"] ?? 0
      // Without changed rows, what is missing was deleted.
      let deleted: UInt64? = changed == 0 ? (rows > total ? rows - total : 0) : nil
      if changed > 0 || deleted ?? 1 > 0 {
        found.append(TableWrites(schema: table.schema, name: table.name, changed: changed, deleted: deleted))
      }
    }
    return found.sorted { ($0.changed, $1.schema, $1.name) > ($1.changed, $0.schema, $0.name) }
  }

  private func tables() throws(Failure) -> [(schema: String, name: String)] {
    try live.query(
      """
      SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND c.relname <> '_prisma_migrations'
      ORDER BY 1, 2
      """
    ).map { (values) throws(Failure) in
      let row = try Row(values)
      return (try row.text(0), try row.text(1))
    }
  }

  /// xmin has 32 bits; the snapshot's numbers have 64. A number above the current one is of the epoch before.
  private static func countSQL(_ table: String) -> String {
    """
    WITH now AS (
      SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint AS next
    )
    SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (
      WHERE x.id > 2 AND NOT pg_catalog.pg_visible_in_snapshot(
        (x.id + (now.next >> 32 << 32) - CASE WHEN x.id > (now.next & 4294967295) THEN 4294967296 ELSE 0 END)::text::xid8,
        $1::pg_catalog.pg_snapshot))
    FROM ONLY \(table) AS t, now, LATERAL (SELECT t.xmin::text::bigint AS id) AS x
    """
  }

  // MARK: Deletions

  /// Fills in the deletions that need the restored database: by primary key.
  func completed(_ writes: [TableWrites], restored: Session) throws(Failure) -> [TableWrites] {
    try writes.map { (write) throws(Failure) in
      guard write.deleted == nil, let key = try primaryKey(write) else { return write }
      var complete = write
      complete.deleted = try deletions(write, key, restored)
      return complete
    }
  }

  private func primaryKey(_ table: TableWrites) throws(Failure) -> String? {
    let name = "\(quoteIdentifier(table.schema)).\(quoteIdentifier(table.name))"
    let columns = try live.query(
      """
      SELECT pg_catalog.quote_ident(a.attname) FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
      WHERE i.indrelid = $1::pg_catalog.regclass AND i.indisprimary ORDER BY a.attnum
      """, [name]
    ).compactMap { $0.first ?? nil }
    return columns.isEmpty ? nil : columns.joined(separator: ", ")
  }

  /// Above this many rows the keys would take too much memory; then the deletions are left unknown.
  private static let mostKeys: UInt64 = 500_000

  /// Keys of the restored table that the live one lacks.
  private func deletions(_ table: TableWrites, _ key: String, _ restored: Session) throws(Failure) -> UInt64? {
    let name = "\(quoteIdentifier(table.schema)).\(quoteIdentifier(table.name))"
    let rows = manifest.digests.tables.first { $0.schema == table.schema && $0.name == table.name }?.rows ?? 0
    guard rows <= Self.mostKeys else { return nil }
    let keys = "SELECT pg_catalog.md5(ROW(\(key))::text) FROM ONLY \(name)"
    guard case .success(let before) = restored.attempt(keys), case .success(let after) = live.attempt(keys) else {
      return nil
    }
    let kept = Set(after.compactMap { $0.first ?? nil })
    return UInt64(before.compactMap { $0.first ?? nil }.count { !kept.contains($0) })
  }
}
