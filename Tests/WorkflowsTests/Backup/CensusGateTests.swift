import Foundation
import TestSupport
import Testing

/// No deploy behind a snapshot that lacks something, unless the policy accepts it.
@Suite struct CensusGateTests {
  private static let name = "20240201000000_more"
  private static let loss = """
    CREATE EXTENSION hstore; CREATE TABLE taken AS SELECT 1 AS a; ALTER EXTENSION hstore ADD TABLE taken;
    """

  @Test func `an incomplete snapshot stops the deploy before the first migration`() throws {
    try DeployBench.with(sql: Self.loss) { deploy in
      try deploy.migration(Self.name, "CREATE TABLE more (a int);")
      let run = try deploy.run("deploy", "--json", program: deploy.spy)
      #expect(run.exit == 78)
      #expect(run.json.string("error", "code") == "incomplete_snapshot", "\(run.stdout)")
      #expect(run.json.string("error", "why")?.contains("public.taken") == true)
      #expect(run.json.string("error", "next_step")?.contains("backup.accept_missing: [extension_rows]") == true)
      #expect(!deploy.spyWasRun)
      // It was known before a snapshot was taken.
      #expect(try deploy.run("list", "--json").json.array("backups")?.isEmpty == true)
      #expect(try deploy.run("status", "--json").json.value(["open_deploy"]) is NSNull)

      try deploy.writePolicy(more: "backup: {jobs: 1, globals: false, accept_missing: [extension_rows]}")
      let accepted = try deploy.run("deploy", "--json")
      #expect(accepted.exit == 0, "\(accepted.stdout)\(accepted.stderr)")
      let back = try deploy.confirmed("rollback")
      #expect(back.exit == 0, "\(back.stdout)\(back.stderr)")
    }
  }

  @Test func `a snapshot that turns out to be incomplete stops the deploy, too`() throws {
    try DeployBench.with { deploy in
      try deploy.migration(Self.name, "CREATE TABLE more (a int);")
      let tools = try StoppableTools(in: "\(deploy.bench.folder)/tools", real: deploy.cluster.binaries)
      try tools.replace("pg_dump", "exec \"$real\" \"$@\" --exclude-table-data=orders")
      try deploy.writePolicy(more: "tools: {directory: \"\(tools.folder)\"}")
      let run = try deploy.run("deploy", "--json", program: deploy.spy)
      #expect(run.exit == 78)
      #expect(run.json.string("error", "code") == "incomplete_snapshot", "\(run.stdout)")
      #expect(run.json.string("error", "why")?.contains("public.orders") == true)
      #expect(!deploy.spyWasRun)
      #expect(try deploy.run("status", "--json").json.value(["open_deploy"]) is NSNull)
      // The form for hooks fails as well, and still says which backup it took.
      let snapshot = try deploy.run("snapshot", "--json")
      #expect(snapshot.exit == 78)
      #expect(snapshot.json.string("error", "code") == "incomplete_snapshot")
      #expect(snapshot.json.flag("backup", "complete") == false)
      #expect(try deploy.run("snapshot").stdout.isEmpty)
    }
  }

  @Test func `a role without a right is 77`() throws {
    let sql = "CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw; "
    try DeployBench.with(sql: sql) { deploy in
      let role = "owner_\(deploy.database)"
      try deploy.cluster.psql(
        "CREATE ROLE \(role) LOGIN CREATEDB; ALTER DATABASE \(deploy.database) OWNER TO \(role)")
      defer {
        deploy.dropCopies()
        _ = try? deploy.cluster.psql("DROP DATABASE \(deploy.database) WITH (FORCE)")
        _ = try? deploy.cluster.psql("DROP ROLE \(role)")
      }
      try deploy.cluster.psql(
        "ALTER TABLE _prisma_migrations OWNER TO \(role); CREATE USER MAPPING FOR postgres SERVER far OPTIONS (password 'x')",
        database: deploy.database)
      try deploy.migration(Self.name, "CREATE TABLE more (a int);")
      try deploy.writePolicy(url: deploy.cluster.url(deploy.database, user: role))
      let run = try deploy.run("deploy", "--json")
      #expect(run.exit == 77)
      #expect(run.json.string("error", "code") == "incomplete_snapshot", "\(run.stdout)")
      #expect(run.json.string("error", "why")?.contains("postgres on server far") == true)
      #expect(!run.stdout.contains("'x'"))
    }
  }
}
