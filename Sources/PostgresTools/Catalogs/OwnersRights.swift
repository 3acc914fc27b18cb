import BackupModel
import Diagnostics
import Foundation

/// Reads tables of others with their owners' rights.
///
/// Whoever owns a table decides what runs when it is read by a query: functions behind its indexes and statistics, for one, are called by the
/// planner. In a session of ours they would have our rights. Here they run in a function that belongs to the table's owner (SECURITY
/// DEFINER), from which no statement leads back to us, within a transaction that is always rolled back, in a session that is used for this
/// owner only and for nothing else.
package final class OwnersRights: @unchecked Sendable {
  private let connector: Connector
  private let target: ConnectionTarget
  private let purpose: String
  /// SQL that each session begins with.
  private let settings: String
  private let lock = NSLock()
  // Guarded by `lock`: sessions that nobody uses, by owner.
  private var idle: [String: [Session]] = [:]

  package init(_ connector: Connector, _ target: ConnectionTarget, purpose: String, settings: String) {
    self.connector = connector
    self.target = target
    self.purpose = purpose
    self.settings = settings
  }

  /// - Parameters:
  ///   - sql: one query of `columns` columns, without a name for them.
  ///   - milliseconds: how long it may take; nil: as long as it takes.
  /// - Returns: its rows, as text.
  /// - Throws: what keeps the session from being made.
  package func query(
    _ sql: String, columns: Int, as owner: String, within milliseconds: Int? = nil
  ) throws(Failure) -> Result<[[String?]], ServerError> {
    let session: Session
    switch try take(owner) {
    case .success(let fenced): session = fenced
    case .failure(let error): return .failure(error)
    }
    let names = (1...columns).map { "c\($0)" }
    let array = names.map { "q.\($0)::pg_catalog.text" }.joined(separator: ", ")
    let inner = "SELECT ARRAY[\(array)] FROM (\(sql)) AS q (\(names.joined(separator: ", ")))"
    _ = session.attempt("SET LOCAL statement_timeout = \(milliseconds ?? 0)")
    let outer = (1...columns).map { "t.r[\($0)]" }.joined(separator: ", ")
    let read = "SELECT \(outer) FROM \(Self.function)($1) AS t (r)"
    // A function can outlive the server's own limit.
    let outcome = session.attempt(
      read, [inner], milliseconds.map { .atMost(.milliseconds($0 + Self.grace)) } ?? .unlimited)
    // What it has set, locked or left in its own transaction goes with that.
    if case .success = session.attempt("ROLLBACK TO SAVEPOINT holdfast_fence") {
      lock.withLock { idle[owner, default: []].append(session) }
    } else {
      end(session)
    }
    return outcome
  }

  /// A function that catches the cancellation goes on when its client is gone, with locks that it has taken in our name: its process is ended
  /// by another session, whatever becomes of this run.
  private func end(_ session: Session) {
    let other = Connector(cancellation: Cancellation(), log: session.log)
    do throws(Failure) {
      try other.connect(target, purpose: purpose)
        .query("SELECT pg_catalog.pg_terminate_backend($1::int)", ["\(session.process)"], .atMost(.seconds(5)))
    } catch { session.log.info("process \(session.process) of the server may still run: \(error.why)") }
  }

  /// Milliseconds beyond the server's limit until the connection is given up.
  private static let grace = 300
  private static let function = "pg_temp.holdfast_read"

  private func take(_ owner: String) throws(Failure) -> Result<Session, ServerError> {
    let (own, other) = lock.withLock {
      let own = idle[owner]?.popLast()
      // As many sessions as threads, whoever owns the tables: one of another owner's ends for the new one.
      let other = own == nil ? idle.first { !$0.value.isEmpty }?.key : nil
      return (own, other.flatMap { idle[$0]?.popLast() })
    }
    if let own { return .success(own) }
    withExtendedLifetime(other) {}
    let session = try connector.connect(target, purpose: purpose)
    try session.query(settings)
    // Checked, a body would be read with our rights.
    let begin = session.attempt(
      """
      BEGIN;
      SET LOCAL check_function_bodies = off;
      CREATE FUNCTION \(Self.function)(pg_catalog.text) RETURNS SETOF pg_catalog.text[] LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = '' SET row_security = off
        AS 'BEGIN RETURN QUERY EXECUTE $1; END';
      ALTER FUNCTION \(Self.function)(pg_catalog.text) OWNER TO \(quoteIdentifier(owner));
      SAVEPOINT holdfast_fence
      """)
    if case .failure(let error) = begin { return .failure(error) }
    return .success(session)
  }
}

extension OwnersRights {
  /// SQL of a common table expression, without WITH: `foreign_code (relation)` has the tables behind whose indexes and statistics a function,
  /// an operator or a type is that belongs neither to the session's role nor to a superuser.
  package static let foreignCode = """
    foreign_code (relation) AS (
      SELECT DISTINCT part.relation FROM (
        SELECT i.indrelid, d.refclassid, d.refobjid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_depend d
          ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid
        WHERE i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
        UNION ALL SELECT s.stxrelid, d.refclassid, d.refobjid FROM pg_catalog.pg_statistic_ext s
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass AND d.objid = s.oid
      ) part (relation, class, id)
      LEFT JOIN pg_catalog.pg_proc f ON part.class = 'pg_catalog.pg_proc'::pg_catalog.regclass AND f.oid = part.id
      LEFT JOIN pg_catalog.pg_operator o ON part.class = 'pg_catalog.pg_operator'::pg_catalog.regclass AND o.oid = part.id
      LEFT JOIN pg_catalog.pg_type y ON part.class = 'pg_catalog.pg_type'::pg_catalog.regclass AND y.oid = part.id
      JOIN pg_catalog.pg_roles r ON r.oid = COALESCE(f.proowner, o.oprowner, y.typowner)
      WHERE NOT r.rolsuper AND r.rolname <> current_user)
    """

  /// SQL: whoever owns the schema, or the database, may put another table in the place of this one after the look at it, and before it is read
  /// by its name. A role that is a member of that owner, and no superuser, trusts it.
  private static func canBeExchanged(_ table: String) -> String {
    """
    EXISTS (SELECT FROM pg_catalog.pg_namespace s JOIN pg_catalog.pg_database b ON b.datname = pg_catalog.current_database()
      JOIN pg_catalog.pg_roles o ON o.oid = CASE pg_catalog.pg_get_userbyid(s.nspowner) WHEN 'pg_database_owner' THEN b.datdba
        ELSE s.nspowner END
      WHERE s.oid = \(table).relnamespace AND NOT o.rolsuper AND o.rolname <> current_user
        AND NOT (pg_catalog.pg_has_role(o.oid, 'USAGE') AND EXISTS (
          SELECT FROM pg_catalog.pg_roles me WHERE me.rolname = current_user AND NOT me.rolsuper)))
    """
  }

  /// SQL: whose rights a table is read with; NULL: ours. The empty name: nobody's, as code of several owners is behind it.
  ///
  /// - Parameter table: the alias of a row of `pg_class`, in a query with `foreignCode`.
  package static func reader(of table: String) -> String {
    """
    CASE WHEN \(table).relkind = 'p' AND EXISTS (
        SELECT FROM pg_catalog.pg_partition_tree(\(table).oid) leaf JOIN pg_catalog.pg_class l ON l.oid = leaf.relid
        WHERE l.relowner <> \(table).relowner OR (pg_catalog.pg_get_userbyid(\(table).relowner) = current_user
          AND l.oid IN (SELECT relation FROM foreign_code))) THEN ''
      WHEN pg_catalog.pg_get_userbyid(\(table).relowner) <> current_user
        THEN pg_catalog.pg_get_userbyid(\(table).relowner)::pg_catalog.text
      WHEN \(table).oid IN (SELECT relation FROM foreign_code) OR \(canBeExchanged(table)) THEN '' END
    """
  }
}
