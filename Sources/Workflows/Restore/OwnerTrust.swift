import BackupModel
import Diagnostics
import PostgresTools

/// Whether Holdfast has a superuser's rights on a database that others own: then what they made may run with them.
struct OwnerTrust {
  private let policy: Policy
  private let role: String
  /// Owners of the database or of something in it, who are no superusers, in the order of their names.
  private let owners: [String]
  /// A function or operator of such an owner, where these keep a backup from being restored.
  private let unfenced: String?

  init(_ session: Session, _ facts: ServerFacts, _ policy: Policy) throws(Failure) {
    self.policy = policy
    role = session.target.parameters["user"] ?? ""
    owners = facts.superuser ? try session.query(Self.sql).compactMap { $0.first ?? nil } : []
    unfenced = owners.isEmpty || policy.trustsOwner ? nil : try session.query(Self.code).first?.first ?? nil
  }

  private static let sql = """
    SELECT r.rolname FROM pg_catalog.pg_roles r WHERE NOT r.rolsuper AND r.oid IN (
      SELECT datdba FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
      UNION ALL SELECT nspowner FROM pg_catalog.pg_namespace UNION ALL SELECT relowner FROM pg_catalog.pg_class
      UNION ALL SELECT proowner FROM pg_catalog.pg_proc UNION ALL SELECT typowner FROM pg_catalog.pg_type)
      AND r.rolname !~ '^pg_' ORDER BY 1
    """

  private static let code = """
    SELECT pg_catalog.format('%s of %s', f.oid::pg_catalog.regprocedure, r.rolname) FROM pg_catalog.pg_proc f
    JOIN pg_catalog.pg_roles r ON r.oid = f.proowner
    WHERE NOT r.rolsuper AND f.pronamespace NOT IN (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema'))
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        AND d.objid = f.oid AND d.deptype = 'e')
    UNION ALL SELECT pg_catalog.format('%s of %s', o.oid::pg_catalog.regoperator, r.rolname) FROM pg_catalog.pg_operator o
    JOIN pg_catalog.pg_roles r ON r.oid = o.oprowner
    WHERE NOT r.rolsuper AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND d.objid = o.oid AND d.deptype = 'e')
    ORDER BY 1 LIMIT 1
    """

  /// One for what restores run, one for what deploys run.
  func findings() -> [CheckFinding] {
    guard let first = owners.first else { return [] }
    let whom = owners.count == 1 ? first : "\(first) and \(counted(owners.count - 1, "other role"))"
    var findings: [CheckFinding] = []
    if policy.trustsOwner {
      findings.append(
        CheckFinding(
          kind: .warning,
          text: "what \(whom) made (checks, domains) runs with the rights of superuser \(role) in a restore",
          fix: "a role that is no superuser (docs/roles.md), or trust_owner: false"))
    } else if let unfenced {
      findings.append(
        CheckFinding(
          kind: .problem, text: "trust_owner is false, and \(unfenced) cannot be restored by superuser \(role)",
          fix: "a role that is no superuser (docs/roles.md), or trust_owner: true"))
    } else {
      findings.append(
        CheckFinding(
          kind: .fine,
          text: "rows of \(whom) are restored by logins without a superuser's rights (--deep tries the definitions)"))
    }
    if policy.migrations.directory != nil {
      findings.append(
        CheckFinding(
          kind: .warning,
          text: "migrations and health checks run as superuser \(role) on what \(whom) made (triggers, functions)",
          fix: "deploy as the owner (docs/roles.md)"))
    }
    return findings
  }
}
