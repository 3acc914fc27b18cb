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
  /// More of these, perhaps: written in savepoints or the like while a transaction was open beside the snapshot. Which of them it holds only
  /// the restored database tells.
  package var perhaps: UInt64 = 0
  /// Nil when it cannot be told: rows were changed too, and the table has no primary key to compare by.
  package var deleted: UInt64?
}

extension TableWrites {
  fileprivate var qualifiedName: String { "\(quoteIdentifier(schema)).\(quoteIdentifier(name))" }
}

extension Row {
  fileprivate func number(_ column: Int) throws(Failure) -> UInt64 { UInt64(try text(column)) ?? 0 }
}

/// Counts what a rollback loses.
///
/// A row's xmin tells whether it was written after the snapshot: exact, except for rows that were frozen since, and for tables that were
/// truncated or rewritten.
struct LostWrites {
  /// On the live database.
  private let live: Session
  private let manifest: Manifest
  /// In a database that was restored since, every row is newer than the snapshot, and only its content tells.
  private let isTheSame: Bool
  /// `pg_current_snapshot` of the moment that the rollback leads back to.
  private let moment: String
  /// Rows that each table had then; nil when only the restored database tells.
  private let rowsBefore: [String: UInt64]?

  /// - Parameter moment: of a copy that is younger than the backup; nil: the backup's own.
  init(live: Session, manifest: Manifest, moment: String? = nil) throws(Failure) {
    self.live = live
    self.manifest = manifest
    self.moment = moment ?? manifest.snapshot.pgCurrentSnapshot
    let rows = manifest.digests.tables.map { ($0.qualifiedName, $0.rows) }
    rowsBefore = moment == nil ? Dictionary(rows) { first, _ in first } : nil
    let reader = ServerReader(live)
    let (oid, server) = (try reader.database().oid, try reader.facts().systemIdentifier)
    isTheSame = oid == manifest.source.oid && server == manifest.source.systemIdentifier
  }

  /// Tables with writes, the most written first. Deletions that need the restored database are left unknown.
  ///
  /// - Parameter seconds: how long it may take; nil: as long as it takes.
  /// - Returns: whether every table was counted, too.
  func count(within seconds: Double? = nil) throws(Failure) -> (writes: [TableWrites], isComplete: Bool) {
    let start = ContinuousClock.now
    var found: [TableWrites] = []
    for table in try tables() {
      if let seconds {
        let left = seconds - (ContinuousClock.now - start).seconds
        guard left > 0 else { return (sorted(found), false) }
        try live.query("SET statement_timeout = \(max(1, Int(left * 1000)))")
      }
      switch live.attempt(countSQL("\(quoteIdentifier(table.schema)).\(quoteIdentifier(table.name))"), [moment]) {
      case .success(let rows): found += try writes(to: table, Row(rows.first)).map { [$0] } ?? []
      case .failure(let error):
        guard seconds != nil, error.sqlState == "57014" else { throw error.failure }
        return (sorted(found), false)
      }
    }
    return (sorted(found), true)
  }

  /// - Returns: nil when there were none.
  private func writes(to table: (schema: String, name: String), _ row: Row) throws(Failure) -> TableWrites? {
    let (total, changed, perhaps) = try (row.number(0), row.number(1), row.number(2))
    var deleted: UInt64?
    if let rowsBefore, changed + perhaps == 0 {
      // Without changed rows, what is missing was deleted.
      let before = rowsBefore["\(table.schema).\(table.name)"] ?? 0
      deleted = before > total ? before - total : 0
    } else if rowsBefore == nil, changed + perhaps == 0 {
      // Of a copy nobody counted the rows.
      return nil
    }
    guard changed + perhaps > 0 || deleted ?? 1 > 0 else { return nil }
    return TableWrites(schema: table.schema, name: table.name, changed: changed, perhaps: perhaps, deleted: deleted)
  }

  private func sorted(_ writes: [TableWrites]) -> [TableWrites] {
    writes.sorted { ($0.changed, $1.schema, $1.name) > ($1.changed, $0.schema, $0.name) }
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

  /// When each row was written, and whether the snapshot `$1` holds that: `old`, `new`, or `perhaps`.
  ///
  /// xmin has 32 bits; the snapshot's numbers have 64. A number above the current one is of the epoch before. A snapshot names the
  /// transactions that were open beside it, but not their savepoints, whose numbers are greater.
  private func written(_ table: String, columns: String = "0") -> String {
    let isNew = isTheSame ? "NOT pg_catalog.pg_visible_in_snapshot(at, $1::pg_catalog.pg_snapshot)" : "false"
    let isInDoubt = isTheSame ? "at > pg_catalog.pg_snapshot_xmin($1::pg_catalog.pg_snapshot)" : "$1 <> ''"
    return """
      WITH now AS (
        SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint AS next
      ), written AS (
        SELECT t.*, CASE WHEN x.id > 2 THEN
          (x.id + (now.next >> 32 << 32) - CASE WHEN x.id > (now.next & 4294967295) THEN 4294967296 ELSE 0 END)::text::xid8
          END AS at
        FROM (SELECT \(columns) AS content, xmin FROM ONLY \(table)) AS t, now,
          LATERAL (SELECT t.xmin::text::bigint AS id) AS x
      ), judged AS (
        SELECT content, CASE WHEN \(isNew) THEN 'new' WHEN \(isInDoubt) THEN 'perhaps' ELSE 'old' END AS age
        FROM written
      )
      """
  }

  private func countSQL(_ table: String) -> String {
    """
    \(written(table))
    SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE age = 'new'),
      pg_catalog.count(*) FILTER (WHERE age = 'perhaps')
    FROM judged
    """
  }

  // MARK: Rows in doubt

  /// Settles which of the rows in doubt the restored table has: by their content.
  private func settled(_ write: TableWrites, _ restored: Session) throws(Failure) -> TableWrites {
    guard write.perhaps > 0, rows(write) <= Self.mostKeys else { return write }
    let name = write.qualifiedName
    let columns = try restored.query(
      """
      SELECT pg_catalog.string_agg(pg_catalog.quote_ident(attname), ', ' ORDER BY attnum) FROM pg_catalog.pg_attribute
      WHERE attrelid = $1::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped
      """, [name])
    let content = "pg_catalog.md5(ROW(\((columns.first?.first ?? nil) ?? ""))::text)"
    let live = live.attempt(
      "\(written(name, columns: content)) SELECT content, age FROM judged WHERE age <> 'new'",
      [moment])
    // A table that has other columns now cannot be compared.
    guard case .success(let judged) = live,
      case .success(let before) = restored.attempt("SELECT \(content) FROM ONLY \(name)")
    else { return write }
    var left = Dictionary(before.map { ($0.first ?? nil, 1) }, uniquingKeysWith: +)
    for row in judged where row.last == "old" { left[row.first ?? nil, default: 0] -= 1 }
    var settled = write
    settled.perhaps = 0
    for row in judged where row.last == "perhaps" {
      left[row.first ?? nil, default: 0] -= 1
      if left[row.first ?? nil, default: 0] < 0 { settled.changed += 1 }
    }
    return settled
  }

  private func rows(_ table: TableWrites) -> UInt64 {
    manifest.digests.tables.first { $0.schema == table.schema && $0.name == table.name }?.rows ?? 0
  }

  // MARK: Deletions

  /// Fills in what needs the restored database: deletions, by primary key, and the rows in doubt.
  func completed(_ writes: [TableWrites], restored: Session) throws(Failure) -> [TableWrites] {
    try writes.map { (write) throws(Failure) in
      var complete = try settled(write, restored)
      guard write.deleted == nil else { return complete }
      if let key = try primaryKey(write) {
        complete.deleted = try deletions(write, key, restored)
      } else if complete.changed + complete.perhaps == 0 {
        complete.deleted = try missing(write)
      }
      return complete
    }.filter { $0.changed + $0.perhaps > 0 || $0.deleted ?? 1 > 0 }
  }

  /// Rows that a table without changed ones has lost.
  private func missing(_ table: TableWrites) throws(Failure) -> UInt64 {
    let count = try live.query("SELECT pg_catalog.count(*) FROM ONLY \(table.qualifiedName)")
    let (before, now) = (rows(table), try Row(count.first).number(0))
    return before > now ? before - now : 0
  }

  private func primaryKey(_ table: TableWrites) throws(Failure) -> String? {
    let columns = try live.query(
      """
      SELECT pg_catalog.quote_ident(a.attname) FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
      WHERE i.indrelid = $1::pg_catalog.regclass AND i.indisprimary ORDER BY a.attnum
      """, [table.qualifiedName]
    ).compactMap { $0.first ?? nil }
    return columns.isEmpty ? nil : columns.joined(separator: ", ")
  }

  /// Above this many rows the keys would take too much memory; then the deletions are left unknown.
  private static let mostKeys: UInt64 = 500_000

  /// Keys of the restored table that the live one lacks.
  private func deletions(_ table: TableWrites, _ key: String, _ restored: Session) throws(Failure) -> UInt64? {
    guard rows(table) <= Self.mostKeys else { return nil }
    let keys = "SELECT pg_catalog.md5(ROW(\(key))::text) FROM ONLY \(table.qualifiedName)"
    guard case .success(let before) = restored.attempt(keys), case .success(let after) = live.attempt(keys) else {
      return nil
    }
    let kept = Set(after.compactMap { $0.first ?? nil })
    return UInt64(before.compactMap { $0.first ?? nil }.count { !kept.contains($0) })
  }
}
