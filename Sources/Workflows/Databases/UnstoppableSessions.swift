import BackupModel
import Diagnostics
import Foundation
import PostgresTools

/// Sessions on a database that a role may not end. While they are there the database keeps its name, and no rollback comes to its end.
package struct UnstoppableSessions: Sendable, Equatable {
  /// Names of roles that are connected: those whose sessions `pg_signal_backend` would end,
  package private(set) var ordinary: [String] = []
  /// and superusers, whose sessions only their like may end.
  package private(set) var superusers: [String] = []
  private let role: String
  private let database: String

  /// - Parameter session: of the role that would end them, on any database of the server.
  init(on database: String, _ session: Session) throws(Failure) {
    self.database = database
    let rows = try session.query(
      """
      SELECT DISTINCT r.rolname, r.rolsuper, current_user
      FROM pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
      WHERE a.datname = $1 AND NOT pg_catalog.pg_has_role(r.oid, 'USAGE') AND NOT pg_catalog.pg_has_role(session_user, r.oid, 'USAGE')
        AND (r.rolsuper OR NOT pg_catalog.pg_has_role('pg_signal_backend', 'USAGE')
          AND NOT pg_catalog.pg_has_role(session_user, 'pg_signal_backend', 'USAGE')) ORDER BY 1
      """, [database])
    role = (rows.first?.last ?? nil) ?? ""
    for values in rows {
      let row = try Row(values)
      if try row.flag(1) { superusers.append(try row.text(0)) } else { ordinary.append(try row.text(0)) }
    }
  }

  package var isEmpty: Bool { all.isEmpty }
  /// Quoted names of the roles.
  package var all: [String] { (ordinary + superusers).sorted().map(quoteIdentifier) }

  /// What a superuser has to run, a line each.
  package var remedies: [String] {
    let grant = ordinary.isEmpty ? [] : ["GRANT pg_signal_backend TO \(quoteIdentifier(role))"]
    let end =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = \(quoteLiteral(database)) "
      + "AND usename IN (\(superusers.map { quoteLiteral($0) }.joined(separator: ", ")))"
    return grant + (superusers.isEmpty ? [] : [end])
  }

  /// - Throws: `sessions_stay`.
  func refuse(_ what: String) throws(Failure) {
    guard !isEmpty else { return }
    throw Failure(
      "sessions_stay", exit: .failed, what: what,
      why:
        "sessions of \(all.joined(separator: ", ")) are on \(database), which role \(quoteIdentifier(role)) may not end; "
        + "nothing was changed, and nobody was kept out",
      nextStep: "have a superuser run: \(remedies.joined(separator: "; ")); then the same command again")
  }
}

extension DatabaseSwap {
  /// Looks, before a database is closed to everybody, whether who is in it can be ended at all. One who is just leaving is waited for.
  ///
  /// - Throws: `sessions_stay`.
  func refuseUnstoppable(_ name: String, waiting seconds: Double) throws(Failure) {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
      let sessions = try UnstoppableSessions(on: name, session)
      guard !sessions.isEmpty else { return }
      if ContinuousClock.now >= deadline { return try sessions.refuse("swap of \(name)") }
      try cancellation.check()
      usleep(100_000)
    }
  }
}
