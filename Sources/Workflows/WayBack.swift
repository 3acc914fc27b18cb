import BackupModel
import Diagnostics
import PostgresTools

/// Whether the role of a deploy could roll it back: a snapshot that nobody may restore is no way back.
struct WayBack {
  let target: ConnectionTarget
  let surroundings: Surroundings

  /// - Throws: `no_way_back`, with every privilege that is missing; what keeps the role from the maintenance database.
  func check() throws(Failure) {
    let session = try surroundings.connector.maintenanceSession(of: target, renames: true)
    let row = try Row(
      try session.query(
        """
        SELECT r.rolname, r.rolsuper, r.rolcreatedb, pg_catalog.pg_has_role(d.datdba, 'USAGE'),
          pg_catalog.pg_get_userbyid(d.datdba)
        FROM pg_catalog.pg_roles r, pg_catalog.pg_database d WHERE r.rolname = current_user AND d.datname = $1
        """, [target.database]
      ).first)
    guard try !row.flag(1) else { return }
    let role = quoteIdentifier(try row.text(0))
    var missing: [String] = []
    if try !row.flag(2) { missing.append("to restore beside: ALTER ROLE \(role) CREATEDB") }
    if try !row.flag(3) {
      missing.append("to rename \(target.database): GRANT \(quoteIdentifier(try row.text(4))) TO \(role)")
    }
    guard let first = missing.first else { return }
    throw Failure(
      "no_way_back", exit: .noPermission, what: "deploy to \(target.database)",
      why: "role \(role) could not roll it back: it lacks a privilege \(first)",
      nextStep: "grant it, then run the same command again", details: Array(missing.dropFirst()))
  }
}
