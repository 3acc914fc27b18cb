import BackupModel
import Diagnostics
import Planning
import PostgresTools
import TestSupport
import Testing

@Suite struct PrivilegeAuditTests {
  private static let sql = """
    CREATE SCHEMA "sec ret"; CREATE TABLE "sec ret".t (id int);
    CREATE TABLE readable (id int); GRANT SELECT ON readable TO PUBLIC;
    CREATE TABLE "un""readable" (id serial);
    CREATE TABLE guarded (id int); GRANT SELECT ON guarded TO PUBLIC; ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
    CREATE SEQUENCE counter;
    CREATE VIEW needs_nothing AS SELECT 1;
    SELECT lo_create(4711);
    """

  @Test func `finds everything that a role cannot read, and nothing else`() throws {
    try Workbench.with(cluster: LoginServer.shared, sql: Self.sql) { bench in
      let role = try LoginServer.role("LOGIN NOSUPERUSER")
      let problems = try findings(role, bench).map(\.problem)
      #expect(
        problems.sorted()
          == [
            #"role "\#(role)" cannot use schema "sec ret""#, #"role "\#(role)" cannot read table "sec ret".t"#,
            #"role "\#(role)" cannot read sequence public.counter"#,
            #"role "\#(role)" cannot read table public."un""readable""#,
            #"role "\#(role)" cannot read sequence public."un""readable_id_seq""#,
            #"role "\#(role)" sees only some rows of public.guarded: row security applies to it"#,
            #"role "\#(role)" cannot read 1 large object of postgres"#,
          ].sorted())
    }
  }

  @Test func `after its fixes the role can dump, and before each of them it cannot`() throws {
    try Workbench.with(cluster: LoginServer.shared, sql: Self.sql) { bench in
      let role = try LoginServer.role("LOGIN NOSUPERUSER")
      let fixes = try findings(role, bench).map(\.fix)
      #expect(fixes.count == 7)
      for fix in fixes {
        #expect(throws: Failure.self, "before \(fix)") { try dump(role, bench) }
        try bench.cluster.psql(fix, database: bench.database)
      }
      #expect(try findings(role, bench) == [])
      try dump(role, bench)
    }
  }

  @Test func `of many missing privileges one statement gives all`() throws {
    let sql = (0..<20).map { "CREATE TABLE t\($0) (id serial)" }.joined(separator: "; ")
    try Workbench.with(cluster: LoginServer.shared, sql: sql) { bench in
      let role = try LoginServer.role("LOGIN NOSUPERUSER")
      let found = try findings(role, bench)
      #expect(
        found.map(\.fix) == ["GRANT pg_read_all_data TO \"\(role)\""]
          || found.map(\.fix) == ["GRANT pg_read_all_data TO \(role)"])
      #expect(found.first?.problem.contains("lacks 40 privileges to read") == true, "\(found)")
      try bench.cluster.psql(found.first?.fix ?? "", database: bench.database)
      #expect(try findings(role, bench) == [])
      try dump(role, bench)
    }
  }

  @Test func `a superuser, the owner and a member of the owner lack nothing`() throws {
    try Workbench.with(cluster: LoginServer.shared) { bench in
      let owner = try LoginServer.role()
      try bench.cluster.psql("GRANT CREATE ON SCHEMA public TO \(owner)", database: bench.database)
      try bench.cluster.psql(
        Self.sql.replacing("CREATE SCHEMA \"sec ret\"; CREATE TABLE \"sec ret\".t (id int);", with: ""),
        database: bench.database, user: owner)
      let member = try LoginServer.role("LOGIN IN ROLE \(owner)")
      for role in ["postgres", owner, member] { #expect(try findings(role, bench) == [], "\(role)") }
    }
  }

  private func findings(_ role: String, _ bench: Workbench) throws -> [MissingPrivilege] {
    try PrivilegeAudit(try LoginServer.connect(bench.database, user: role)).findings()
  }

  private func dump(_ role: String, _ bench: Workbench) throws {
    let installation = ClientInstallation(directory: bench.cluster.binaries, version: ClientVersion(major: 0, minor: 0))
    let command = Toolbox(installation: installation).command(
      "pg_dump", [], on: LoginServer.target(bench.database, user: role), purpose: "test", passwordFile: nil,
      settings: Toolbox.dumpSettings)
    _ = try ChildRunner(cancellation: Cancellation()).output(of: command)
  }

  @Test func `large objects are read by a member of their owner, unless that is a superuser`() throws {
    try Workbench.with(cluster: LoginServer.shared) { bench in
      let (owner, role) = (try LoginServer.role(), try LoginServer.role())
      defer { _ = try? bench.cluster.psql("DROP OWNED BY \(owner)", database: bench.database) }
      try bench.cluster.psql(
        "SELECT lo_create(1), lo_create(2), lo_create(3); ALTER LARGE OBJECT 2 OWNER TO \(owner)",
        database: bench.database)
      let fixes = try findings(role, bench).map(\.fix)
      #expect(
        fixes.contains("GRANT \(owner) TO \"\(role)\"") || fixes.contains("GRANT \(owner) TO \(role)"), "\(fixes)")
      #expect(fixes.contains { $0.hasPrefix("GRANT SELECT ON LARGE OBJECT 1, 3 TO ") }, "\(fixes)")
      for fix in fixes { try bench.cluster.psql(fix, database: bench.database) }
      #expect(try findings(role, bench) == [])
    }
  }
}
