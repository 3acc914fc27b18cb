import Diagnostics
import Foundation
import PostgresTools

/// Keeps tables from being truncated or rewritten between a snapshot and pg_dump's own locks: neither keeps to snapshots, and a dump
/// that comes after it finds the table empty.
///
/// Nobody is to wait for these locks. All are taken at one moment or none, so that we hold none while we wait for another; and whoever
/// watches gives them back as soon as somebody waits for one. Then the look at the tables tells whether the dump is still right.
final class TableLocks: @unchecked Sendable {
  private let session: Session
  private let wait: Duration
  private let log: Log
  private let lock = NSLock()
  private var holds = false

  /// - Parameter wait: how long for tables that others have locked.
  init(_ session: Session, waitingAtMost wait: Duration, log: Log) {
    self.session = session
    self.wait = wait
    self.log = log
  }

  /// The session that has the locks; nil when it has none.
  var holder: Int? { lock.withLock { holds ? session.process : nil } }

  /// Takes a lock on every table that there is now.
  ///
  /// - Throws: `table_locked`, `tables_change`.
  func take() throws(Failure) {
    // Names of any bytes could not be sent back. Then the look has to do.
    guard try session.query("SHOW server_encoding").first?.first != "SQL_ASCII" else { return }
    let deadline = ContinuousClock.now + wait
    var awaited: String?
    repeat {
      let names = try tables()
      // Each try sees what is there now.
      try session.query("BEGIN ISOLATION LEVEL READ COMMITTED")
      do throws(Failure) {
        if let awaited { try waitFor(awaited, until: deadline) }
        if try takeAll(names) { return }
      } catch {
        release()
        throw error
      }
      release()
      awaited = try lockedTables().first
      // Nobody has one any more, or a table was dropped since it was listed.
      if awaited == nil { usleep(20_000) }
    } while ContinuousClock.now < deadline
    if let awaited { throw locked([awaited]) }
    throw Failure(
      "tables_change", exit: .failed, what: "backup of \(session.target.database)",
      why: "tables come and go while they are being locked", nextStep: "run it again when that is over")
  }

  /// Gives the locks back; once that is done, again is nothing.
  func release() {
    if session.isInTransaction { _ = session.attempt("ROLLBACK") }
    lock.withLock { holds = false }
  }

  /// Stands in the queue for one table, and holds no other meanwhile.
  private func waitFor(_ name: String, until deadline: ContinuousClock.Instant) throws(Failure) {
    let left = max(1, (deadline - ContinuousClock.now).milliseconds)
    try session.query("SELECT pg_catalog.set_config('lock_timeout', $1, true)", ["\(left)"])
    try session.query("SAVEPOINT awaited")
    guard case .failure(let error) = session.attempt(Self.lock([name]), [], .unlimited) else { return }
    if error.sqlState == "55P03" { throw locked([name]) }
    guard Self.isGone(error) else { throw error.failure }
    try session.query("ROLLBACK TO awaited")
  }

  /// - Returns: whether there is nothing more to do.
  private func takeAll(_ names: [String]) throws(Failure) -> Bool {
    guard !names.isEmpty else { return true }
    guard case .failure(let error) = session.attempt(Self.lock(names, or: " NOWAIT")) else {
      lock.withLock { holds = true }
      return true
    }
    switch error.sqlState {
    case "53200", "42501":
      // The server has no room for so many locks, or the role may only read. Then the look has to do.
      log.info("tables could not be locked before the dump: \(error.message)")
      release()
      return true
    case "55P03": return false
    default:
      guard Self.isGone(error) else { throw error.failure }
      return false
    }
  }

  private static func isGone(_ error: ServerError) -> Bool { ["42P01", "3F000"].contains(error.sqlState) }

  private static func lock(_ names: [String], or word: String = "") -> String {
    "LOCK TABLE " + names.map { "ONLY \($0)" }.joined(separator: ", ") + " IN ACCESS SHARE MODE" + word
  }

  private func tables() throws(Failure) -> [String] {
    try session.query(
      """
      SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE \(Self.isDumped) AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
        AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
      ORDER BY c.oid
      """
    ).compactMap { $0.first ?? nil }
  }

  private static let isDumped = """
    c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    """

  /// Tables that others have for themselves, or wait to have.
  private func lockedTables() throws(Failure) -> [String] {
    try session.query(
      """
      SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
      FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND \(Self.isDumped)
        AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
        AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
      GROUP BY 1 ORDER BY pg_catalog.bool_or(l.granted) DESC, 1
      """
    ).compactMap { $0.first ?? nil }
  }

  private func locked(_ names: [String]) -> Failure {
    .tableLocked(session.target.database, tables: names.joined(separator: ", "), wait: wait)
  }

  // MARK: The look

  /// Tables that are not any more what they were in the snapshot of a transaction: with other files, so that what was read of them may be
  /// nothing; or dropped, or under another name, so that another one may have been read.
  static func changed(since snapshot: Session) throws(Failure) -> [String] {
    try snapshot.query(
      """
      SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE \(isDumped)
        AND (c.relfilenode <> 0 AND c.relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid)
          -- As the server has it now, whatever the snapshot.
          OR c.oid::pg_catalog.regclass::text <> pg_catalog.format('%I.%I', n.nspname, c.relname))
      ORDER BY 1
      """
    ).compactMap { $0.first ?? nil }
  }
}

extension Failure {
  static func tableLocked(_ subject: String, tables: String, wait: Duration, details: [String] = []) -> Failure {
    Failure(
      "table_locked", exit: .failed, what: "backup of \(subject)",
      why: "another session holds a lock that the dump waited for, on (one of) \(tables)",
      nextStep: "the dump gave way after backup.lock_wait_timeout (\(wait.seconds.formatted()) s);"
        + " see pg_locks and pg_blocking_pids(), then run the same command again", details: details)
  }
}
