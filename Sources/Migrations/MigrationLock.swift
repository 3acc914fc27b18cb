import Diagnostics
import Foundation
import PostgresTools

/// A session advisory lock of a database.
package struct AdvisoryLock: Sendable {
  private let arguments: String
  private let condition: String
  private let what: String

  /// Prisma's own: whoever holds it is applying or resolving migrations.
  package static let prisma = AdvisoryLock(
    arguments: "72707369", condition: "classid = 0 AND objid = 72707369 AND objsubid = 1", what: "migration lock")
  /// Holdfast's: one deploy or rollback of a database at a time.
  package static let deploy = AdvisoryLock(
    arguments: "1751084132, 1", condition: "classid = 1751084132 AND objid = 1 AND objsubid = 2", what: "deploy lock")

  /// Takes the lock for the rest of the session.
  ///
  /// - Parameter seconds: how long to ask again while another session holds it.
  /// - Throws: `locked`, naming the holder.
  package func take(
    _ session: Session, waiting seconds: Double, cancellation: Cancellation
  ) throws(Failure) {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while true {
      let taken = try session.query("SELECT pg_catalog.pg_try_advisory_lock(\(arguments))")
      if try Row(taken.first).flag(0) { return }
      guard Date() < deadline else { throw try held(session) }
      try cancellation.check()
      usleep(100_000)
    }
  }

  /// Takes the lock together with others that share it.
  ///
  /// - Throws: `locked`, when a session holds it for itself.
  package func share(_ session: Session) throws(Failure) {
    let taken = try session.query("SELECT pg_catalog.pg_try_advisory_lock_shared(\(arguments))")
    guard try Row(taken.first).flag(0) else { throw try held(session) }
  }

  package func release(_ session: Session) throws(Failure) {
    try session.query("SELECT pg_catalog.pg_advisory_unlock(\(arguments))")
  }

  /// Who has the lock of the session's database.
  ///
  /// - Returns: its pid, name and age; nil when nobody has it.
  package func holder(_ session: Session) throws(Failure) -> String? {
    let holders = try session.query(
      """
      SELECT a.pid, coalesce(nullif(a.application_name, ''), 'unnamed'),
        ', connected for ' || extract(epoch FROM pg_catalog.clock_timestamp() - a.backend_start)::bigint || ' s'
      FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
      WHERE l.locktype = 'advisory' AND l.granted AND \(condition)
        AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
      """)
    return try holders.first.map { (values) throws(Failure) in
      let row = try Row(values)
      // An ordinary role does not see since when another one's session is there.
      return "pid \(try row.text(0)) (\(try row.text(1)))\(row[2] ?? "")"
    }
  }

  private func held(_ session: Session) throws(Failure) -> Failure {
    Failure(
      "locked", exit: .locked, what: "\(what) of \(session.target.database)",
      why: "another session holds it: \(try holder(session) ?? "it has just let go")",
      nextStep: "wait until it has ended, then run the same command again")
  }
}
