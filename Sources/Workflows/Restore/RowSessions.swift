import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// Sessions that load the rows of a restored database. Checks, domains, generated columns and partition keys call functions there, with the
/// rights of whoever is logged in.
struct RowSessions: Sendable {
  /// Of the policy's role.
  let ours: SessionPool
  /// With `trust_owner: false`, where the policy's role is a superuser.
  let logins: OwnerLogins?

  /// A session that loads a table.
  struct Loan {
    let session: Session
    fileprivate let pool: SessionPool
  }

  func take(for table: CopyTarget) throws(Failure) -> Loan {
    let pool = try pool(for: table)
    return Loan(session: try pool.take(), pool: pool)
  }

  func give(back loan: Loan) { loan.pool.give(back: loan.session) }

  func with<Result>(
    _ table: CopyTarget, _ body: (Session) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let loan = try take(for: table)
    let result = try body(loan.session)
    give(back: loan)
    return result
  }

  private func pool(for table: CopyTarget) throws(Failure) -> SessionPool {
    guard let logins, let owner = try ours.with({ (session) throws(Failure) in try RowLoad.owner(of: table, session) })
    else { return ours }
    return try logins.pool(of: owner)
  }

  /// What an owner may not do, once all that a restore gives was given, is no fault of the rows.
  ///
  /// - Throws: `owner_not_fenced`.
  func refuse(_ failures: [Failure]) throws(Failure) {
    guard logins != nil, let failure = failures.first(where: { $0.server?.sqlState == "42501" }) else { return }
    throw OwnerLogins.notFenced(failure.why)
  }

  /// Runs a restore, and takes the logins away that it needed.
  func ending<Result>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    guard let logins else { return try body() }
    defer { logins.end() }
    return try body()
  }
}

/// Logins without any rights but those of one owner of tables each, for a restore that does not trust them.
///
/// SET ROLE in a session of ours would not do: whoever is logged in as a superuser is one after RESET ROLE, and deferred triggers and
/// cursors of theirs run at the commit, outside of every function. So the server has to know nobody but the owner: a role is made that is a
/// member of the owner's alone, it logs in with a random password, and is dropped with the restore.
final class OwnerLogins: @unchecked Sendable {
  private let target: ConnectionTarget
  private let settings: String
  private let surroundings: Surroundings
  private let lock = NSLock()
  // Guarded by `lock`.
  private var pools: [(owner: String, pool: SessionPool)] = []
  private var logins: [String: (role: String, password: Secret)] = [:]
  /// Has a lock for each role as long as it may be used.
  private var keeper: Session?

  /// - Parameters:
  ///   - target: the new database, as the policy's role.
  ///   - settings: SQL that each session begins with.
  init(_ target: ConnectionTarget, settings: String, surroundings: Surroundings) {
    self.target = target
    self.settings = settings
    self.surroundings = surroundings
  }

  /// - Throws: `owner_not_fenced` where the server does not let such a role in.
  func pool(of owner: String) throws(Failure) -> SessionPool {
    lock.lock()
    defer { lock.unlock() }
    if let known = pools.first(where: { $0.owner == owner }) { return known.pool }
    do throws(Failure) {
      let pool = try connect(owner)
      // Each keeps its sessions, which the server has not many of.
      pools = pools.suffix(Self.mostPools - 1) + [(owner, pool)]
      return pool
    } catch {
      try surroundings.cancellation.check()
      // Of the server, not of the login.
      guard [.noPermission, .failed].contains(error.exit) else { throw error }
      throw Self.notFenced(
        "a role with the rights of \(quoteIdentifier(owner)) alone cannot log in: \(error.why)",
        "let roles named \(Self.beginning)* in by pg_hba.conf with a password; or \(Self.remedy)")
    }
  }

  private static let mostPools = 4

  static func notFenced(_ why: String, _ nextStep: String = remedy) -> Failure {
    Failure(
      "owner_not_fenced", exit: .noPermission, what: "loading rows without trust in their owner",
      why: "trust_owner is false: \(why)", nextStep: nextStep)
  }

  private static let remedy = "restore with a role that is no superuser (docs/roles.md); or trust_owner: true"

  private func connect(_ owner: String) throws(Failure) -> SessionPool {
    if logins[owner] == nil {
      let session = if let keeper { keeper } else { try surroundings.connector.connect(target, purpose: "restore") }
      if keeper == nil { try sweep(session) }
      keeper = session
      try make(owner, session)
    }
    guard let known = logins[owner] else { throw .internalError("no login was made") }
    var login = target
    login.parameters["user"] = known.role
    login.password = known.password
    for name in ["passfile", "sslcert", "sslkey"] { login.parameters[name] = nil }
    let pool = SessionPool(
      surroundings.connector, login, purpose: "restore",
      settings: settings + "SET ROLE \(quoteIdentifier(owner));")
    pool.give(back: try pool.take())
    return pool
  }

  private static let beginning = "holdfast_load_"
  /// A name alone decides nothing; only who administers roles may comment on them.
  private static let mark = "holdfast: loads rows, safe to drop"
  /// "hlog": of the lock of a role's name.
  private static let lockClass = 0x686c_6f67

  /// The statement may come into the server's log: what it holds of the password is a verifier.
  private func make(_ owner: String, _ session: Session) throws(Failure) {
    let role = Self.beginning + String(UInt64.random(in: 0x1000_0000_0000_0000...UInt64.max), radix: 16)
    let password = Self.randomPassword()
    let verifier = try session.encrypted(password, of: role)
    try session.query("SELECT pg_catalog.pg_advisory_lock(\(Self.lockClass), pg_catalog.hashtext($1))", [role])
    try session.query(
      """
      CREATE ROLE \(quoteIdentifier(role)) LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
        PASSWORD \(quoteLiteral(verifier)) IN ROLE \(quoteIdentifier(owner));
      COMMENT ON ROLE \(quoteIdentifier(role)) IS \(quoteLiteral(Self.mark))
      """)
    logins[owner] = (role, password)
    // It is closed to PUBLIC as long as it is being filled.
    try session.query("GRANT CONNECT ON DATABASE \(quoteIdentifier(target.database)) TO \(quoteIdentifier(role))")
  }

  private static func randomPassword() -> Secret {
    var generator = SystemRandomNumberGenerator()
    return Secret((0..<4).map { _ in String(generator.next() as UInt64, radix: 16) }.joined())
  }

  /// Drops the roles. Their sessions have ended with their pools.
  func end() {
    lock.lock()
    defer { lock.unlock() }
    pools = []
    guard !logins.isEmpty else { return }
    defer { keeper = nil }
    let connector = Connector(cancellation: Cancellation(), log: surroundings.log)
    do throws(Failure) {
      let session = try connector.connect(target, purpose: "restore")
      // No event trigger sees what is done here.
      try session.query("SET session_replication_role = replica")
      drop(logins.values.map(\.role), session)
    } catch {
      let names = logins.values.map(\.role).sorted().joined(separator: ", ")
      surroundings.log.warning("roles \(names) are left, and the next such restore drops them: \(error.why)")
    }
    logins = [:]
  }

  /// Those of runs that were killed: nobody has their lock.
  private func sweep(_ session: Session) throws(Failure) {
    let left = try session.query(
      """
      SELECT r.rolname FROM pg_catalog.pg_roles r
      WHERE r.rolname ~ '^\(Self.beginning)[0-9a-f]{16}$' AND NOT r.rolsuper
        AND pg_catalog.shobj_description(r.oid, 'pg_authid') = $1
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.classid = \(Self.lockClass)
          AND l.objid::bigint = pg_catalog.hashtext(r.rolname)::bigint & 4294967295)
      """, [Self.mark]
    ).compactMap { $0.first ?? nil }
    drop(left, session)
  }

  private func drop(_ roles: [String], _ session: Session) {
    for role in roles {
      do throws(Failure) { try drop(role, session) } catch {
        // It may own something in another database, which somebody has given it.
        _ = session.attempt("ALTER ROLE \(quoteIdentifier(role)) NOLOGIN PASSWORD NULL")
        surroundings.log.warning("role \(role) of a restore is left, and can log in no more: \(error.why)")
      }
    }
  }

  private func drop(_ role: String, _ session: Session) throws(Failure) {
    // A session that was given up may not have ended yet.
    try session.query(
      "SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity WHERE usename = $1", [role])
    try session.query("DROP OWNED BY \(quoteIdentifier(role)) CASCADE")
    try session.query("DROP ROLE \(quoteIdentifier(role))")
  }
}
