import Diagnostics
import PostgresTools

extension HistoryTable {
  /// Ordered by their start. Read as pg_dump reads tables: nothing that the table's owner made runs for it.
  ///
  /// - Throws: `foreign_history`, `history_locked`, `history_too_large`, `unreadable_history`.
  package func rows() throws(Failure) -> [HistoryRow] {
    try look()
    guard exists else { return [] }
    let hasSmallValues = try refuseOtherColumns()
    // Logs that could be of any size are left where they are: only people read them.
    let columns = (hasSmallValues ? Self.columns + ["logs"] : Self.columns).joined(separator: ", ")
    let rows = try impatiently { session.attemptCopyOut("COPY \(name) (\(columns)) TO STDOUT", limit: Self.mostBytes) }
    return try rows.map { (values) throws(Failure) in
      let row = try Row(values)
      if let column = Self.needed.first(where: { row[$0] == nil }) { throw unreadable(Self.columns[column]) }
      return HistoryRow(
        id: try row.text(0), name: try row.text(1), checksum: try row.text(2),
        startedAt: Self.time(try row.text(3)) + " UTC", finishedAt: row[4].map(Self.time),
        rolledBackAt: row[5].map(Self.time), logs: hasSmallValues ? row[7] : nil, steps: Int(try row.text(6)) ?? 0)
    }.sorted { ($0.startedAt, $0.id) < ($1.startedAt, $1.id) }
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
      throw locked
    case .failure(let error) where error.sqlState == Session.tooLarge:
      throw Failure(
        "history_too_large", exit: .failed, what: "history of \(session.target.database)",
        why: "\(name) has more than \(Self.mostBytes >> 20) MB of rows", nextStep: "look at who writes to that table")
    case .failure(let error): throw error.failure
    }
  }

  var locked: Failure {
    Failure(
      "history_locked", exit: .locked, what: "history of \(session.target.database)",
      why: "another session keeps \(name) locked", nextStep: "wait until it has ended, or end it (pg_locks names it)")
  }

  /// The code of the failure to read a table that has the name of Prisma's, and not its columns.
  package static let foreignTable = "foreign_history"

  private static let columns = [
    "id", "migration_name", "checksum", "started_at", "finished_at", "rolled_back_at", "applied_steps_count",
  ]
  /// Those of them that are never NULL.
  private static let needed = [0, 1, 2, 3, 6]

  private func unreadable(_ column: String) -> Failure {
    Failure(
      "unreadable_history", exit: .failed, what: "history of \(session.target.database)",
      why: "a row of \(name) has NULL in \(column), which Prisma never writes", nextStep: "correct that row")
  }
}
