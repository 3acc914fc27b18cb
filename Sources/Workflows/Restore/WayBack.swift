import BackupModel
import Diagnostics
import PostgresTools

/// Whether a role could roll a deploy back: a snapshot that nobody may restore is no way back.
struct WayBack {
  let target: ConnectionTarget
  let surroundings: Surroundings

  /// What makes a trial pointless, each with the statement that gives it. What else it takes, only the trial tells.
  ///
  /// - Throws: `no_way_back`, with every privilege that is missing; what keeps the role from the maintenance database.
  func check() throws(Failure) {
    let session = try surroundings.connector.maintenanceSession(of: target, renames: true)
    let needs = try Self.needs(of: target.database, session)
    guard !needs.missing.isEmpty else { return }
    throw Failure(
      "no_way_back", exit: .noPermission, what: "deploy to \(target.database)",
      why: "role \(needs.role) could not roll it back; to roll back it needs: \(needs.fixes)",
      nextStep: "run that as a superuser, then the same command again")
  }

  /// What a role lacks: what for, and the statement that gives it.
  struct Needs {
    /// Quoted.
    var role: String
    /// To restore at all.
    var toCreate: MissingPrivilege?
    /// To exchange the restored database with the live one.
    var toRename: MissingPrivilege?

    var missing: [MissingPrivilege] { [toCreate, toRename].compactMap { $0 } }
    /// The statements that give what is missing.
    var fixes: String { missing.map(\.fix).joined(separator: "; ") }
  }

  /// What it takes to give somebody an object: from 16 on membership alone does not.
  private static func membership(_ session: Session) -> String {
    session.serverVersion >= 160_000 ? "'SET'" : "'MEMBER'"
  }

  /// What the session's role lacks.
  static func needs(of database: String, _ session: Session) throws(Failure) -> Needs {
    let row = try Row(
      try session.query(
        """
        SELECT r.rolname, r.rolsuper, r.rolcreatedb, pg_catalog.pg_has_role(d.datdba, 'USAGE')
          AND pg_catalog.pg_has_role(d.datdba, \(membership(session))),
          o.rolname, o.rolsuper
        FROM pg_catalog.pg_roles r, pg_catalog.pg_database d JOIN pg_catalog.pg_roles o ON o.oid = d.datdba
        WHERE r.rolname = current_user AND d.datname = $1
        """, [database]
      ).first)
    let role = quoteIdentifier(try row.text(0))
    var needs = Needs(role: role)
    guard try !row.flag(1) else { return needs }
    if try !row.flag(2) {
      needs.toCreate = MissingPrivilege(problem: "to restore beside", fix: "ALTER ROLE \(role) CREATEDB")
    }
    if try !row.flag(3) {
      // Nobody is to become a superuser for that.
      let fix =
        try row.flag(5)
        ? "ALTER DATABASE \(quoteIdentifier(database)) OWNER TO \(role)"
        : "GRANT \(quoteIdentifier(try row.text(4))) TO \(role)"
      needs.toRename = MissingPrivilege(problem: "to rename \(database)", fix: fix)
    }
    return needs
  }

  /// What a restore would give to roles that the session's may not give anything to: a reading of the catalogs, which explains a trial that
  /// failed and warns where none was made. It decides nothing.
  static func unrestorable(_ live: Session) throws(Failure) -> [MissingPrivilege] {
    let facts = try ServerReader(live).facts()
    guard !facts.superuser else { return [] }
    let role = quoteIdentifier(try Row(try live.query("SELECT current_user").first).text(0))
    let owners = try live.query(
      """
      WITH owned (class, id, owner, schema) AS (
        SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, oid, relowner, relnamespace FROM pg_catalog.pg_class
        WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND relpersistence <> 't'
        UNION ALL SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, oid, proowner, pronamespace FROM pg_catalog.pg_proc
        UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, oid, typowner, typnamespace FROM pg_catalog.pg_type
        WHERE typrelid = 0 AND typelem = 0
        UNION ALL SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, oid, stxowner, stxnamespace
        FROM pg_catalog.pg_statistic_ext
        UNION ALL SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, oid, nspowner, oid FROM pg_catalog.pg_namespace
        WHERE nspname <> 'public')
      SELECT pg_catalog.quote_ident(r.rolname), pg_catalog.count(*)
      FROM owned o JOIN pg_catalog.pg_namespace n ON n.oid = o.schema JOIN pg_catalog.pg_roles r ON r.oid = o.owner
        JOIN pg_catalog.pg_database db ON db.datname = pg_catalog.current_database()
      WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        -- Whoever gives an object away has to be its new owner's member, and the new owner has to be somebody who may make it there. Privileges
        -- come later, so that may be who owns the schema, or the database.
        AND NOT (pg_catalog.pg_has_role(o.owner, \(membership(live))) AND (
          pg_catalog.pg_has_role(o.owner, CASE WHEN o.id = n.oid THEN db.datdba ELSE n.nspowner END, 'USAGE')
          OR n.nspname = 'public' AND pg_catalog.current_setting('server_version_num')::int < 150000))
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid = o.class AND d.objid = o.id AND d.deptype IN ('e', 'i'))
      GROUP BY 1 ORDER BY 1
      """
    ).map { (values) throws(Failure) in
      let row = try Row(values)
      let (owner, count) = (try row.text(0), Int(try row.text(1)) ?? 0)
      return MissingPrivilege(
        problem: "to restore \(counted(count, "object")) of \(owner)",
        fix: "make \(role) their owner (ALTER … OWNER TO \(role)), or the schema's owner that of all in it")
    }
    let settings = try live.query(
      """
      SELECT pg_catalog.quote_ident(r.rolname), pg_catalog.quote_ident(d.datname) FROM pg_catalog.pg_db_role_setting s
      JOIN pg_catalog.pg_roles r ON r.oid = s.setrole JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
      WHERE d.datname = pg_catalog.current_database() AND r.rolname <> current_user
        AND NOT (SELECT rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user)
      ORDER BY 1
      """
    ).map { (values) throws(Failure) in
      let row = try Row(values)
      let (other, database) = (try row.text(0), try row.text(1))
      return MissingPrivilege(
        problem: "to restore the settings of \(other) in \(database)",
        fix: "ALTER ROLE \(other) IN DATABASE \(database) RESET ALL (set them for the role, or the database), "
          + "or ALTER ROLE \(role) CREATEROLE")
    }
    return owners + settings
  }
}
