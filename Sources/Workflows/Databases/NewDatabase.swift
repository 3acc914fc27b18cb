import BackupModel
import Diagnostics
import Foundation
import PostgresTools

/// A database being made: it has a name of its own until it is whole, so that nobody takes a half one for the whole.
///
/// While it is being made its maker holds an advisory lock in the maintenance database; a database with our mark whose lock
/// is free was left by a killed run and may go, where its record (`isUnfinished`) says so. The mark is a comment for people; but the server
/// finishes a CREATE DATABASE whose client was killed, and no comment follows then. So the connection limit, which CREATE DATABASE itself sets,
/// is a mark too.
struct NewDatabase {
  /// The name until it is whole.
  let temporaryName: String
  private let finalName: String
  private let properties: DatabaseProperties
  private let session: Session

  static let mark = DatabaseProperties.unfinishedComment
  static let lockClass = DatabaseProperties.unfinishedLimit
  private static let infix = "__restore_"

  /// Creates an empty database with everything that only its creation can give it.
  ///
  /// - Parameters:
  ///   - session: on a maintenance database; kept for the object's life.
  ///   - suffix: makes the temporary name unique.
  /// - Throws: `database_exists`, `server_error`.
  init(
    _ finalName: String, like properties: DatabaseProperties, suffix: String, session: Session
  ) throws(Failure) {
    try Self.refuseExisting(finalName, session)
    try self.init(
      finalName, temporaryName: Self.name(finalName, suffix: suffix), like: properties, session: session)
  }

  static func name(_ finalName: String, suffix: String) -> String { databaseName(finalName, infix + suffix) }

  /// The same beside a live database of that name.
  init(
    _ finalName: String, temporaryName: String, like properties: DatabaseProperties, session: Session
  ) throws(Failure) {
    self.finalName = finalName
    self.properties = properties.withoutMarks
    self.session = session
    self.temporaryName = temporaryName
    try takeName()
    step("create the database")
    let create = properties.createStatement(
      name: SQLFragment(identifier: temporaryName), major: session.serverVersion / 10_000)
    // A superuser's until it is whole: its owner could come in, and have what we run next run something else. For anybody else it is its
    // owner's from the start: who owns objects in the schema public may do so only as long as the database is theirs.
    let superuser =
      try session.query(
        "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper"
      ).first?.first ?? nil
    try session.query(
      "\(create) OWNER \(quoteIdentifier(superuser ?? properties.owner))\(Self.limitMark)", [], .unlimited)
    try mark()
    // Whoever discovers databases would sit on it when it is to be renamed. Superusers still come in.
    try session.query("REVOKE CONNECT ON DATABASE \(quoteIdentifier(temporaryName)) FROM PUBLIC")
    // Checks and materialized views may depend on them. One that cannot be set yet is set, or refused, in the end.
    for statement in properties.contentSettings(name: SQLFragment(identifier: temporaryName)) {
      _ = session.attempt(statement)
    }
  }

  /// A copy of a live database, made by the one session that is left on it. Nobody can connect to the copy.
  ///
  /// - Throws: `clone_failed`.
  init(
    _ finalName: String, temporaryName: String, cloning live: Session, like properties: DatabaseProperties,
    session: Session
  ) throws(Failure) {
    self.finalName = finalName
    self.properties = properties.withoutMarks
    self.session = session
    self.temporaryName = temporaryName
    try takeName()
    step("create the database")
    // Copying files writes no log for them, which matters for anything large.
    let strategy = live.serverVersion >= 150_000 ? " STRATEGY file_copy" : ""
    let create = "CREATE DATABASE \(quoteIdentifier(temporaryName)) TEMPLATE \(quoteIdentifier(finalName))\(strategy)"
    if case .failure(let error) = live.attempt(
      "\(create)\(Self.limitMark) ALLOW_CONNECTIONS false", [], .unlimited)
    {
      throw Failure(
        "clone_failed", exit: .failed, what: "copy of \(finalName)", why: error.message,
        nextStep: "a copy needs the database's owner or a superuser, and everybody else off it: end those sessions, "
          + "or what starts them; or, where the way back was tried, write standby_copy: restored",
        details: [error.detail].compactMap { $0 } + (try others(on: live)))
    }
    try mark()
  }

  /// Who else is on a database, a line each.
  private func others(on live: Session) throws(Failure) -> [String] {
    try live.query(
      """
      SELECT coalesce(nullif(application_name, ''), backend_type, 'a session') || ' of ' || coalesce(usename, '?')
        || ', pid ' || pid
      FROM pg_catalog.pg_stat_activity WHERE datid = (
        SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
        AND pid <> pg_catalog.pg_backend_pid() ORDER BY pid LIMIT 5
      """
    ).compactMap { $0.first ?? nil }
  }

  private static let limitMark = " CONNECTION LIMIT \(lockClass)"

  private func takeName() throws(Failure) {
    let lock = try session.query(
      "SELECT pg_catalog.pg_try_advisory_lock(\(Self.lockClass), pg_catalog.hashtext($1))", [temporaryName])
    guard try !Row(lock.first).flag(0) else { return }
    let holders = LockHolders(
      where:
        "l.locktype = 'advisory' AND l.classid = \(Self.lockClass) AND l.objsubid = 2 AND l.objid::bigint = pg_catalog.hashtext($2)::bigint & 4294967295",
      [temporaryName], of: finalName)
    throw try holders.all(session).failure("database \(temporaryName)", lock: "the lock of that name")
  }

  private func mark() throws(Failure) {
    step("mark the database")
    try session.query(Self.recordStatement(temporaryName, isMaking: true))
    try session.query("COMMENT ON DATABASE \(quoteIdentifier(temporaryName)) IS \(quoteLiteral(Self.mark))")
  }

  /// - Throws: `bad_database_name`, `database_exists`.
  static func refuseExisting(_ name: String, _ session: Session) throws(Failure) {
    guard !name.isEmpty, name.utf8.count <= 63,
      !name.unicodeScalars.contains(where: { ["\0", "\u{FFFD}"].contains($0) })
    else {
      throw Failure(
        "bad_database_name", exit: .usage, what: "database \"\(name)\"",
        why: "a database's name has 1 to 63 bytes, in UTF-8", nextStep: "choose another name for --into")
    }
    if try isTaken(name, session) { throw exists(name) }
  }

  private static func isTaken(_ name: String, _ session: Session) throws(Failure) -> Bool {
    try !session.query("SELECT FROM pg_catalog.pg_database WHERE datname = $1", [name]).isEmpty
  }

  private static func exists(_ name: String) -> Failure {
    Failure(
      "database_exists", exit: .cannotWrite, what: "restore into \(name)", why: "the database exists already",
      nextStep: "choose a new name for --into; an existing database is never restored into")
  }

  /// Gives the database its owner, privileges, settings and comment, and its name: in one transaction. Who has come in meanwhile is put out.
  ///
  /// - Throws: `database_exists` when somebody else took the name meanwhile; `not_renamed` when somebody on it cannot be ended: then the
  ///   database is whole, and stays; `server_error`.
  func publish(_ cancellation: Cancellation) throws(Failure) {
    let swap = DatabaseSwap(session: session, cancellation: cancellation)
    for _ in 0..<Self.attempts {
      step("publish the database")
      do throws(Failure) { try swap.shut(temporaryName) } catch {
        guard ["fence_failed", "database_locked"].contains(error.code) else { throw error }
        throw try keptUnderItsName(because: error)
      }
      do throws(Failure) { if try giveName() { return } } catch {
        guard error.server?.sqlState == "55P03" else { throw error }
        // Who has it locked is ended; one that may not be keeps it from its name, and no more.
        guard DatabaseLocks.endStrangers(on: [temporaryName], session) else {
          throw try keptUnderItsName(because: swap.databaseLocked(temporaryName))
        }
      }
    }
    throw try keptUnderItsName(because: Failure.internalError("somebody connects to it again and again"))
  }

  private static let attempts = 4
  static let notRenamed = "not_renamed"

  /// - Returns: false when somebody was past the fence as it closed.
  private func giveName() throws(Failure) -> Bool {
    do throws(Failure) {
      try session.query("BEGIN")
      try giveProperties()
      let rename = "ALTER DATABASE \(quoteIdentifier(temporaryName)) RENAME TO \(quoteIdentifier(finalName))"
      if case .failure(let error) = session.attempt(rename) {
        if error.sqlState == "55006" {
          try session.query("ROLLBACK")
          return false
        }
        // Another run has taken the name meanwhile, or took it at the very moment.
        throw ["42P04", "23505"].contains(error.sqlState) ? Self.exists(finalName) : error.failure
      }
      try session.query("ALTER DATABASE \(quoteIdentifier(finalName)) ALLOW_CONNECTIONS true")
      step("commit the database")
      try session.query("COMMIT")
    } catch {
      _ = session.attempt("ROLLBACK")
      throw error
    }
    step("published the database")
    return true
  }

  /// What was restored, and proven, is not thrown away for its name.
  private func keptUnderItsName(because cause: Failure) throws(Failure) -> Failure {
    try session.query("BEGIN")
    do throws(Failure) {
      try giveProperties()
      try session.query("ALTER DATABASE \(quoteIdentifier(temporaryName)) ALLOW_CONNECTIONS true")
      try session.query("COMMIT")
    } catch {
      _ = session.attempt("ROLLBACK")
      guard error.server?.sqlState == "55P03" else { throw error }
      return Failure(
        Self.notRenamed, exit: .failed, what: "restore into \(finalName)",
        why: "the database is restored whole, as \(temporaryName), but cannot be renamed: \(cause.why)",
        nextStep:
          "end that transaction, then: ALTER DATABASE \(quoteIdentifier(temporaryName)) ALLOW_CONNECTIONS true, "
          + "and RENAME TO \(quoteIdentifier(finalName)); the next restore drops what still has the temporary name")
    }
    return Failure(
      Self.notRenamed, exit: .failed, what: "restore into \(finalName)",
      why: "the database is restored whole, as \(temporaryName), but cannot be renamed: \(cause.why)",
      nextStep: "when nobody is connected to it: ALTER DATABASE \(quoteIdentifier(temporaryName)) RENAME TO "
        + quoteIdentifier(finalName))
  }

  /// The same without the name: the database is whole and no longer swept, and waits to be swapped in.
  func giveProperties() throws(Failure) {
    let temporary = SQLFragment(identifier: temporaryName)
    try session.query(Self.recordStatement(temporaryName, isMaking: false))
    if properties.comment == nil { try session.query("COMMENT ON DATABASE \(temporary.text) IS NULL") }
    if properties.connectionLimit == -1 { try session.query("ALTER DATABASE \(temporary.text) CONNECTION LIMIT -1") }
    let opening = properties.privileges == nil ? ["GRANT CONNECT ON DATABASE \(temporary.text) TO PUBLIC"] : []
    for statement in properties.statements(name: temporary) + opening {
      try DatabaseLocks.give(statement, to: temporaryName, session)
    }
  }

  /// Ends whoever still makes a database under a name: the server goes on with the CREATE DATABASE of a client that was killed, and
  /// begins one that it has received. The session of such a client has the name's lock until then.
  static func endMaking(of name: String, session: Session) throws(Failure) {
    for _ in 0..<200 {
      let makers = try session.query(
        """
        SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity a
        WHERE pid <> pg_catalog.pg_backend_pid() AND (
          (state = 'active' AND pg_catalog.strpos(query, $1) = 1) OR (usename = session_user AND EXISTS (
            SELECT FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.classid = \(lockClass)
              AND l.database = a.datid AND a.datname = pg_catalog.current_database()
              AND l.objid::bigint = pg_catalog.hashtext($2)::bigint & 4294967295)))
        """, ["CREATE DATABASE \(quoteIdentifier(name)) ", name])
      if makers.isEmpty { return }
      usleep(50_000)
    }
  }

  /// Drops what was made. Takes its own session, since the run's may be cancelled.
  ///
  /// - Returns: whether there was anything.
  @discardableResult
  static func drop(_ name: String, session: Session) throws(Failure) -> Bool {
    guard try isTaken(name, session) else { return false }
    let database = quoteIdentifier(name)
    step("drop the database")
    let drop = "DROP DATABASE IF EXISTS \(database) WITH (FORCE)"
    let outcome = DatabaseLocks.attempt(on: [name], session) { session.attempt(drop, [], .unlimited) }
    guard case .failure(let error) = outcome else { return true }
    // FORCE asks for the right to end each session, autovacuum's workers too; without it the server ends those by itself.
    if error.sqlState == "42501", case .success = session.attempt("DROP DATABASE IF EXISTS \(database)", [], .unlimited)
    {
      return true
    }
    // A template, or one with restored subscriptions, cannot be dropped as it is.
    guard ["55006", "42809"].contains(error.sqlState) else { throw error.failure }
    _ = session.attempt("ALTER DATABASE \(database) IS_TEMPLATE false ALLOW_CONNECTIONS true")
    try dropSubscriptions(session.target.database(name))
    try session.query(drop, [], .unlimited)
    return true
  }

  /// Drops what was made after a failure, by a session of its own: the run's may be cancelled or dead.
  ///
  /// - Returns: the failure, with what became of the database.
  static func dropped(
    _ name: String, of target: ConnectionTarget, after cause: Failure, log: Log
  ) -> Failure {
    var failure = cause
    do throws(Failure) {
      let session = try Connector(cancellation: Cancellation(), log: log).maintenanceSession(of: target)
      if try drop(name, session: session) { failure.details.append("The half-made database was dropped.") }
    } catch {
      failure.details.append(
        "The half-made database \(name) could not be dropped (\(error.why)); the next restore does it.")
    }
    return failure
  }

  /// Those of a restored database were never connected to anything.
  private static func dropSubscriptions(_ target: ConnectionTarget) throws(Failure) {
    let session = try Connector(cancellation: Cancellation(), log: .silent).connect(target, purpose: "restore")
    let names = try session.query(
      """
      SELECT pg_catalog.quote_ident(subname) FROM pg_catalog.pg_subscription s
      JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database()
      """
    ).compactMap { $0.first ?? nil }
    for name in names {
      for end in ["DISABLE", "SET (slot_name = NONE)"] { try session.query("ALTER SUBSCRIPTION \(name) \(end)") }
      try session.query("DROP SUBSCRIPTION \(name)")
    }
  }
}
