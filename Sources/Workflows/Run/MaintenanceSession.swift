import BackupModel
import Diagnostics
import PostgresTools

extension Connector {
  /// Databases are made, renamed and dropped from another one: `postgres`, or `template1` when that does not let us in, for whatever reason.
  ///
  /// No statement on it waits longer than half a minute for a lock.
  /// - Parameter renames: the target itself is to be renamed, and no session may be on it. Only then `template1` serves a target that is
  ///   called `postgres`: while somebody is there nobody else can create a database.
  /// - Throws: what kept us from the first, with what kept us from the other.
  func maintenanceSession(of target: ConnectionTarget, renames: Bool = false) throws(Failure) -> Session {
    let names = ["postgres", "template1"].filter { !renames || $0 != target.database }
    var refusals: [Failure] = []
    for name in names {
      do throws(Failure) {
        let session = try connect(target.database(name), purpose: "maintenance")
        try session.query("SELECT pg_catalog.set_config('lock_timeout', $1, false)", [Self.lockTimeout])
        return session
      } catch {
        guard error.isOfDatabase else { throw error }
        refusals.append(error)
      }
    }
    guard var failure = refusals.first else { throw .internalError("there is no maintenance database") }
    let role = quoteIdentifier(target.parameters["user"] ?? "")
    failure.details += refusals.dropFirst().map { "\($0.what): \($0.why)" }
    failure.nextStep =
      "let role \(role) connect to database \(names.joined(separator: " or "))"
      + " (GRANT CONNECT, pg_hba.conf, ALLOW_CONNECTIONS): from there databases are made and renamed"
    throw failure
  }

  private static let lockTimeout = "30s"
}

extension Failure {
  /// It kept us out of one database, and need not keep us out of another of the same server.
  fileprivate var isOfDatabase: Bool {
    ["no_such_database", "database_closed", "login_refused", "wrong_password", "too_many_connections"].contains(code)
  }
}
