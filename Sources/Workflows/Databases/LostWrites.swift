import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

extension Row {
  fileprivate func number(_ column: Int) throws(Failure) -> UInt64 { UInt64(try text(column)) ?? 0 }
}

/// Counts what a rollback loses.
///
/// What cannot be counted is said to be so, and keeps no rollback from its end.
///
/// A row's xmin tells whether it was written after the snapshot: exact, except for rows that were frozen since, and for tables that were
/// truncated or rewritten.
struct LostWrites {
  /// On the live database.
  private let live: TableReads
  private let surroundings: Surroundings
  private let manifest: Manifest
  /// In a database that was restored since, every row is newer than the snapshot, and only its content tells.
  private let isTheSame: Bool
  /// `pg_current_snapshot` of the moment that the rollback leads back to.
  private let moment: String
  /// Rows of the backup's tables.
  private let tableRows: [QualifiedName: UInt64]
  /// Transactions of the migrations that the rollback undoes, as xmin has them.
  private let migrations: [String]
  /// Rows that each table had then; nil when only the restored database tells.
  private let rowsBefore: [QualifiedName: UInt64]?

  /// - Parameters:
  ///   - moment: of a copy that is younger than the backup; nil: the backup's own.
  ///   - migrations: transactions of the migrations that are undone.
  init(
    live target: ConnectionTarget, manifest: Manifest, moment: String? = nil, migrations: [String] = [],
    surroundings: Surroundings
  ) throws(Failure) {
    // Whoever holds a table, perhaps the very session that a rollback is to end, is not waited for.
    live = TableReads(surroundings.connector, target)
    self.surroundings = surroundings
    self.manifest = manifest
    self.migrations = migrations
    self.moment = moment ?? manifest.snapshot.pgCurrentSnapshot
    let rows = manifest.digests.tables.map { (QualifiedName(schema: $0.schema, name: $0.name), $0.rows) }
    tableRows = Dictionary(rows) { first, _ in first }
    rowsBefore = moment == nil ? tableRows : nil
    isTheSame = try live.ours.with { (session) throws(Failure) in
      let reader = ServerReader(session)
      let (oid, server) = (try reader.database().oid, try reader.facts().systemIdentifier)
      return oid == manifest.source.oid && server == manifest.source.systemIdentifier
    }
  }

  /// Tables with writes, the most written first. Deletions that need the restored database are left unknown.
  ///
  /// - Parameters:
  ///   - seconds: how long it may take; nil: as long as it takes. What is not counted by then is estimated by the server's statistics.
  ///   - names: these tables only.
  /// - Returns: whether every table was counted, too.
  func count(
    within seconds: Double? = nil, only names: Set<QualifiedName>? = nil
  ) throws(Failure) -> (writes: [TableWrites], isComplete: Bool) {
    let deadline = seconds.map { ContinuousClock.now + .seconds($0) }
    let growth = deadline == nil ? nil : try growth()
    // Those that were written to most come first.
    let tables = try tables().filter { names?.contains($0.key) ?? true }
      .sorted { growth?[$0.key] ?? 0 > growth?[$1.key] ?? 0 }
    let counts = try inParallel(
      tables, threads: surroundings.cores, cancellation: surroundings.cancellation
    ) { (table) throws(Failure) in try count(table, until: deadline) }
    var writes = counts.compactMap { if case .writes(let writes) = $0 { writes } else { nil } }
    for (table, count) in zip(tables, counts) where count == .unknown {
      guard let estimate = growth?[table.key], estimate > 0 else { continue }
      writes.append(TableWrites(schema: table.schema, name: table.name, changed: 0, perhaps: estimate, deleted: nil))
    }
    let sorted = writes.sorted {
      ($0.changed + $0.perhaps, $1.schema, $1.name) > ($1.changed + $1.perhaps, $0.schema, $0.name)
    }
    return (sorted, !counts.contains(.unknown))
  }

  /// Tables that had rows in the backup and are not in the live database by that name.
  func droppedTables() throws(Failure) -> [String] {
    let rows = try live.ours.with { (session) throws(Failure) in
      try session.query(
        """
        SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p')
        """)
    }
    let there = Set(
      try rows.map { (values) throws(Failure) in
        let row = try Row(values)
        return QualifiedName(schema: try row.text(0), name: try row.text(1))
      })
    let encoding = manifest.nameEncoding
    return tableRows.filter { $0.value > 0 && $0.key.name != "_prisma_migrations" }
      .map { QualifiedName(schema: encoding.shown($0.key.schema), name: encoding.shown($0.key.name)) }
      .filter { !there.contains($0) }.map { "\($0.schema).\($0.name)" }.sorted()
  }

  /// Whether the server counts writes at all.
  func countsWrites() throws(Failure) -> Bool {
    try live.ours.with { (session) throws(Failure) in try session.query("SHOW track_counts") }.first?.first == "on"
  }

  /// What the server has counted per table so far; compared later, it tells which tables were written to since.
  func activity() throws(Failure) -> Manifest.Activity {
    try live.ours.with { (session) throws(Failure) in try ServerReader(session).activity() }
  }

  /// Rows written per table since the backup, by the server's own counters; nil: they tell nothing of that time.
  private func growth() throws(Failure) -> [QualifiedName: UInt64]? {
    guard isTheSame, let before = manifest.activity else { return nil }
    return before.growth(to: try activity())
  }

  /// What was counted, brought from one count to a later one.
  static func advanced(_ writes: [TableWrites], from before: [TableWrites], to after: [TableWrites]) -> [TableWrites] {
    func byName(_ writes: [TableWrites]) -> [QualifiedName: TableWrites] {
      Dictionary(writes.map { ($0.key, $0) }) { first, _ in first }
    }
    let (completed, counted) = (byName(writes), byName(before))
    return after.map { later in
      guard let earlier = counted[later.key] else { return later }
      // What was in doubt there, and came out as nothing, is in `writes` no more.
      var write =
        completed[later.key]
        ?? TableWrites(schema: later.schema, name: later.name, changed: 0, deleted: 0)
      write.changed += later.changed > earlier.changed ? later.changed - earlier.changed : 0
      if later.changed + later.perhaps + later.byMigrations == 0 { write.deleted = later.deleted }
      return write
    }.filter(\.isSomething)
  }

  private enum Count: Sendable, Equatable {
    case writes(TableWrites)
    case none
    case unknown
  }

  private func count(_ table: LiveTable, until deadline: ContinuousClock.Instant?) throws(Failure) -> Count {
    let left = deadline.map { Int(($0 - .now).milliseconds) }
    if let left, left <= 0 { return .unknown }
    switch try live.query(countSQL(table.qualifiedName), columns: 4, of: table, within: left) {
    case .success(let rows): return try writes(to: table, Row(rows.first)).map { .writes($0) } ?? .none
    case .failure(let error):
      try surroundings.cancellation.check()
      surroundings.log.info("writes to \(table.schema).\(table.name) are not counted: \(error.message)")
      return .unknown
    }
  }

  /// - Returns: nil when there were none.
  private func writes(to table: LiveTable, _ row: Row) throws(Failure) -> TableWrites? {
    let (total, changed, perhaps) = try (row.number(0), row.number(1), row.number(2))
    let byMigrations = try row.number(3)
    var deleted: UInt64?
    if let rowsBefore, changed + perhaps + byMigrations == 0 {
      // Without changed rows, what is missing was deleted. Of a table that was renamed nobody knows.
      let before =
        rowsBefore[QualifiedName(schema: table.schema, name: table.name)] ?? (total > 0 ? nil : 0)
      deleted = before.map { $0 > total ? $0 - total : 0 }
    } else if rowsBefore == nil, changed + perhaps + byMigrations == 0 {
      // Of a copy nobody counted the rows.
      return nil
    }
    let writes = TableWrites(
      schema: table.schema, name: table.name, changed: changed, perhaps: perhaps, byMigrations: byMigrations,
      deleted: deleted)
    return writes.isSomething ? writes : nil
  }

  private func tables() throws(Failure) -> [LiveTable] {
    try live.tables(
      """
      c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND c.relname <> '_prisma_migrations'
      """)
  }

  /// When each row was written, and whether the snapshot holds that: `old`, `new`, or `perhaps`.
  ///
  /// xmin has 32 bits; the snapshot's numbers have 64. A number above the current one is of the epoch before. A snapshot names the
  /// transactions that were open beside it, but not their savepoints, whose numbers are greater.
  private func judged(_ table: String) -> String {
    let moment = "\(quoteLiteral(moment))::pg_catalog.pg_snapshot"
    let isNew = isTheSame ? "NOT pg_catalog.pg_visible_in_snapshot(at, \(moment))" : "false"
    let isInDoubt = isTheSame ? "at > pg_catalog.pg_snapshot_xmin(\(moment))" : "true"
    let migrations = quoteLiteral("{\(migrations.joined(separator: ","))}")
    // A transaction is judged once, whatever it wrote.
    return """
      WITH now AS (
        SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint AS next
      ), writer AS (
        SELECT xmin AS id, pg_catalog.count(*) AS rows FROM ONLY \(table) GROUP BY xmin
      ), dated AS (
        SELECT writer.*, CASE WHEN x.id > 2 THEN
          (x.id + (now.next >> 32 << 32) - CASE WHEN x.id > (now.next & 4294967295) THEN 4294967296 ELSE 0 END)::text::xid8
          END AS at
        FROM writer, now, LATERAL (SELECT writer.id::text::bigint AS id) AS x
      ), judged AS (
        SELECT id, rows, CASE WHEN id::text = ANY (\(migrations)::text[]) THEN 'migration' WHEN \(isNew) THEN 'new' WHEN \(isInDoubt) THEN 'perhaps' ELSE 'old' END AS age
        FROM dated
      )
      """
  }

  private func countSQL(_ table: String) -> String {
    let sum = "coalesce(pg_catalog.sum(rows)"
    return """
      \(judged(table))
      SELECT \(sum), 0), \(sum) FILTER (WHERE age = 'new'), 0), \(sum) FILTER (WHERE age = 'perhaps'), 0),
        \(sum) FILTER (WHERE age = 'migration'), 0) FROM judged
      """
  }

  // MARK: Rows in doubt

  /// Settles which of the rows in doubt the restored table has: by their content.
  private func settled(_ write: TableWrites, _ restored: TableReads) throws(Failure) -> TableWrites {
    guard write.perhaps > 0 else { return write }
    guard let table = try restored.table(write.key), let list = try restored.columns(of: table) else {
      return Self.allNew(write)
    }
    guard rows(write) <= Self.mostKeys, let own = try live.table(write.key) else { return write }
    let content = "pg_catalog.md5(ROW(\(list))::text)"
    let found = try live.query(
      """
      \(judged(write.qualifiedName)) SELECT \(content), judged.age FROM ONLY \(write.qualifiedName) AS t
      JOIN judged ON judged.id = t.xmin WHERE judged.age NOT IN ('new', 'migration') LIMIT \(Self.mostKeys + 1)
      """, columns: 2, of: own)
    // A table that has other columns now cannot be compared.
    guard case .success(let judged) = found, judged.count <= Self.mostKeys,
      case .success(let before) = try restored.query(
        "SELECT \(content) FROM ONLY \(write.qualifiedName) AS t", columns: 1, of: table)
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

  /// The restored database has no such table, or none with columns.
  private static func allNew(_ write: TableWrites) -> TableWrites {
    TableWrites(schema: write.schema, name: write.name, changed: write.changed + write.perhaps, deleted: 0)
  }

  private func rows(_ table: TableWrites) -> UInt64 {
    tableRows[table.key] ?? 0
  }

  // MARK: Deletions

  /// Fills in what needs the restored database: deletions, by primary key, and the rows in doubt.
  func completed(_ writes: [TableWrites], restored target: ConnectionTarget) throws(Failure) -> [TableWrites] {
    let restored = TableReads(surroundings.connector, target)
    return try inParallel(writes, threads: surroundings.cores, cancellation: surroundings.cancellation) {
      (write) throws(Failure) in try completed(write, restored)
    }.filter(\.isSomething)
  }

  private func completed(_ write: TableWrites, _ restored: TableReads) throws(Failure) -> TableWrites {
    var complete = try settled(write, restored)
    guard write.deleted == nil, complete.deleted == nil, let table = try live.table(write.key) else { return complete }
    if let key = try live.primaryKey(of: table) {
      complete.deleted = try deletions(table, key, restored)
    } else if complete.changed + complete.perhaps + complete.byMigrations == 0 {
      complete.deleted = try missing(table)
    }
    return complete
  }

  /// Rows that a table without changed ones has lost; nil for one that the backup does not have by this name.
  private func missing(_ table: LiveTable) throws(Failure) -> UInt64? {
    guard let before = tableRows[table.key],
      case .success(let count) = try live.query(
        "SELECT pg_catalog.count(*) FROM ONLY \(table.qualifiedName)", columns: 1, of: table)
    else { return nil }
    let now = try Row(count.first).number(0)
    return before > now ? before - now : 0
  }

  /// Above this many rows the keys would take too much memory; then the deletions are left unknown.
  private static let mostKeys: UInt64 = 500_000

  /// Keys of the restored table that the live one lacks.
  private func deletions(_ table: LiveTable, _ key: String, _ restored: TableReads) throws(Failure) -> UInt64? {
    guard tableRows[table.key] ?? 0 <= Self.mostKeys, let other = try restored.table(table.key) else { return nil }
    // The live table may have grown beyond measure since.
    let keys = "SELECT pg_catalog.md5(ROW(\(key))::text) FROM ONLY \(table.qualifiedName) LIMIT \(Self.mostKeys + 1)"
    guard case .success(let after) = try live.query(keys, columns: 1, of: table), after.count <= Self.mostKeys,
      case .success(let before) = try restored.query(keys, columns: 1, of: other)
    else { return nil }
    let kept = Set(after.compactMap { $0.first ?? nil })
    return UInt64(before.compactMap { $0.first ?? nil }.count { !kept.contains($0) })
  }
}
