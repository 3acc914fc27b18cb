import BackupModel
import Diagnostics

/// Something that a role may not do, and the statement that lets it.
package struct MissingPrivilege: Sendable, Equatable {
  package var problem: String
  package var fix: String

  package init(problem: String, fix: String) {
    self.problem = problem
    self.fix = fix
  }
}

/// Finds what the role of a session cannot read, before pg_dump stumbles over it: it stops at the first, and in words.
package struct PrivilegeAudit {
  private let session: Session

  package init(_ session: Session) { self.session = session }

  package func findings() throws(Failure) -> [MissingPrivilege] {
    let user = try Row(try session.query("SELECT current_user").first).text(0)
    let role = quoteIdentifier(user)
    return try gathered(schemas(role) + relations(role), role) + rowSecurity(role) + largeObjects(role)
  }

  /// Of so many, a statement each is no help.
  private func gathered(_ findings: [MissingPrivilege], _ role: String) -> [MissingPrivilege] {
    guard findings.count > 5 else { return findings }
    let few = findings.prefix(3).map { $0.problem.replacing("role \(role) ", with: "") }.joined(separator: "; ")
    return [
      MissingPrivilege(
        problem: "role \(role) lacks \(findings.count) privileges to read: \(few); and \(findings.count - 3) more",
        fix: "GRANT pg_read_all_data TO \(role)")
    ]
  }

  private func schemas(_ role: String) throws(Failure) -> [MissingPrivilege] {
    try names(
      """
      SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_namespace n
      WHERE \(Self.userSchema) AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
        AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'S'))
      ORDER BY 1
      """
    ).map {
      MissingPrivilege(
        problem: "role \(role) cannot use schema \($0)", fix: "GRANT USAGE ON SCHEMA \($0) TO \(role)")
    }
  }

  private func relations(_ role: String) throws(Failure) -> [MissingPrivilege] {
    try session.query(
      """
      SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END,
        pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'S') AND \(Self.userSchema)
        AND NOT CASE c.relkind WHEN 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
          ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
      ORDER BY 2
      """
    ).map { (values) throws(Failure) in
      let row = try Row(values)
      let (kind, name) = (try row.text(0), try row.text(1))
      let object = kind == "sequence" ? "SEQUENCE \(name)" : name
      return MissingPrivilege(
        problem: "role \(role) cannot read \(kind) \(name)", fix: "GRANT SELECT ON \(object) TO \(role)")
    }
  }

  private func rowSecurity(_ role: String) throws(Failure) -> [MissingPrivilege] {
    let tables = try names(
      """
      SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND \(Self.userSchema) AND c.relrowsecurity
        AND pg_catalog.row_security_active(c.oid)
      ORDER BY 1
      """)
    guard !tables.isEmpty else { return [] }
    return [
      MissingPrivilege(
        problem: "role \(role) sees only some rows of \(tables.joined(separator: ", ")): row security applies to it",
        fix: "ALTER ROLE \(role) BYPASSRLS")
    ]
  }

  private func largeObjects(_ role: String) throws(Failure) -> [MissingPrivilege] {
    let owners = try session.query(
      """
      SELECT pg_catalog.quote_ident(o.rolname), o.rolsuper, pg_catalog.count(*),
        pg_catalog.array_to_string((pg_catalog.array_agg(m.oid ORDER BY m.oid))[1:\(Self.mostObjects)], ', ')
      FROM pg_catalog.pg_largeobject_metadata m JOIN pg_catalog.pg_roles o ON o.oid = m.lomowner
      WHERE NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
        AND NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE')
        AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT'
          AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))
      GROUP BY 1, 2 ORDER BY 1
      """)
    return try owners.map { (values) throws(Failure) in
      let row = try Row(values)
      let (owner, count) = (try row.text(0), Int(try row.text(2)) ?? 0)
      // A superuser's rights are too much for a role that only reads.
      return MissingPrivilege(
        problem: "role \(role) cannot read \(counted(count, "large object")) of \(owner)",
        fix: try row.flag(1)
          ? "GRANT SELECT ON LARGE OBJECT \(try row.text(3)) TO \(role)"
            + (count > Self.mostObjects ? ", and so for each of the others" : "")
          : "GRANT \(owner) TO \(role)")
    }
  }

  /// So many are named in one statement.
  private static let mostObjects = 20

  private func names(_ sql: String) throws(Failure) -> [String] {
    try session.query(sql).compactMap { $0.first ?? nil }
  }

  /// Schemas that pg_dump dumps.
  private static let userSchema = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
}
