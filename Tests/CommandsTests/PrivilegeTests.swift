import Foundation
import TestSupport
import Testing

@Suite struct PrivilegeTests {
  @Test func `everything that a role cannot read is listed at once, each with the statement that lets it`() throws {
    let sql = #"""
      CREATE SCHEMA closed; CREATE TABLE closed."odd ""name""" (a int);
      CREATE TABLE open_table (id serial, a int); CREATE TABLE secret (a int); CREATE TABLE guarded (a int);
      CREATE SEQUENCE counter; ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
      SELECT lo_from_bytea(0, 'x');
      """#
    try Workbench.with(sql: sql) { bench in
      let role = "reader_\(bench.database)"
      defer { _ = try? bench.cluster.psql("DROP OWNED BY \(role); DROP ROLE \(role)", database: bench.database) }
      try bench.cluster.psql(
        "CREATE ROLE \(role) LOGIN; GRANT SELECT ON open_table, guarded TO \(role)", database: bench.database)
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: role), more: "backup: {globals: false}")
      let run = try bench.holdfast("backup", "--json")
      #expect(run.exit == 77)
      #expect(run.json.string("error", "code") == "missing_privileges")
      #expect(bench.shelfContents().isEmpty)
      let details = (run.json.array("error", "details") ?? []).compactMap { $0 as? String }
      let statements = details.compactMap { $0.components(separatedBy: ": ").last }
      let objects = try bench.cluster.psql("SELECT oid FROM pg_largeobject_metadata", database: bench.database)
      #expect(
        statements == [
          "GRANT USAGE ON SCHEMA closed TO \"\(role)\"",
          "GRANT SELECT ON closed.\"odd \"\"name\"\"\" TO \"\(role)\"",
          "GRANT SELECT ON SEQUENCE public.counter TO \"\(role)\"",
          "GRANT SELECT ON SEQUENCE public.open_table_id_seq TO \"\(role)\"",
          "GRANT SELECT ON public.secret TO \"\(role)\"",
          "ALTER ROLE \"\(role)\" BYPASSRLS",
          "GRANT SELECT ON LARGE OBJECT \(objects) TO \"\(role)\"",
        ])
      let check = try bench.holdfast("check", "--json")
      #expect(check.exit == 2)
      #expect(check.json.array("problems")?.count == statements.count)

      // What it says is what helps.
      for statement in statements { try bench.cluster.psql(statement, database: bench.database) }
      try bench.backUp()
      #expect(try bench.holdfast("check").exit == 0)
    }
  }

  @Test func `one missing privilege is the error itself, and its statement the hint`() throws {
    try Workbench.with(sql: "CREATE TABLE one (a int)") { bench in
      let role = "lone_\(bench.database)"
      try bench.cluster.psql("CREATE ROLE \(role) LOGIN")
      defer { _ = try? bench.cluster.psql("DROP ROLE \(role)") }
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: role))
      let run = try bench.holdfast("backup")
      #expect(run.exit == 77)
      #expect(run.stderr.contains("cannot read table public.one"))
      #expect(run.stderr.hasSuffix("hint: GRANT SELECT ON public.one TO \"\(role)\"\n"))
    }
  }

  @Test func `a role without the right to create databases is told before anything is verified`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a") { bench in
      let role = "plain_\(bench.database)"
      let id = try bench.backUp()
      try bench.cluster.psql("CREATE ROLE \(role) LOGIN")
      defer { _ = try? bench.cluster.psql("DROP ROLE \(role)") }
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: role))
      let run = try bench.holdfast("restore", id, "--into", bench.newDatabaseName(), "--json")
      #expect(run.exit == 77)
      #expect(run.json.string("error", "code") == "missing_privileges", "\(run.stdout)")
      #expect(run.json.string("error", "next_step")?.contains("ALTER ROLE \"\(role)\" CREATEDB") == true)
      #expect(!run.stderr.contains("verify"), "\(run.stderr)")
    }
  }
}
