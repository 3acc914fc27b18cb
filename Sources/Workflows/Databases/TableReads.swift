import BackupModel
import Diagnostics
import PostgresTools
import StreamPipeline

/// A table of a database whose content may be somebody else's.
struct LiveTable: Sendable {
  var schema: String
  var name: String
  /// Whose rights it is read with; nil: ours. Empty: nobody may.
  var reader: String?
  var isPartitioned = false

  var key: QualifiedName { QualifiedName(schema: schema, name: name) }
  var qualifiedName: String { "\(quoteIdentifier(schema)).\(quoteIdentifier(name))" }
}

/// Queries of tables, each with rights that give their owners nothing.
struct TableReads: Sendable {
  /// For the catalogs.
  let ours: SessionPool
  private let owners: OwnersRights

  init(_ connector: Connector, _ target: ConnectionTarget, purpose: String = "rollback") {
    // Whoever holds a table, perhaps the very session that a rollback is to end, is not waited for.
    let settings = "SET lock_timeout = '2s'; SET row_security = off"
    ours = SessionPool(connector, target, purpose: purpose, settings: settings)
    owners = OwnersRights(connector, target, purpose: purpose, settings: settings)
  }

  /// - Parameter condition: SQL on `c`, a row of `pg_class`, and `n`, its schema.
  /// - Returns: the largest first.
  func tables(_ condition: String, _ parameters: [String?] = []) throws(Failure) -> [LiveTable] {
    try ours.with { (session) throws(Failure) in
      try session.query(
        """
        WITH \(OwnersRights.foreignCode)
        SELECT n.nspname, c.relname, \(OwnersRights.reader(of: "c")), c.relkind = 'p'
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE \(condition) ORDER BY c.relpages DESC, 1, 2
        """, parameters)
    }.map { (values) throws(Failure) in
      let row = try Row(values)
      return LiveTable(
        schema: try row.text(0), name: try row.text(1), reader: row[2], isPartitioned: try row.flag(3))
    }
  }

  /// - Returns: nil when there is none.
  func table(_ key: QualifiedName) throws(Failure) -> LiveTable? {
    try tables("c.relkind IN ('r', 'p') AND n.nspname = $1 AND c.relname = $2", [key.schema, key.name]).first
  }

  /// Runs one query of one table.
  ///
  /// - Parameters:
  ///   - columns: how many the query has.
  ///   - milliseconds: how long it may take; nil: as long as it takes.
  func query(
    _ sql: String, columns: Int, of table: LiveTable, within milliseconds: Int? = nil
  ) throws(Failure) -> Result<[[String?]], ServerError> {
    if let reader = table.reader {
      guard !reader.isEmpty else { return .failure(ServerError(refusal: "code of several owners is behind it")) }
      return try owners.query(sql, columns: columns, as: reader, within: milliseconds)
    }
    return try ours.with { (session) throws(Failure) in
      guard let milliseconds else { return session.attempt(sql, [], .unlimited) }
      try session.query("SET statement_timeout = \(milliseconds)")
      let outcome = session.attempt(sql)
      if session.isIdle { try session.query("SET statement_timeout = 0") }
      return outcome
    }
  }

  /// The columns of a table in its order, as `t` has them; nil: it has none.
  func columns(of table: LiveTable) throws(Failure) -> String? {
    try names(
      """
      SELECT pg_catalog.string_agg('t.' || pg_catalog.quote_ident(attname), ', ' ORDER BY attnum) FROM pg_catalog.pg_attribute
      WHERE attrelid = $1::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped
      """, table)
  }

  /// - Returns: nil: it has none.
  func primaryKey(of table: LiveTable) throws(Failure) -> String? {
    try names(
      """
      SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
      WHERE i.indrelid = $1::pg_catalog.regclass AND i.indisprimary
      """, table)
  }

  private func names(_ sql: String, _ table: LiveTable) throws(Failure) -> String? {
    try ours.with { (session) throws(Failure) in try session.query(sql, [table.qualifiedName]) }.first?.first ?? nil
  }
}
