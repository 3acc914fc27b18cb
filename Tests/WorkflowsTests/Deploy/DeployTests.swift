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

  /// What the last of the pending migrations has in its folder.
  @Test(
    arguments: [
      (nil, "P3015", "could not be found"),
      ([0x2D, 0x2D, 0x0A, 0x41, 0x42, 0xE9, 0x0A], "migration_not_utf8", "line 2, byte 3: 0xE9 is not UTF-8"),
    ] as [([UInt8]?, String, String)])
  func `a script that is missing or no UTF-8 is refused before anything is dumped or applied`(
    bytes: [UInt8]?, code: String, why: String
  ) throws {
    try DeployBench.with { bench in
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      let folder = "\(bench.migrations)/20240301000000_bad"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      if let bytes { try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/migration.sql")) }
      for run in [try bench.run("deploy", "--json"), try bench.run("deploy", "--json", program: bench.spy)] {
        #expect(run.exit == 1)
        #expect(run.json.string("error", "code") == code, "\(run.stdout)")
        #expect(run.json.string("error", "why")?.contains(why) == true, "\(run.stdout)")
      }
      #expect(!bench.spyWasRun)
      #expect(try bench.history() == [DeployBench.firstRow])
      #expect(try bench.deploys().isEmpty)
      #expect(bench.bench.shelfContents().filter { !$0.hasPrefix(".") && $0 != "deploys" }.isEmpty)
    }
  }

  @Test func `the snapshot of a deploy that began no migration is not held`() throws {
    try DeployBench.with { bench in
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      let run = try bench.cluster.holding("SELECT pg_advisory_lock(72707369)", database: bench.database) {
        try bench.run("deploy", "--json")
      }
      #expect(run.exit == 75, "\(run.stdout)")
      let list = try bench.run("list", "--json").json
      #expect(list.array("backups")?.count == 1 && list.flag("backups", 0, "held") == false)
      #expect(try bench.deploys().first?.state == .abandoned)
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
      try bench.migration(Self.name, "SELECT 1;")
      let run = try bench.cluster.holding("SELECT pg_advisory_lock(72707369)", database: bench.database) {
        try bench.run("deploy", "--json")
      }
      #expect(run.exit == 75)
      #expect(run.json.string("state") == "failed")
      #expect(try bench.databases() == [bench.database])
    }
  }

  @Test func `on another database than that of the earlier backups nothing is deployed until that is said`() throws {
    try DeployBench.with { bench in
      #expect(try bench.run("backup").exit == 0)
      let first = bench.database
      _ = try bench.copy("other")
      try bench.move(to: "\(first)_other")
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      for command in ["deploy", "snapshot"] {
        let run = try bench.run(command, "--json")
        #expect(run.exit == 78 && run.json.string("error", "code") == "other_database", "\(run.stdout)")
        #expect(run.json.string("error", "next_step")?.contains("--new-database") == true)
      }
      let backup = try bench.run("backup", "--json")
      #expect(backup.exit == 0)
      let warning = (backup.json.array("warnings") as? [String])?.joined() ?? ""
      #expect(warning.contains("are of \(first) on"), "\(warning)")
      // That it was backed up once makes it no more right.
      #expect(try bench.run("deploy").exit == 78)
      #expect(try bench.run("check").exit == 2)
      let status = try bench.run("status", "--json")
      #expect((status.json.array("reasons") as? [String])?.contains("other_database") == true, "\(status.stdout)")
      #expect(status.json.string("database") == bench.database && status.json.string("server")?.contains(":") == true)
      let deploy = try bench.run("deploy", "--new-database", "--json")
      #expect(deploy.exit == 0, "\(deploy.stdout)")
      // Said once.
      try bench.deploy("20240301000000_later", "SELECT 1;")
      #expect(try !bench.run("backup", "--json").stdout.contains("database.url names"))
      // And for good: also when the backup is gone with which it was said.
      let backups = try bench.run("list", "--json").json.array("backups") as? [[String: Any]] ?? []
      for backup in backups.dropFirst() where backup["database"] as? String == bench.database {
        let id = try #require(backup["id"] as? String)
        try FileManager.default.removeItem(atPath: bench.bench.path(of: id))
      }
      #expect(try bench.run("check").exit == 0)
      try bench.move(to: first)
      #expect(try bench.run("snapshot").exit == 78)
    }
  }
}
