import BackupModel
import Diagnostics
import Foundation
import PostgresTools

/// Exchanges databases by their names, in one transaction, behind a fence.
///
/// At no instant is the live name missing: whoever connects finds the old database, the fence's refusal, or the new one.
struct DatabaseSwap {
  /// On a maintenance database.
  let session: Session
  let cancellation: Cancellation

  func exists(_ name: String) throws(Failure) -> Bool {
    try !session.query("SELECT FROM pg_catalog.pg_database WHERE datname = $1", [name]).isEmpty
  }

  /// Nil: there is no such database.
  func oid(of name: String) throws(Failure) -> String? {
    try session.query("SELECT oid FROM pg_catalog.pg_database WHERE datname = $1", [name]).first?.first ?? nil
  }

  /// Nil: there is no such database any more.
  func name(ofOID oid: String) throws(Failure) -> String? {
    try session.query(
      "SELECT datname FROM pg_catalog.pg_database WHERE oid = $1::pg_catalog.oid AND NOT datistemplate", [oid]
    ).first?.first ?? nil
  }

  /// `app__before_3f9a7c`, or with a number behind it where that is taken.
  func freeName(_ base: String, _ ending: String) throws(Failure) -> String {
    for number in 1...99 {
      let name = databaseName(base, number == 1 ? ending : "\(ending)_\(number)")
      if try !exists(name) { return name }
    }
    throw .internalError("a hundred databases named \(base)\(ending) exist")
  }

  /// One exchange of a name at a time, on every machine, for as long as the session lives. What a killed run had begun on the server
  /// comes to its end before its lock goes. Sessions that hold it and can be no run of Holdfast's are ended.
  ///
  /// - Throws: `locked`.
  func takeTurn(of name: String, log: Log = .silent) throws(Failure) {
    let deadline = Date(timeIntervalSinceNow: 10)
    while true {
      if try tryTurn(of: name) { return }
      for holder in try holders(of: name).endStrangers(session) {
        log.warning("ended \(holder.text): it held the lock of rollbacks of \(name) and is no run of Holdfast's")
      }
      guard Date() < deadline else { break }
      try cancellation.check()
      // Two that see each other and step back are not to meet again.
      usleep(.random(in: 30_000...120_000))
    }
    throw try holders(of: name).all(session).failure("rollback of \(name)", lock: "the lock of its rollbacks")
  }

  private func holders(of name: String) -> LockHolders {
    LockHolders(
      where: """
        l.locktype = 'advisory' AND l.classid = \(Self.lockClass) AND l.objsubid = 2 AND l.objid::bigint = pg_catalog.hashtext($1)::bigint & 4294967295
        """, of: name)
  }

  /// A lock is one of a database, and another run may have another maintenance database than this one: who has the same lock
  /// anywhere has the turn.
  private func tryTurn(of name: String) throws(Failure) -> Bool {
    let taken = try session.query(
      "SELECT pg_catalog.pg_try_advisory_lock(\(Self.lockClass), pg_catalog.hashtext($1))", [name])
    guard try Row(taken.first).flag(0) else { return false }
    let others = try session.query(
      """
      SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_catalog.pg_backend_pid()
        AND classid = \(Self.lockClass) AND objsubid = 2
        AND objid::bigint = pg_catalog.hashtext($1)::bigint & 4294967295
      """, [name])
    if others.isEmpty { return true }
    try session.query(
      "SELECT pg_catalog.pg_advisory_unlock(\(Self.lockClass), pg_catalog.hashtext($1))", [name])
    return false
  }

  /// Class of the advisory locks of names that are being exchanged ("swap").
  private static let lockClass: Int32 = 0x7377_6170

  /// Sessions on a database, by application.
  func sessions(on name: String) throws(Failure) -> [(application: String, count: Int)] {
    try session.query(
      """
      SELECT coalesce(nullif(application_name, ''), 'unnamed'), pg_catalog.count(*) FROM pg_catalog.pg_stat_activity
      WHERE datname = $1 AND \(Self.isClient)
        AND application_name NOT LIKE 'holdfast%'
      GROUP BY 1 ORDER BY 2 DESC, 1
      """, [name]
    ).map { (values) throws(Failure) in
      let row = try Row(values)
      return (try row.text(0), Int(try row.text(1)) ?? 0)
    }
  }

  /// Of other roles' sessions the kind is hidden from all but superusers; what has no role is the server's own.
  static let isClient = "usesysid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'"

  /// Whether nobody is connected, not even ourselves.
  func isDeserted(_ name: String) throws(Failure) -> Bool {
    try session.query(
      """
      SELECT FROM pg_catalog.pg_stat_activity
      WHERE datname = $1 AND \(Self.isClient)
      """, [name]
    ).isEmpty
  }

  /// What would stand in the way of a rename, or stay behind with the old database.
  func obstacles(_ name: String) throws(Failure) -> (blocking: [String], staying: [String]) {
    let prepared = try texts(
      "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = $1 ORDER BY 1", name)
    let slots = try texts(
      "SELECT slot_name FROM pg_catalog.pg_replication_slots WHERE database = $1 ORDER BY 1", name)
    let subscriptions = try texts(
      """
      SELECT subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
      WHERE d.datname = $1 ORDER BY 1
      """, name)
    return (
      prepared.map { "prepared transaction \($0)" },
      slots.map { "replication slot \($0)" } + subscriptions.map { "subscription \($0)" }
    )
  }

  /// - Throws: `swap_blocked`.
  func refuseBlocked(_ name: String) throws(Failure) {
    let blocking = try obstacles(name).blocking
    guard let first = blocking.first else { return }
    throw Failure(
      "swap_blocked", exit: .failed, what: "rollback of \(name)",
      why: "\(first) keeps the database from being renamed", nextStep: "COMMIT PREPARED or ROLLBACK PREPARED it first",
      details: Array(blocking.dropFirst()))
  }

  private func texts(_ sql: String, _ name: String) throws(Failure) -> [String] {
    // A role that may not read a catalog is told nothing of it.
    guard case .success(let rows) = session.attempt(sql, [name]) else { return [] }
    return rows.compactMap { $0.first ?? nil }
  }

  /// Lets clients in again. Who has a lock on the database by then may keep it for a while: this is tried longer than anything else.
  func openFence(_ name: String) throws(Failure) {
    for attempt in 1... {
      do throws(Failure) {
        return try alter("ALTER DATABASE \(quoteIdentifier(name)) ALLOW_CONNECTIONS true", of: name)
      } catch {
        guard error.code == Self.lockedCode, attempt < Self.attemptsToOpen else { throw error }
      }
    }
  }

  private static let attemptsToOpen = 12

  /// Changes a database. The session gives up after some seconds when another has a lock on it.
  ///
  /// - Throws: `database_locked`.
  func alter(_ statement: String, of name: String) throws(Failure) {
    let outcome = DatabaseLocks.attempt(on: [name], session) { session.attempt(statement) }
    guard case .failure(let error) = outcome else { return }
    throw error.sqlState == "55P03" ? databaseLocked(name) : error.failure
  }

  private static let lockedCode = "database_locked"

  /// Who has changed a database, in a transaction that is still open, keeps everybody else from it.
  func databaseLocked(_ name: String) -> Failure {
    let holders = session.attempt(
      """
      SELECT DISTINCT a.pid, coalesce(nullif(a.application_name, ''), 'unnamed')
      FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
      WHERE l.granted AND l.pid <> pg_catalog.pg_backend_pid()
        AND (l.relation = 'pg_catalog.pg_database'::pg_catalog.regclass AND l.mode <> 'AccessShareLock'
          OR l.locktype = 'object' AND l.classid = 'pg_catalog.pg_database'::pg_catalog.regclass
            AND l.objid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = $1))
      ORDER BY 1
      """, [name])
    var named: [String] = []
    if case .success(let rows) = holders {
      named = rows.map { "pid \($0.first.flatMap { $0 } ?? "?") (\($0.last.flatMap { $0 } ?? "unnamed"))" }
    }
    return Failure(
      Self.lockedCode, exit: .failed, what: "swap of \(name)",
      why: "another session has changed something of the database, in a transaction that is still open"
        + (named.isEmpty ? "" : ": \(named.joined(separator: ", "))"),
      nextStep: "end that transaction (pg_terminate_backend ends its session)")
  }
}
