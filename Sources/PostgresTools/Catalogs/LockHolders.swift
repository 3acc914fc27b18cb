import BackupModel
import Diagnostics

/// Who has a lock that Holdfast wants. Any role that may connect can take some, whatever it may do besides.
package struct LockHolders: Sendable {
  /// One session.
  package struct Holder: Sendable, Equatable {
    package let process: String
    /// Not the server's own, and of a role that could do nothing of what Holdfast does with that database: it is neither a superuser nor a
    /// member of the owner, nor the role of this run; nor one for backups, which share the lock.
    package let isStranger: Bool
    /// `pid 4711 (psql), role "app", connected for 12 s`
    package let text: String
  }

  private let condition: String
  private let parameters: [String?]
  private let database: String

  /// - Parameters:
  ///   - condition: on `pg_locks`, called `l`; may use parameters from `$2` on.
  ///   - database: that the lock is about.
  package init(where condition: String, _ parameters: [String?] = [], of database: String) {
    self.condition = condition
    self.parameters = parameters
    self.database = database
  }

  /// - Parameter session: it is not among them.
  package func all(_ session: Session) throws(Failure) -> [Holder] {
    try session.query(
      """
      SELECT DISTINCT l.pid, coalesce(nullif(a.application_name, ''), 'unnamed'), coalesce(a.usename, 'unknown'),
        extract(epoch FROM pg_catalog.clock_timestamp() - a.backend_start)::bigint,
        r.oid IS NOT NULL AND NOT r.rolsuper AND r.rolname <> session_user
          AND NOT (l.mode = 'ShareLock' AND pg_catalog.pg_has_role(r.oid, 'pg_read_all_data', 'USAGE'))
          AND CASE WHEN d.oid IS NULL THEN NOT r.rolcreatedb ELSE NOT pg_catalog.pg_has_role(r.oid, d.datdba, 'USAGE') END
      FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
        LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid LEFT JOIN pg_catalog.pg_database d ON d.datname = $1
      WHERE l.pid <> pg_catalog.pg_backend_pid() AND \(condition) ORDER BY 1
      """, [database] + parameters
    ).map { (values) throws(Failure) in
      let row = try Row(values)
      let process = try row.text(0)
      // An ordinary role does not see since when another one's session is there.
      let age = row[3].map { ", connected for \($0) s" } ?? ""
      return Holder(
        process: process, isStranger: try row.flag(4),
        text: "pid \(process) (\(try row.text(1))), role \(quoteIdentifier(try row.text(2)))\(age)")
    }
  }

  /// Ends the sessions of strangers that have the lock or wait for it.
  ///
  /// - Returns: those that were told to end. One that this role may not end stays.
  package func endStrangers(_ session: Session) throws(Failure) -> [Holder] {
    try all(session).filter { holder in
      guard holder.isStranger else { return false }
      let outcome = session.attempt("SELECT pg_catalog.pg_terminate_backend($1::int)", [holder.process])
      guard case .success(let rows) = outcome else { return false }
      return rows.first?.first == "t"
    }
  }
}

extension [LockHolders.Holder] {
  /// `locked`: who has the lock, and the way out.
  package func failure(_ what: String, lock: String) -> Failure {
    Failure(
      "locked", exit: .locked, what: what,
      why: "another session holds \(lock)" + (first.map { ": \($0.text)" } ?? "; it has just let go"),
      nextStep: "wait until it has ended, then run the same command again"
        + (first.map { "; where it is none of Holdfast's: SELECT pg_terminate_backend(\($0.process))" } ?? ""),
      details: dropFirst().map(\.text))
  }
}
