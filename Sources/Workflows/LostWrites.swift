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
  private let live: SessionPool
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
    live = SessionPool(
      surroundings.connector, target, purpose: "rollback", settings: "SET lock_timeout = '2s'; SET row_security = off")
    self.surroundings = surroundings
    self.manifest = manifest
    self.migrations = migrations
    self.moment = moment ?? manifest.snapshot.pgCurrentSnapshot
    let rows = manifest.digests.tables.map { (QualifiedName(schema: $0.schema, name: $0.name), $0.rows) }
    tableRows = Dictionary(rows) { first, _ in first }
    rowsBefore = moment == nil ? tableRows : nil
    isTheSame = try live.with { (session) throws(Failure) in
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

  /// Whether the server counts writes at all.
  func countsWrites() throws(Failure) -> Bool {
    try query("SHOW track_counts").first?.first == "on"
  }

  /// What the server has counted per table so far; compared later, it tells which tables were written to since.
  func activity() throws(Failure) -> Manifest.Activity {
    try live.with { (session) throws(Failure) in try ServerReader(session).activity() }
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

  private func count(_ table: Table, until deadline: ContinuousClock.Instant?) throws(Failure) -> Count {
    try live.with { (session) throws(Failure) in
      if let deadline {
        let left = (deadline - .now).milliseconds
        guard left > 0 else { return .unknown }
        try session.query("SET statement_timeout = \(left)")
      }
      switch session.attempt(countSQL("\(quoteIdentifier(table.schema)).\(quoteIdentifier(table.name))"), parameters) {
      case .success(let rows): return try writes(to: table, Row(rows.first)).map { .writes($0) } ?? .none
      case .failure(let error):
        try surroundings.cancellation.check()
        surroundings.log.info("writes to \(table.schema).\(table.name) are not counted: \(error.message)")
        return .unknown
      }
    }
  }

  /// - Returns: nil when there were none.
  private func writes(to table: Table, _ row: Row) throws(Failure) -> TableWrites? {
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

  private struct Table: Sendable {
    var schema: String
    var name: String
    var key: QualifiedName { QualifiedName(schema: schema, name: name) }
  }

  private func tables() throws(Failure) -> [Table] {
    try query(
      """
      SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND c.relname <> '_prisma_migrations'
      ORDER BY c.relpages DESC, 1, 2
      """
    ).map { (values) throws(Failure) in
      let row = try Row(values)
      return Table(schema: try row.text(0), name: try row.text(1))
    }
  }

  private func query(_ sql: String, _ parameters: [String?] = []) throws(Failure) -> [[String?]] {
    try live.with { (session) throws(Failure) in try session.query(sql, parameters) }
  }

  private func attempt(
    _ sql: String, _ parameters: [String?] = []
  ) throws(Failure) -> Result<[[String?]], ServerError> {
    try live.with { (session) throws(Failure) in session.attempt(sql, parameters) }
  }

  /// When each row was written, and whether the snapshot `$1` holds that: `old`, `new`, or `perhaps`.
  ///
  /// xmin has 32 bits; the snapshot's numbers have 64. A number above the current one is of the epoch before. A snapshot names the
  /// transactions that were open beside it, but not their savepoints, whose numbers are greater.
  private func judged(_ table: String) -> String {
    let isNew = isTheSame ? "NOT pg_catalog.pg_visible_in_snapshot(at, $1::pg_catalog.pg_snapshot)" : "false"
    let isInDoubt = isTheSame ? "at > pg_catalog.pg_snapshot_xmin($1::pg_catalog.pg_snapshot)" : "$1 <> ''"
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
        SELECT id, rows, CASE WHEN id::text = ANY ($2::text[]) THEN 'migration' WHEN \(isNew) THEN 'new' WHEN \(isInDoubt) THEN 'perhaps' ELSE 'old' END AS age
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

  private var parameters: [String?] { [moment, "{\(migrations.joined(separator: ","))}"] }

  // MARK: Rows in doubt

  /// Settles which of the rows in doubt the restored table has: by their content.
  private func settled(_ write: TableWrites, _ restored: Session) throws(Failure) -> TableWrites {
    guard write.perhaps > 0 else { return write }
    let name = write.qualifiedName
    let found = restored.attempt(
      """
      SELECT pg_catalog.string_agg('t.' || pg_catalog.quote_ident(attname), ', ' ORDER BY attnum) FROM pg_catalog.pg_attribute
      WHERE attrelid = pg_catalog.to_regclass($1) AND attnum > 0 AND NOT attisdropped
      """, [name])
    guard case .success(let columns) = found else { return write }
    guard let list = columns.first?.first ?? nil else { return Self.allNew(write) }
    guard rows(write) <= Self.mostKeys else { return write }
    let content = "pg_catalog.md5(ROW(\(list))::text)"
    let live = try attempt(
      """
      \(judged(name)) SELECT \(content), judged.age FROM ONLY \(name) AS t JOIN judged ON judged.id = t.xmin
      WHERE judged.age NOT IN ('new', 'migration') LIMIT \(Self.mostKeys + 1)
      """, parameters)
    // A table that has other columns now cannot be compared.
    guard case .success(let judged) = live, judged.count <= Self.mostKeys,
      case .success(let before) = restored.attempt("SELECT \(content) FROM ONLY \(name) AS t")
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
  func completed(_ writes: [TableWrites], restored: SessionPool) throws(Failure) -> [TableWrites] {
    try inParallel(writes, threads: surroundings.cores, cancellation: surroundings.cancellation) {
      (write) throws(Failure) in
      try restored.with { (session) throws(Failure) in try completed(write, session) }
    }.filter(\.isSomething)
  }

  private func completed(_ write: TableWrites, _ restored: Session) throws(Failure) -> TableWrites {
    var complete = try settled(write, restored)
    guard write.deleted == nil, complete.deleted == nil else { return complete }
    if let key = try primaryKey(write) {
      complete.deleted = try deletions(write, key, restored)
    } else if complete.changed + complete.perhaps + complete.byMigrations == 0 {
      complete.deleted = try missing(write)
    }
    return complete
  }

  /// Rows that a table without changed ones has lost; nil for one that the backup does not have by this name.
  private func missing(_ table: TableWrites) throws(Failure) -> UInt64? {
    guard let before = tableRows[table.key] else { return nil }
    let count = try query("SELECT pg_catalog.count(*) FROM ONLY \(table.qualifiedName)")
    let now = try Row(count.first).number(0)
    return before > now ? before - now : 0
  }

  private func primaryKey(_ table: TableWrites) throws(Failure) -> String? {
    let columns = try query(
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
    // The live table may have grown beyond measure since.
    let keys = "SELECT pg_catalog.md5(ROW(\(key))::text) FROM ONLY \(table.qualifiedName) LIMIT \(Self.mostKeys + 1)"
    guard case .success(let after) = try attempt(keys), after.count <= Self.mostKeys,
      case .success(let before) = restored.attempt(keys)
    else { return nil }
    let kept = Set(after.compactMap { $0.first ?? nil })
    return UInt64(before.compactMap { $0.first ?? nil }.count { !kept.contains($0) })
  }
}
