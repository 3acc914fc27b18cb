import BackupModel
import Diagnostics
import Foundation
import PostgresTools

/// Prisma's table `_prisma_migrations`, by a session of its own.
///
/// Found under the search path that Prisma would have, and from then on always named with its schema: a script may change the
/// search path of its own session as it likes.
package final class HistoryTable {
  package let session: Session
  /// Where the table is, or would be made.
  private var schema: String
  private var exists = false
  /// The schema that the connection names.
  private let wanted: String?

  /// Looks for the table.
  ///
  /// - Parameter schema: Prisma's `?schema=`; nil: the role's own search path.
  package init(_ session: Session, schema: String?) throws(Failure) {
    self.session = session
    // Times are read as text, whatever the role is used to.
    try session.query("SET DateStyle = 'ISO'")
    try session.query("SET TimeZone = 'UTC'")
    // A policy runs its owner's code: what it would hide is not read at all.
    try session.query("SET row_security = off")
    // What the journal says about a row is so, also after a crash of the server.
    try session.query(Session.durableCommits(local: false))
    wanted = schema
    self.schema = schema ?? "public"
    try look()
  }

  /// Looks for the table as long as it is not there: another deployer may have made it meanwhile.
  private func look() throws(Failure) {
    guard !exists else { return }
    let seen = try session.underOwnSearchPath(wanted) { () throws(Failure) in
      try session.query(
        "SELECT pg_catalog.current_schema(), pg_catalog.to_regclass('_prisma_migrations')::pg_catalog.oid")
    }.first
    schema = wanted ?? (seen?.first ?? nil) ?? "public"
    // A search path passes over a schema that the role may not use. A history in it must not look like none.
    let found = try session.query(
      """
      SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = '_prisma_migrations' AND c.relkind = 'r' AND (n.nspname = $1 OR c.oid = $2::pg_catalog.oid)
      ORDER BY n.nspname = $1 DESC
      """, [schema, seen?.last ?? nil])
    guard let row = found.first else { return }
    schema = try Row(row).text(0)
    exists = true
  }

  private var name: String { "\(quoteIdentifier(schema)).\"_prisma_migrations\"" }

  /// Whether the database had a history when the table was last looked for, or read.
  package var isThere: Bool { exists }

  /// The transactions that wrote some rows last, as xmin has them: a migration that ran as one transaction counted itself in the same.
  package func writers(of ids: [String]) throws(Failure) -> [String] {
    guard exists, !ids.isEmpty else { return [] }
    let list = ids.map(quoteLiteral).joined(separator: ", ")
    return try session.query("SELECT DISTINCT xmin FROM \(name) WHERE id IN (\(list))").compactMap { $0.first ?? nil }
  }

  /// Ordered by their start. Read as pg_dump reads tables: nothing that the table's owner made runs for it.
  ///
  /// - Throws: `foreign_history`, `history_locked`, `history_too_large`, `unreadable_history`.
  package func rows() throws(Failure) -> [HistoryRow] {
    try look()
    guard exists else { return [] }
    let hasSmallValues = try refuseOtherColumns()
    // Logs that could be of any size are left where they are: only people read them.
    let columns = Self.columns.map { $0 == "logs" && !hasSmallValues ? "id" : $0 }.joined(separator: ", ")
    let rows = try impatiently { session.attemptCopyOut("COPY \(name) (\(columns)) TO STDOUT", limit: Self.mostBytes) }
    return try rows.map { (values) throws(Failure) in
      let row = try Row(values)
      if let column = [0, 1, 2, 3, 7].first(where: { row[$0] == nil }) { throw unreadable(Self.columns[column]) }
      return HistoryRow(
        id: try row.text(0), name: try row.text(1), checksum: try row.text(2),
        startedAt: Self.time(try row.text(3)) + " UTC", finishedAt: row[4].map(Self.time),
        rolledBackAt: row[5].map(Self.time), logs: hasSmallValues ? row[6] : nil, steps: Int(try row.text(7)) ?? 0)
    }.sorted { $0.startedAt < $1.startedAt }
  }

  private static let mostBytes = 64 << 20

  /// Without the offset, which is that of UTC.
  private static func time(_ text: String) -> String { text.hasSuffix("+00") ? String(text.dropLast(3)) : text }

  /// - Returns: whether no value can be large.
  /// - Throws: `foreign_history`.
  private func refuseOtherColumns() throws(Failure) -> Bool {
    let found = try session.query(
      """
      SELECT a.attname, pg_catalog.format_type(a.atttypid, NULL), a.atttypmod,
        CASE WHEN c.reltoastrelid <> 0 THEN pg_catalog.pg_relation_size(c.reltoastrelid) ELSE 0 END
      FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = '_prisma_migrations' AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
      """, [schema])
    var columns: [String: (type: String, isLimited: Bool)] = [:]
    var outside = 0
    for values in found {
      let row = try Row(values)
      columns[try row.text(0)] = (try row.text(1), Int(try row.text(2)) ?? -1 > 0)
      outside = Int(try row.text(3)) ?? 0
    }
    let hasSmallValues = outside <= Self.mostOutside
    for (name, types) in Self.types {
      guard let column = columns[name] else { throw foreign("has no column \(name)") }
      guard types.contains(column.type) else { throw foreign("has a column \(name) of type \(column.type)") }
      // The rows are read whole: Prisma's own columns have a length.
      guard name == "logs" || hasSmallValues || column.isLimited || !types.contains("text") else {
        throw foreign("has values of any length in \(name)")
      }
    }
    return hasSmallValues
  }

  /// Bytes of values that are stored apart, and compressed: so much of logs is read.
  private static let mostOutside = 256 << 10

  private static let types: [(column: String, types: Set<String>)] =
    ["id", "migration_name", "checksum", "logs"].map { ($0, ["character varying", "text"]) }
    + ["started_at", "finished_at", "rolled_back_at"].map { ($0, ["timestamp with time zone"]) }
    + [("applied_steps_count", ["integer"])]

  private func foreign(_ how: String) -> Failure {
    Failure(
      Self.foreignTable, exit: .failed, what: "history of \(session.target.database)",
      why: "\(name) is not Prisma's: it \(how)",
      nextStep: "rename that table, or make it what Prisma makes; the docs of migrate deploy show it")
  }

  /// Who holds the table may do so for hours, and be the very session that a rollback is to end.
  private func impatiently(_ read: () -> Result<[[String?]], ServerError>) throws(Failure) -> [[String?]] {
    let before = try Row(try session.query("SELECT pg_catalog.current_setting('lock_timeout')").first).text(0)
    try session.query("SET lock_timeout = '3s'")
    let outcome = read()
    // A transaction that has failed takes no statement, and its end takes the setting back.
    if !session.hasFailedTransaction {
      try session.query("SELECT pg_catalog.set_config('lock_timeout', $1, false)", [before])
    }
    switch outcome {
    case .success(let rows): return rows
    case .failure(let error) where error.sqlState == "55P03":
      throw Failure(
        "history_locked", exit: .locked, what: "history of \(session.target.database)",
        why: "another session keeps \(name) locked", nextStep: "wait until it has ended, or end it (pg_locks names it)")
    case .failure(let error) where error.sqlState == Session.tooLarge:
      throw Failure(
        "history_too_large", exit: .failed, what: "history of \(session.target.database)",
        why: "\(name) has more than \(Self.mostBytes >> 20) MB of rows", nextStep: "look at who writes to that table")
    case .failure(let error): throw error.failure
    }
  }

  /// The code of the failure to read a table that has the name of Prisma's, and not its columns.
  package static let foreignTable = "foreign_history"

  private static let columns = [
    "id", "migration_name", "checksum", "started_at", "finished_at", "rolled_back_at", "logs", "applied_steps_count",
  ]

  private func unreadable(_ column: String) -> Failure {
    Failure(
      "unreadable_history", exit: .failed, what: "history of \(session.target.database)",
      why: "a row of \(name) has NULL in \(column), which Prisma never writes", nextStep: "correct that row")
  }

  // MARK: Making it

  /// Makes the table as Prisma makes it; nothing when it is there.
  package func create() throws(Failure) {
    try look()
    guard !exists else { return }
    // IF NOT EXISTS would ask for the right to make schemas even where nothing has to be made.
    if try session.query("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", [schema]).isEmpty {
      try session.query("CREATE SCHEMA \(quoteIdentifier(schema))")
    }
    try session.query(
      """
      CREATE TABLE \(name) (
          id                      VARCHAR(36) PRIMARY KEY NOT NULL,
          checksum                VARCHAR(64) NOT NULL,
          finished_at             TIMESTAMPTZ,
          migration_name          VARCHAR(255) NOT NULL,
          logs                    TEXT,
          rolled_back_at          TIMESTAMPTZ,
          started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
          applied_steps_count     INTEGER NOT NULL DEFAULT 0
      )
      """)
    exists = true
  }

  /// Prisma refuses to begin a history in a schema that has tables already.
  ///
  /// - Throws: `P3005`.
  package func refuseUnmanaged() throws(Failure) {
    try look()
    guard !exists else { return }
    let tables = try session.query(
      """
      SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND n.nspname = $1
        AND c.relname !~* '^(spatial_ref_sys|geometry_columns|geography_columns|raster_columns|raster_overviews)$'
      ORDER BY 1
      """, [schema])
    guard let first = tables.first?.first ?? nil else { return }
    throw Failure(
      "P3005", exit: .failed, what: "history of \(session.target.database)",
      why: "the schema \(schema) is not empty (\(first) is in it) and has no migration history",
      nextStep: "if the database already has what the first migrations make, name the last of them: "
        + "holdfast baseline --to NAME")
  }

  // MARK: Rows

  /// Which transaction wrote each row, by the row's id.
  func writers() throws(Failure) -> [String: String] {
    let rows = try session.query("SELECT id, xmin FROM \(name)").map { ($0.first ?? nil, $0.last ?? nil) }
    return Dictionary(rows.compactMap { id, writer in id.flatMap { id in writer.map { (id, $0) } } }) { first, _ in
      first
    }
  }

  /// Removes rows; and the table, where none is left and it is ours to drop. Within a transaction of the caller's.
  func remove(_ ids: [String]) throws(Failure) {
    for id in ids { try session.query("DELETE FROM \(name) WHERE id = $1", [id]) }
    guard try session.query("SELECT 1 FROM \(name) LIMIT 1").isEmpty else { return }
    try session.query("SAVEPOINT dropping")
    // Another role's table, or one that a view reads, stays, and is empty.
    if case .failure = session.attempt("DROP TABLE \(name)", []) {
      try session.query("ROLLBACK TO dropping")
    } else {
      exists = false
    }
  }

  /// Notes that a migration begins.
  ///
  /// - Returns: the row's id.
  package func begin(_ name: String, checksum: String) throws(Failure) -> String {
    let id = UUID().uuidString.lowercased()
    try session.query(
      """
      INSERT INTO \(self.name) (id, checksum, started_at, migration_name)
      VALUES ($1, $2, pg_catalog.clock_timestamp(), $3)
      """, [id, checksum, name])
    return id
  }

  /// Counts the script as done. Sent in one message with the script, so that both are there or neither: after a crash the count tells
  /// what became of it. A script may have changed the session's role, and its search path is anybody's.
  package func countStep(_ id: String) -> String {
    """
    ;RESET SESSION AUTHORIZATION;RESET ROLE;
    UPDATE \(name) SET applied_steps_count = applied_steps_count OPERATOR(pg_catalog.+) 1
    WHERE id OPERATOR(pg_catalog.=) \(quoteLiteral(id))
    """
  }

  package func finish(_ id: String) throws(Failure) {
    try session.query("UPDATE \(name) SET finished_at = pg_catalog.clock_timestamp() WHERE id = $1", [id])
  }

  package func fail(_ id: String, logs: String) throws(Failure) {
    try session.query("UPDATE \(name) SET logs = $2 WHERE id = $1", [id, logs])
  }

  /// Marks the failed rows of a migration as rolled back.
  package func rollBackFailed(_ name: String) throws(Failure) {
    try session.query(
      """
      UPDATE \(self.name) SET rolled_back_at = pg_catalog.clock_timestamp()
      WHERE migration_name = $1 AND finished_at IS NULL AND rolled_back_at IS NULL
      """, [name])
  }

  /// The row of an undone migration, as `migrate resolve --rolled-back` would leave it: with a finish it could not be resolved as
  /// applied any more. What it was stands in its logs.
  package func insertRolledBack(_ row: HistoryRow, by rollback: String) throws(Failure) {
    let was = "rolled back by holdfast \(rollback); began \(row.startedAt), finished \(row.finishedAt ?? "never")"
    try session.query(
      """
      INSERT INTO \(name) (id, checksum, logs, started_at, rolled_back_at, migration_name, applied_steps_count)
      VALUES ($1, $2, $3, $4::timestamptz, coalesce($5::timestamptz, pg_catalog.clock_timestamp()), $6, 0)
      """,
      [
        row.id, row.checksum, [was, row.logs].compactMap { $0 }.joined(separator: "\n"), row.startedAt,
        row.rolledBackAt.map { $0 + " UTC" }, row.name,
      ])
  }

  /// The row that `migrate resolve --applied` leaves.
  package func insertApplied(_ name: String, checksum: String) throws(Failure) {
    try session.query(
      """
      INSERT INTO \(self.name) (id, checksum, logs, started_at, finished_at, migration_name)
      SELECT $1, $2, '', t, t, $3 FROM (SELECT pg_catalog.clock_timestamp() AS t) AS moment
      """, [UUID().uuidString.lowercased(), checksum, name])
  }
}
