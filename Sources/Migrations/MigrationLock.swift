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
  /// - Parameters:
  ///   - seconds: how long to ask again while another session holds it.
  ///   - endsStrangers: ends sessions that hold it and can be no run of Holdfast's; told by `log`.
  /// - Throws: `locked`, naming the holder.
  package func take(
    _ session: Session, waiting seconds: Double, endsStrangers: Bool = false, log: Log = .silent,
    cancellation: Cancellation
  ) throws(Failure) {
    let start = Date()
    var wait = seconds
    while true {
      let taken = try session.query("SELECT pg_catalog.pg_try_advisory_lock(\(arguments))")
      if try Row(taken.first).flag(0) { return }
      if endsStrangers {
        let ended = try holders(session, isWaiting: true).endStrangers(session)
        for holder in ended { log.warning("ended \(holder.text): it held the \(what) and is no run of Holdfast's") }
        // One that comes back at once has ten seconds of it.
        if !ended.isEmpty { wait = max(wait, 10) }
      }
      guard Date().timeIntervalSince(start) < wait else { throw try held(session) }
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
  /// - Returns: its pid, name, role and age; nil when nobody has it.
  package func holder(_ session: Session) throws(Failure) -> String? { try holders(session).all(session).first?.text }

  /// - Parameter isWaiting: those that wait for it, too.
  private func holders(_ session: Session, isWaiting: Bool = false) -> LockHolders {
    LockHolders(
      where: """
        l.locktype = 'advisory' AND \(condition)\(isWaiting ? "" : " AND l.granted")
        AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
        """, of: session.target.database)
  }

  private func held(_ session: Session) throws(Failure) -> Failure {
    try holders(session).all(session).failure("\(what) of \(session.target.database)", lock: "it")
  }
}
