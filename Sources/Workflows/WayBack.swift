import BackupModel
import Diagnostics
import PostgresTools

/// Whether a role could roll a deploy back: a snapshot that nobody may restore is no way back.
struct WayBack {
  let target: ConnectionTarget
  let surroundings: Surroundings

  /// - Throws: `no_way_back`, with every privilege that is missing; what keeps the role from the maintenance database.
  func check() throws(Failure) {
    let session = try surroundings.connector.maintenanceSession(of: target, renames: true)
    let needs = try Self.needs(of: target.database, session)
    let missing = needs.missing.map { "\($0.problem): \($0.fix)" }
    guard let first = missing.first else { return }
    throw Failure(
      "no_way_back", exit: .noPermission, what: "deploy to \(target.database)",
      why: "role \(needs.role) could not roll it back: it lacks a privilege \(first)",
      nextStep: "grant it, then run the same command again", details: Array(missing.dropFirst()))
  }

  /// The session's role, quoted, and what it lacks: what for, and the statement that gives it.
  static func needs(
    of database: String, _ session: Session
  ) throws(Failure) -> (role: String, missing: [MissingPrivilege]) {
    let row = try Row(
      try session.query(
        """
        SELECT r.rolname, r.rolsuper, r.rolcreatedb, pg_catalog.pg_has_role(d.datdba, 'USAGE'),
          o.rolname, o.rolsuper
        FROM pg_catalog.pg_roles r, pg_catalog.pg_database d JOIN pg_catalog.pg_roles o ON o.oid = d.datdba
        WHERE r.rolname = current_user AND d.datname = $1
        """, [database]
      ).first)
    let role = quoteIdentifier(try row.text(0))
    var missing: [MissingPrivilege] = []
    guard try !row.flag(1) else { return (role, missing) }
    if try !row.flag(2) {
      missing.append(MissingPrivilege(problem: "to restore beside", fix: "ALTER ROLE \(role) CREATEDB"))
    }
    if try !row.flag(3) {
      // Nobody is to become a superuser for that.
      let fix =
        try row.flag(5)
        ? "ALTER DATABASE \(quoteIdentifier(database)) OWNER TO \(role)"
        : "GRANT \(quoteIdentifier(try row.text(4))) TO \(role)"
      missing.append(MissingPrivilege(problem: "to rename \(database)", fix: fix))
    }
    return (role, missing)
  }

  /// Roles that are connected now and that the session's could not end before the names are exchanged. A superuser's sessions
  /// nobody but their like can end, with or without a privilege.
  static func unstoppable(_ session: Session) throws(Failure) -> [String] {
    try session.query(
      """
      SELECT pg_catalog.quote_ident(r.rolname) FROM pg_catalog.pg_roles r, pg_catalog.pg_database d
      WHERE d.datname = pg_catalog.current_database() AND NOT r.rolsuper AND NOT pg_catalog.pg_has_role(r.oid, 'USAGE')
        AND NOT pg_catalog.pg_has_role('pg_signal_backend', 'USAGE')
        AND EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid AND a.usesysid = r.oid)
      ORDER BY 1
      """
    ).compactMap { $0.first ?? nil }
  }
}
