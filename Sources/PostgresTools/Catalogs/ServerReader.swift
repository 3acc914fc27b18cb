import BackupModel
import Diagnostics

/// What has to be known of a server and the connection to it before anything is done.
package struct ServerFacts: Sendable, Equatable {
  package var systemIdentifier: String
  /// `15.20`
  package var version: String
  /// 150020
  package var versionNumber: Int
  package var standby: Bool
  /// A pooler stands between: the session's process is not the one that the connection announced.
  package var pooled: Bool
  package var superuser: Bool
  package var bypassesRowSecurity: Bool

  package var major: Int { versionNumber / 10_000 }
}

/// Reads facts from the catalogs.
package struct ServerReader {
  private let session: Session

  package init(_ session: Session) { self.session = session }

  package func facts() throws(Failure) -> ServerFacts {
    let rows = try session.query(
      """
      SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system()),
        pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery(), pg_catalog.pg_backend_pid(),
        r.rolsuper, r.rolbypassrls
      FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user
      """)
    let row = try Row(rows.first)
    let process = Int(try row.text(3))
    return ServerFacts(
      systemIdentifier: try row.text(0), version: String(try row.text(1).prefix { $0 != " " }),
      versionNumber: session.serverVersion, standby: try row.flag(2), pooled: process != session.announcedProcess,
      superuser: try row.flag(4), bypassesRowSecurity: try row.flag(5))
  }

  /// The snapshot of the session's transaction and the position of the write-ahead log.
  package func snapshot(standby: Bool) throws(Failure) -> Manifest.Snapshot {
    let position = standby ? "pg_last_wal_replay_lsn" : "pg_current_wal_lsn"
    let rows = try session.query("SELECT pg_catalog.pg_current_snapshot(), pg_catalog.\(position)()")
    let row = try Row(rows.first)
    return Manifest.Snapshot(pgCurrentSnapshot: try row.text(0), walLsn: row[1] ?? "0/0")
  }

  package func database() throws(Failure) -> (oid: UInt32, bytes: UInt64) {
    let rows = try session.query(
      """
      SELECT oid, pg_catalog.pg_database_size(oid) FROM pg_catalog.pg_database
      WHERE datname = pg_catalog.current_database()
      """)
    let row = try Row(rows.first)
    return (UInt32(try row.text(0)) ?? 0, UInt64(try row.text(1)) ?? 0)
  }

  // MARK: Properties

  /// - Parameter name: nil: the database that the session is on.
  package func properties(of name: String? = nil) throws(Failure) -> DatabaseProperties {
    let version = session.serverVersion
    let provider =
      version >= 150_000
      ? "CASE d.datlocprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END" : "'libc'"
    let locale = version >= 170_000 ? "d.datlocale" : version >= 150_000 ? "d.daticulocale" : "NULL"
    let rules = version >= 160_000 ? "d.daticurules" : "NULL"
    let rows = try session.query(
      """
      SELECT pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
        \(provider), \(locale), \(rules), t.spcname, d.datconnlimit,
        CASE WHEN NOT \(Self.isTooLarge) THEN pg_catalog.shobj_description(d.oid, 'pg_database') END,
        \(Self.hasDefaultPrivileges), d.datistemplate, \(Self.isTooLarge)
      FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
      WHERE d.datname = coalesce($1, pg_catalog.current_database())
      """, [name])
    let row = try Row(rows.first)
    guard try !row.flag(12) else {
      throw Failure(
        "properties_too_large", exit: .failed, what: "database \(name ?? session.target.database)",
        why: "its comment and its settings have more than 1 MiB",
        nextStep: "shorten them: COMMENT ON DATABASE, ALTER DATABASE … RESET")
    }
    return DatabaseProperties(
      owner: try row.text(0), encoding: try row.text(1), collate: try row.text(2), ctype: try row.text(3),
      localeProvider: try row.text(4), locale: row[5], icuRules: row[6], tablespace: try row.text(7),
      connectionLimit: Int(try row.text(8)) ?? -1, comment: row[9],
      privileges: try row.flag(10) ? nil : try privileges(of: name), settings: try settings(of: name),
      isTemplate: try row.flag(11)
    ).withoutMarks
  }

  /// Every list of backups reads them again.
  private static let isTooLarge = """
    (coalesce(pg_catalog.octet_length(pg_catalog.shobj_description(d.oid, 'pg_database')), 0)
      + coalesce((SELECT pg_catalog.sum(pg_catalog.octet_length(c)) FROM pg_catalog.pg_db_role_setting s,
        pg_catalog.unnest(s.setconfig) c WHERE s.setdatabase = d.oid AND s.setrole = 0), 0) > 1048576)
    """

  /// Any role may set what it likes for itself in any database: of one with more than 16 KiB, and of those beyond a MiB together, nothing is
  /// kept. SQL of a row of `pg_db_role_setting`, called `s`.
  private static let isKept = """
    (s.setrole = 0 OR s.setrole IN (
      SELECT setrole FROM (
        SELECT o.setrole, pg_catalog.octet_length(o.setconfig::text) AS bytes,
          pg_catalog.sum(pg_catalog.octet_length(o.setconfig::text)) OVER (ORDER BY pg_catalog.octet_length(o.setconfig::text), o.setrole) AS total
        FROM pg_catalog.pg_db_role_setting o WHERE o.setdatabase = s.setdatabase AND o.setrole <> 0) sized
      WHERE bytes <= 16384 AND total <= 1048576))
    """

  /// Roles whose settings in a database are too large to be kept.
  package func rolesWithLargeSettings() throws(Failure) -> [String] {
    try session.query(
      """
      SELECT pg_catalog.pg_get_userbyid(s.setrole) FROM pg_catalog.pg_db_role_setting s
      JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
      WHERE d.datname = pg_catalog.current_database() AND NOT \(Self.isKept) ORDER BY 1 LIMIT 100
      """
    ).compactMap { $0.first ?? nil }
  }

  /// Privileges that were changed and changed back are as good as none.
  private static let hasDefaultPrivileges = """
    (d.datacl IS NULL OR NOT EXISTS (
      (SELECT a::text FROM pg_catalog.unnest(d.datacl) a EXCEPT
        SELECT a::text FROM pg_catalog.unnest(pg_catalog.acldefault('d', d.datdba)) a)
      UNION ALL (SELECT a::text FROM pg_catalog.unnest(pg_catalog.acldefault('d', d.datdba)) a EXCEPT
        SELECT a::text FROM pg_catalog.unnest(d.datacl) a)))
    """

  private func privileges(of name: String?) throws(Failure) -> [DatabaseProperties.Privilege] {
    try session.query(
      """
      SELECT CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable,
        CASE WHEN a.grantor <> d.datdba THEN pg_catalog.pg_get_userbyid(a.grantor) END
      FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a
      WHERE d.datname = coalesce($1, pg_catalog.current_database()) ORDER BY 1 NULLS FIRST, 2, 4 NULLS FIRST
      """, [name]
    ).map { (values) throws(Failure) in
      let row = try Row(values)
      return DatabaseProperties.Privilege(
        grantee: row[0], privilege: try row.text(1), grantable: try row.flag(2), grantor: row[3])
    }
  }

  private func settings(of name: String?) throws(Failure) -> [DatabaseProperties.Setting] {
    try session.query(
      """
      SELECT CASE WHEN s.setrole <> 0 THEN pg_catalog.pg_get_userbyid(s.setrole) END,
        pg_catalog.split_part(c.entry, '=', 1), pg_catalog.substr(c.entry, pg_catalog.strpos(c.entry, '=') + 1)
      FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase,
        pg_catalog.unnest(s.setconfig) WITH ORDINALITY c (entry, place)
      WHERE d.datname = coalesce($1, pg_catalog.current_database()) AND \(Self.isKept) ORDER BY 1 NULLS FIRST, c.place
      """, [name]
    ).map { (values) throws(Failure) in
      let row = try Row(values)
      return DatabaseProperties.Setting(role: row[0], name: try row.text(1), value: try row.text(2))
    }
  }

  /// The counters of writes of all tables that were written to.
  package func activity() throws(Failure) -> Manifest.Activity {
    let since = try session.query(
      "SELECT stats_reset::text FROM pg_catalog.pg_stat_database WHERE datname = pg_catalog.current_database()")
    let tables = try session.query(
      """
      SELECT schemaname, relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_catalog.pg_stat_user_tables
      WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 ORDER BY 1, 2
      """
    ).map { (values) throws(Failure) in
      let row = try Row(values)
      return Manifest.Activity.Table(
        schema: try row.text(0), name: try row.text(1), writes: UInt64(try row.text(2)) ?? 0)
    }
    return Manifest.Activity(since: since.first?.first ?? nil, tables: tables)
  }

  /// What some transactions have changed of the database, apart from its content.
  ///
  /// - Parameters:
  ///   - name: of the database.
  ///   - writers: their numbers, as xmin has them.
  package func propertiesChanged(of name: String, by writers: [String]) throws(Failure) -> Set<PropertyPart> {
    guard !writers.isEmpty else { return [] }
    let list = "{\(writers.joined(separator: ","))}"
    let rows = try session.query(
      """
      SELECT part, role FROM (
        SELECT 'database' AS part, NULL::name AS role, xmin::text AS writer FROM pg_catalog.pg_database
        WHERE datname = $1
        UNION ALL SELECT 'comment', NULL, s.xmin::text FROM pg_catalog.pg_shdescription s
        JOIN pg_catalog.pg_database d ON d.oid = s.objoid AND s.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass
        WHERE d.datname = $1
        UNION ALL SELECT 'settings', CASE WHEN s.setrole <> 0 THEN pg_catalog.pg_get_userbyid(s.setrole) END, s.xmin::text
        FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
        WHERE d.datname = $1) AS parts
      WHERE writer = ANY ($2::text[])
      """, [name, list])
    return Set(
      rows.map { row in
        switch row.first ?? nil {
        case "database": .database
        case "comment": .comment
        default: .settings(role: row.last ?? nil)
        }
      })
  }

  // MARK: Needs

  /// Roles, extensions and tablespaces that the database's content refers to.
  package func needs(owners: Set<String>, properties: DatabaseProperties) throws(Failure) -> Manifest.Needs {
    let referred = try column(
      """
      SELECT DISTINCT pg_catalog.pg_get_userbyid(s.refobjid) FROM pg_catalog.pg_shdepend s
      JOIN pg_catalog.pg_database d ON d.oid = s.dbid AND d.datname = pg_catalog.current_database()
      JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid
      WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
      """)
    var roles = owners.union(referred).union([properties.owner])
    roles.formUnion((properties.privileges ?? []).compactMap(\.grantee))
    roles.formUnion(properties.settings.compactMap(\.role))
    let extensions = try session.query(
      "SELECT extname, extversion FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql' ORDER BY 1"
    ).map { (values) throws(Failure) in
      let row = try Row(values)
      return Manifest.Needs.Extension(name: try row.text(0), version: try row.text(1))
    }
    let tablespaces = try column(
      """
      SELECT spcname FROM pg_catalog.pg_tablespace t WHERE spcname NOT IN ('pg_default', 'pg_global')
        AND (EXISTS (SELECT FROM pg_catalog.pg_class WHERE reltablespace = t.oid)
          OR EXISTS (SELECT FROM pg_catalog.pg_database
            WHERE dattablespace = t.oid AND datname = pg_catalog.current_database()))
      ORDER BY 1
      """)
    // Roles that begin with pg_ belong to the server.
    return Manifest.Needs(
      roles: roles.filter { !$0.hasPrefix("pg_") }.sorted(), extensions: extensions, tablespaces: tablespaces)
  }

  /// Of what a backup needs, what this server lacks: a sentence and its fix each.
  package func missing(of needs: Manifest.Needs) throws(Failure) -> [(what: String, fix: String)] {
    let roles = Set(try column("SELECT rolname FROM pg_catalog.pg_roles"))
    let extensions = Set(try column("SELECT name FROM pg_catalog.pg_available_extensions"))
    let tablespaces = Set(try column("SELECT spcname FROM pg_catalog.pg_tablespace"))
    return needs.roles.filter { !roles.contains($0) }
      .map { ("role \(quoteIdentifier($0)) does not exist", "CREATE ROLE \(quoteIdentifier($0)), or run globals.sql") }
      + needs.extensions.filter { !extensions.contains($0.name) }
      .map { ("extension \($0.name) is not installed", "install the package that has it on the server") }
      + needs.tablespaces.filter { !tablespaces.contains($0) }
      .map {
        ("tablespace \(quoteIdentifier($0)) does not exist", "CREATE TABLESPACE \(quoteIdentifier($0)) LOCATION …")
      }
  }

  private func column(_ sql: String) throws(Failure) -> [String] {
    try session.query(sql).compactMap { $0.first ?? nil }
  }
}

/// One row of a result, its columns checked.
package struct Row {
  private let values: [String?]

  /// - Throws: `odd_server` when there is no row.
  package init(_ values: [String?]?) throws(Failure) {
    guard let values else { throw .oddServer("a query of the catalogs returned no row") }
    self.values = values
  }

  package subscript(_ column: Int) -> String? { values.indices.contains(column) ? values[column] : nil }

  /// - Throws: `odd_server` when it is NULL.
  package func text(_ column: Int) throws(Failure) -> String {
    guard let value = self[column] else { throw .oddServer("column \(column) of a query of the catalogs has no value") }
    return value
  }

  package func flag(_ column: Int) throws(Failure) -> Bool { try text(column) == "t" }
}

extension Failure {
  /// What no PostgreSQL answers.
  fileprivate static func oddServer(_ why: String) -> Failure {
    Failure(
      "odd_server", exit: .unavailable, what: "reading the server's catalogs", why: why,
      nextStep: "make sure that database.url leads to a PostgreSQL server, and report this if it does")
  }
}

extension ServerFacts {
  /// Settings of a child's sessions that keep event triggers on logins from waking for them. Only a superuser may set them.
  package var loginSettings: [String: String] { superuser && major >= 17 ? ["event_triggers": "off"] : [:] }
}
