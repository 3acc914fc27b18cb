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

  /// Runs a restore, and takes the logins away that it needed.
  func ending<Result>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    guard let logins else { return try body() }
    defer { logins.end() }
    return try body()
  }
}

/// Logins without any rights but those of one owner of tables each, for a restore that does not trust them.
///
/// A role of ours could be left by what they made: whoever is logged in as a superuser is one after RESET ROLE, and deferred triggers and
/// cursors of theirs run at the commit, outside of every function. So the server has to know nobody but the owner: a role is made that is a
/// member of the owner's alone, it logs in with a random password, and is dropped with the restore.
final class OwnerLogins: @unchecked Sendable {
  private let target: ConnectionTarget
  private let settings: String
  private let surroundings: Surroundings
  private let lock = NSLock()
  // Guarded by `lock`.
  private var pools: [String: SessionPool] = [:]
  private var roles: [String] = []

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
    if let pool = pools[owner] { return pool }
    let session = try surroundings.connector.connect(target, purpose: "restore")
    try sweep(session)
    let role = Self.beginning + String(UInt64.random(in: 0x1000_0000_0000_0000...UInt64.max), radix: 16)
    let password = Self.randomPassword()
    var login = target
    login.parameters["user"] = role
    login.password = password
    for name in ["passfile", "sslcert", "sslkey"] { login.parameters[name] = nil }
    let pool = SessionPool(
      surroundings.connector, login, purpose: "restore",
      settings: settings + "SET ROLE \(quoteIdentifier(owner));")
    do throws(Failure) {
      try make(role, in: owner, password, session)
      pool.give(back: try pool.take())
    } catch {
      try surroundings.cancellation.check()
      throw Failure(
        "owner_not_fenced", exit: .noPermission, what: "loading the rows of \(quoteIdentifier(owner))",
        why: "trust_owner is false, and a role with that owner's rights alone cannot log in: \(error.why)",
        nextStep:
          "let roles named \(Self.beginning)* in by pg_hba.conf with a password; or restore with a role that is no superuser; or trust_owner: true"
      )
    }
    pools[owner] = pool
    return pool
  }

  private static let beginning = "holdfast_load_"
  /// Nobody logs in later; a session that is open goes on.
  private static let validity = "1 hour"

  /// The statement may come into the server's log: what it holds of the password is a verifier.
  private func make(_ role: String, in owner: String, _ password: Secret, _ session: Session) throws(Failure) {
    let verifier = try session.encrypted(password, of: role)
    let end = try Row(
      try session.query("SELECT (pg_catalog.now() + '\(Self.validity)'::pg_catalog.interval)::pg_catalog.text").first
    ).text(0)
    try session.query(
      """
      CREATE ROLE \(quoteIdentifier(role)) LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
        PASSWORD \(quoteLiteral(verifier)) VALID UNTIL \(quoteLiteral(end)) IN ROLE \(quoteIdentifier(owner))
      """)
    roles.append(role)
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
    pools = [:]
    guard !roles.isEmpty else { return }
    do throws(Failure) {
      let connector = Connector(cancellation: Cancellation(), log: surroundings.log)
      let session = try connector.connect(target, purpose: "restore")
      for role in roles { try drop(role, session) }
    } catch {
      surroundings.log.warning(
        "roles \(Self.beginning)… are left, which nobody can log in with in an hour: \(error.why)")
    }
    roles = []
  }

  /// Those of runs that were killed: in another database they may own what was made there.
  private func sweep(_ session: Session) throws(Failure) {
    let left = try session.query(
      """
      SELECT r.rolname FROM pg_catalog.pg_roles r
      WHERE r.rolname ~ '^\(Self.beginning)[0-9a-f]{16}$' AND r.rolvaliduntil < pg_catalog.now()
        AND NOT r.rolsuper AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = r.oid)
      """
    ).compactMap { $0.first ?? nil }
    for role in left {
      do throws(Failure) { try drop(role, session) } catch {
        surroundings.log.warning("role \(role) of a killed restore is left: \(error.why)")
      }
    }
  }

  private func drop(_ role: String, _ session: Session) throws(Failure) {
    // A session that was given up may not have ended yet.
    try session.query(
      "SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity WHERE usename = $1", [role])
    try session.query("DROP OWNED BY \(quoteIdentifier(role)) CASCADE", [], .unlimited)
    try session.query("DROP ROLE \(quoteIdentifier(role))")
  }
}
