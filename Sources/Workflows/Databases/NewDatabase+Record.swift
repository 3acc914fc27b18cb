import BackupModel
import Diagnostics
import PostgresTools

/// What tells a database that is being made from one that only looks so.
///
/// Its name, its comment and its connection limit are its owner's to choose. What a role has set for itself in a database is nobody else's, and
/// goes with the database.
extension NewDatabase {
  private static let record = "holdfast makes this"

  /// - Returns: SQL that sets the record, or takes it away.
  static func recordStatement(_ name: String, isMaking: Bool) -> String {
    let change = isMaking ? "SET application_name = \(quoteLiteral(record))" : "RESET application_name"
    return "ALTER ROLE CURRENT_USER IN DATABASE \(quoteIdentifier(name)) \(change)"
  }

  /// Whether a database was made by this role, or a superuser, and is not whole. A run that is killed between the making and the record leaves
  /// one that has the marks and no more: it is empty, or a copy that nobody can connect to.
  static func isUnfinished(_ name: String, _ session: Session) throws(Failure) -> Bool {
    let rows = try session.query(
      """
      SELECT EXISTS (
          SELECT FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
          WHERE s.setdatabase = d.oid AND 'application_name=' || $2 = ANY (s.setconfig)
            AND (r.rolname = current_user OR r.rolsuper)),
        d.datconnlimit = \(DatabaseProperties.unfinishedLimit), d.datallowconn
      FROM pg_catalog.pg_database d WHERE d.datname = $1 AND NOT d.datistemplate
      """, [name, record])
    guard let values = rows.first else { return false }
    let row = try Row(values)
    if try row.flag(0) { return true }
    guard try row.flag(1) else { return false }
    let isOpen = try row.flag(2)
    return isOpen ? try isEmpty(session.target.database(name)) : true
  }

  /// Nothing was made in it.
  private static func isEmpty(_ target: ConnectionTarget) throws(Failure) -> Bool {
    do throws(Failure) {
      let session = try Connector(cancellation: Cancellation(), log: .silent).connect(target, purpose: "restore")
      return try session.query(
        """
        SELECT FROM pg_catalog.pg_class WHERE oid >= 16384 UNION ALL SELECT FROM pg_catalog.pg_proc WHERE oid >= 16384
        UNION ALL SELECT FROM pg_catalog.pg_namespace WHERE oid >= 16384
        UNION ALL SELECT FROM pg_catalog.pg_largeobject_metadata LIMIT 1
        """
      ).isEmpty
    } catch {
      // Nobody may connect: then it is not ours to look into.
      guard error.exit != .unavailable || error.code == "database_closed" else { throw error }
      return false
    }
  }
}
