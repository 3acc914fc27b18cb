import BackupModel
import Diagnostics
import PostgresTools

/// Databases that killed runs have left.
extension NewDatabase {
  /// The same for a run that only wants them gone: a server that does not let it look is told of by what comes next.
  static func sweepLeftovers(of target: ConnectionTarget, _ surroundings: Surroundings) {
    do throws(Failure) {
      let session = try surroundings.connector.maintenanceSession(of: target)
      for name in try sweep(session, log: surroundings.log) {
        surroundings.log.info("dropped \(name), left by a killed run")
      }
    } catch { surroundings.log.info("databases that killed runs left are not looked for: \(error.why)") }
  }

  /// Drops what killed runs left, as far as this role may. One that cannot be dropped is no reason to restore nothing.
  ///
  /// - Returns: the names that were dropped.
  static func sweep(_ session: Session, log: Log) throws(Failure) -> [String] {
    let marked = try session.query(
      """
      SELECT datname FROM pg_catalog.pg_database
      WHERE (pg_catalog.shobj_description(oid, 'pg_database') = $1 OR datconnlimit = \(lockClass))
        -- Anybody's comment may be the mark, and a mark alone decides nothing.
        AND datname ~ '__(restore|standby)_[0-9a-z]+(_[0-9]+)?$' AND NOT datistemplate
        AND pg_catalog.pg_has_role(datdba, 'USAGE')
        -- Its maker may work from another database, whose locks we cannot ask for.
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.classid = \(lockClass)
          AND l.objid::bigint = pg_catalog.hashtext(datname)::bigint & 4294967295)
      ORDER BY 1
      """, [mark]
    ).compactMap { $0.first ?? nil }
    var dropped: [String] = []
    for name in marked {
      let lock = try session.query(
        "SELECT pg_catalog.pg_try_advisory_lock(\(lockClass), pg_catalog.hashtext($1))", [name])
      guard try Row(lock.first).flag(0) else { continue }
      do throws(Failure) {
        if try isUnfinished(name, session) {
          try drop(name, session: session)
          dropped.append(name)
        } else {
          log.warning(
            "\(name) has the name of an unfinished restore and no record of Holdfast's: it is kept; look into it, then: "
              + "DROP DATABASE \(quoteIdentifier(name))")
        }
      } catch {
        log.warning("\(name), left by a killed run, cannot be dropped: \(error.why)")
      }
      try session.query("SELECT pg_catalog.pg_advisory_unlock(\(lockClass), pg_catalog.hashtext($1))", [name])
    }
    return dropped
  }
}
