import Diagnostics
import PostgresTools

/// Keeps tables from being truncated or rewritten between a snapshot and pg_dump's own locks: neither keeps to snapshots, and a dump
/// that comes after it finds the table empty.
///
/// As soon as pg_dump has its own, these only take room in the server's lock table.
struct TableLocks: Sendable {
  private let session: Session
  private let wait: Duration
  private let log: Log

  /// Begins the transaction that keeps the locks; they go with it, or with the session.
  ///
  /// - Parameter wait: how long for each lock.
  init(_ session: Session, waitingAtMost wait: Duration, log: Log) throws(Failure) {
    self.session = session
    self.wait = wait
    self.log = log
    // Each listing has to see what is there now.
    try session.query("BEGIN ISOLATION LEVEL READ COMMITTED")
    try session.query("SELECT pg_catalog.set_config('lock_timeout', $1, true)", ["\(wait.milliseconds)"])
  }

  /// Takes a lock on every table that there is now, beside those that were taken before.
  ///
  /// - Throws: `table_locked`.
  func take() throws(Failure) {
    // Names of any bytes could not be sent back. Then the look at the end has to do.
    guard try session.query("SHOW server_encoding").first?.first != "SQL_ASCII" else { return }
    for _ in 0..<5 {
      let names = try tables()
      guard !names.isEmpty else { return }
      try session.query("SAVEPOINT before")
      guard case .failure(let error) = session.attempt(Self.lock(names)) else { return }
      try session.query("ROLLBACK TO before")
      switch error.sqlState {
      // Dropped since it was listed.
      case "42P01", "3F000": continue
      case "55P03": throw locked(try holdUp(names))
      case "53200", "42501":
        // The server has no room for so many locks, or the role may only read. Then the look at the end has to do.
        log.info("tables could not be locked before the dump: \(error.message)")
        return
      default: throw error.failure
      }
    }
    throw Failure(
      "tables_change", exit: .failed, what: "backup of \(session.target.database)",
      why: "tables come and go while they are being listed", nextStep: "run it again when that is over")
  }

  /// Gives the locks back; once that is done, again is nothing.
  func release() { if session.isInTransaction { _ = session.attempt("ROLLBACK") } }

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

  /// The tables that a lock is not to be had on just now.
  private func holdUp(_ names: [String]) throws(Failure) -> [String] {
    var found: [String] = []
    for name in names {
      try session.query("SAVEPOINT one")
      if case .failure = session.attempt(Self.lock([name], or: " NOWAIT")) { found.append(name) }
      try session.query("ROLLBACK TO one")
    }
    return found
  }

  private func locked(_ names: [String]) -> Failure {
    let named = names.isEmpty ? "a table that is free again" : names.prefix(5).joined(separator: ", ")
    return .tableLocked(session.target.database, tables: named, wait: wait)
  }

  // MARK: The look at the end

  /// Tables that have other files by now than in the snapshot of a transaction: what was read of them may be nothing.
  static func rewritten(since snapshot: Session) throws(Failure) -> [String] {
    try snapshot.query(
      """
      SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE \(isDumped) AND c.relfilenode <> 0 AND c.relfilenode <> pg_catalog.pg_relation_filenode(c.oid)
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
