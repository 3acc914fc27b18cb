import BackupModel
import Foundation
import TestSupport
import Testing

/// A deploy applies what pends, keeps Prisma's books, and refuses where Prisma refuses.
@Suite struct DeployTests {
  private static let name = "20240201000000_more"

  @Test func `pending migrations are applied in order, and leave the rows that Prisma leaves`() throws {
    try DeployBench.with { bench in
      try bench.migration("20240301000000_last", "INSERT INTO more VALUES (2);")
      try bench.migration(Self.name, "CREATE TABLE more (a int);\nINSERT INTO more VALUES (1);\n")
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 0, "\(run.stderr)")
      #expect(run.json.string("state") == "applied")
      #expect(run.json.array("applied") as? [String] == [Self.name, "20240301000000_last"])
      #expect(run.json.value(["failed"]) is NSNull)
      #expect(run.json.value(["error"]) == nil)
      #expect(try bench.history() == [DeployBench.firstRow, "\(Self.name)|t|f|f|1", "20240301000000_last|t|f|f|1"])
      #expect(try bench.psql("SELECT array_agg(a ORDER BY a) FROM more") == "{1,2}")
      let row = try bench.psql(
        """
        SELECT id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', started_at <= finished_at,
          checksum = encode(sha256(E'CREATE TABLE more (a int);\\nINSERT INTO more VALUES (1);\\n'), 'hex')
        FROM _prisma_migrations WHERE migration_name = '\(Self.name)'
        """)
      #expect(row == "t|t|t")
      try bench.expectNothingLeft()
    }
  }

  @Test func `the snapshot is held, proven, and bound to the state before`() throws {
    try DeployBench.with { bench in
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      let run = try bench.run("deploy", "--json")
      let snapshot = try #require(run.json.string("snapshot"))
      let show = try bench.run("show", snapshot, "--json").json
      #expect(show.string("backup", "reason") == "pre-deploy")
      #expect(show.flag("backup", "held") == true)
      #expect(show.string("backup", "deploy") == run.json.string("deploy"))
      #expect(show.string("backup", "verification", "level") == "archive")
      let record = try #require(try bench.deploys().first)
      #expect(record.backup == snapshot)
      #expect(record.state == .applied)
      #expect(record.pending == [Self.name])
      #expect(record.applied == [Self.name])
    }
  }

  @Test func `a database without a history gets one`() throws {
    try DeployBench.with(sql: "", managed: false) { bench in
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 0, "\(run.stderr)")
      #expect(try bench.history() == [DeployBench.firstRow])
    }
  }

  @Test func `where nothing pends no snapshot is taken`() throws {
    try DeployBench.with { bench in
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 0)
      #expect(run.json.string("state") == "nothing-to-do")
      #expect(try bench.backups() == [])
      #expect(try bench.deploys() == [])
    }
  }

  @Test func `a migration that has failed before stops the deploy, with what the server said`() throws {
    try DeployBench.with { bench in
      try bench.migration(Self.name, "CREATE TABLE more (a int); SELECT 1/0;")
      #expect(try bench.run("deploy").exit == 1)
      let taken = try bench.backups()
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 1)
      #expect(run.json.string("error", "code") == "P3009")
      let details = (run.json.array("error", "details") as? [String] ?? []).joined(separator: "\n")
      #expect(details.contains("division by zero"))
      #expect(try bench.backups() == taken, "no snapshot is taken where no deploy can follow")
    }
  }

  @Test func `a schema without a history that has tables is refused`() throws {
    try DeployBench.with(managed: false) { bench in
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 1)
      #expect(run.json.string("error", "code") == "P3005")
      #expect(try bench.psql("SELECT to_regclass('_prisma_migrations')").isEmpty)
      #expect(try bench.backups() == [])
    }
  }

  @Test func `a folder made for another kind of database is refused`() throws {
    try DeployBench.with { bench in
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      try Data("provider = \"mysql\"\n".utf8).write(
        to: URL(fileURLWithPath: "\(bench.migrations)/migration_lock.toml"))
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 1)
      #expect(run.json.string("error", "code") == "P3019")
      #expect(try bench.history() == [DeployBench.firstRow])
    }
  }

  @Test func `a folder without its script stops the deploy there, and what came before stays applied`() throws {
    try DeployBench.with { bench in
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      try FileManager.default.createDirectory(
        atPath: "\(bench.migrations)/20240301000000_empty", withIntermediateDirectories: true)
      try bench.migration("20240401000000_never", "CREATE TABLE never (a int);")
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 1)
      #expect(run.json.string("error", "code") == "P3015")
      #expect(run.json.string("state") == "failed")
      #expect(run.json.array("applied") as? [String] == [Self.name])
      #expect(try bench.history() == [DeployBench.firstRow, "\(Self.name)|t|f|f|1"])
      let record = try #require(try bench.deploys().first)
      #expect(record.state == .failed)
    }
  }

  @Test func `a health check that does not hold fails the deploy, and its migrations stay`() throws {
    try DeployBench.with(settings: ["health_checks: [{sql: SELECT count(*) = 0 FROM more}]"]) { bench in
      try bench.migration(Self.name, "CREATE TABLE more AS SELECT 1;")
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 1)
      #expect(run.json.string("error", "code") == "health_check_failed")
      #expect(try bench.history().last == "\(Self.name)|t|f|f|1")
      #expect(try bench.deploys().first?.state == .failed)
    }
  }

  @Test func `a failed deploy is rolled back at once where the policy wants that`() throws {
    try DeployBench.with(settings: ["on_failure: rollback"]) { bench in
      let copy = try bench.copy()
      try bench.migration(Self.name, "CREATE TABLE more (a int); COMMIT; SELECT 1/0;")
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 1)
      #expect(run.json.string("state") == "rolled-back")
      #expect(run.json.flag("rolled_back") == true)
      let details = run.json.array("error", "details") as? [String] ?? []
      #expect(details.last?.hasPrefix("lost: ") == true, "\(details)")
      try bench.expectEqual(to: copy)
      #expect(try bench.history() == [DeployBench.firstRow, "\(Self.name)|f|t|t|0"])
      try bench.expectNothingLeft()
    }
  }

  @Test func `a deploy that changed nothing is not rolled back`() throws {
    try DeployBench.with(settings: ["on_failure: rollback"]) { bench in
      try FileManager.default.createDirectory(
        atPath: "\(bench.migrations)/\(Self.name)", withIntermediateDirectories: true)
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 1)
      #expect(run.json.string("error", "code") == "P3015")
      #expect(run.json.string("state") == "failed")
      #expect(try bench.databases() == [bench.database])
    }
  }
}
