import BackupModel
import Foundation
import TestSupport
import Testing

/// What a deploy must not take for granted: that nobody else deploys, that the database and its snapshot are still the same, that a
/// program did nothing but what the history says.
@Suite struct DeployDoubtTests {
  private static let sleep = "SELECT pg_sleep(600)"

  @Test func `a migration that another deployer failed while the snapshot was taken stops the deploy`() throws {
    try DeployBench.with { bench in
      try bench.writeCrashMigrations()
      let tools = try StoppableTools(in: "\(bench.bench.folder)/tools", real: bench.cluster.binaries)
      try bench.writePolicy(more: "tools: {directory: \"\(tools.folder)\"}")
      let moment = StoppableTools.Moment("pg_dump.end")
      try tools.arm(moment)
      let deploy = try bench.start("deploy")
      try tools.reach(moment)
      try bench.psql(
        """
        INSERT INTO _prisma_migrations (id, checksum, migration_name, logs)
        VALUES ('other', 'x', '\(DeployBench.crashed[0])', 'division by zero')
        """)
      try tools.release(moment)
      let end = try deploy.end()
      tools.disarm(moment)
      #expect(end.code == 1)
      #expect(end.standardError.contains("division by zero"), "\(end.standardError)")
      #expect(try bench.live() == [DeployBench.first], "no other is applied over it")
      try bench.expectNothingLeft()
    }
  }

  /// Kills a deploy while its first script sleeps.
  private func withInterrupted(_ body: (DeployBench) throws -> Void) throws {
    try DeployBench.with { bench in
      try bench.migration(
        DeployBench.crashed[0], "SELECT pg_sleep(600) WHERE obj_description('orders'::regclass) = 'sleep'")
      try bench.migration(DeployBench.crashed[1], "CREATE TABLE more (a int)")
      try bench.psql("COMMENT ON TABLE orders IS 'sleep'")
      let run = try bench.startDeploy()
      try bench.waitUntilAsleep()
      _ = try run.end(bySending: SIGKILL)
      try bench.psql("COMMENT ON TABLE orders IS NULL")
      try body(bench)
    }
  }

  @Test func `a deploy is not resumed on another database than its snapshot is of`() throws {
    try withInterrupted { bench in
      let (mine, away) = (bench.database, bench.bench.newDatabaseName("away"))
      try waitUntil("the killed run's sessions are gone") {
        try bench.maintain("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(mine)'")
        return (try? bench.maintain("ALTER DATABASE \(mine) RENAME TO \(away)")) != nil
      }
      try bench.maintain("CREATE DATABASE \(mine)")
      let resume = try bench.run("resume", "--json")
      #expect(resume.exit == 1)
      #expect(resume.json.string("error", "code") == "snapshot_of_another", "\(resume.stdout)")
      #expect(try bench.psql("SELECT to_regclass('more')").isEmpty)
      try bench.maintain("DROP DATABASE \(mine)")
      try bench.maintain("ALTER DATABASE \(away) RENAME TO \(mine)")
      #expect(try bench.run("resume").exit == 0)
      #expect(try bench.psql("SELECT to_regclass('more')") == "more")
    }
  }

  @Test func `a deploy is not resumed over a snapshot that is damaged by now`() throws {
    try withInterrupted { bench in
      let snapshot = try #require(try bench.backups().first)
      let data = "\(bench.bench.shelf)/\(snapshot)/data"
      let file = try #require(try FileManager.default.contentsOfDirectory(atPath: data).first { $0.hasSuffix(".zst") })
      let handle = try #require(FileHandle(forWritingAtPath: "\(data)/\(file)"))
      try handle.seekToEnd()
      try handle.write(contentsOf: Data("x".utf8))
      let resume = try bench.run("resume", "--json")
      #expect(resume.exit == 65, "\(resume.stdout)")
      #expect(try bench.psql("SELECT to_regclass('more')").isEmpty)
    }
  }

  @Test func `whether a killed command changed rows is said to be unknown, and the way back stays`() throws {
    try DeployBench.with { bench in
      try bench.writeCrashMigrations()
      let command = bench.psqlCommand("UPDATE customers SET name = 'x' WHERE id <= 5") + "; exec sleep 600"
      let run = try bench.startDeploy(program: ["/bin/sh", "-c", command])
      try waitUntil("it has written") { try bench.psql("SELECT count(*) FROM customers WHERE name = 'x'") == "5" }
      _ = try run.end(bySending: SIGKILL)
      let resume = try bench.run("resume", "--json")
      #expect(resume.exit == 64)
      #expect(resume.json.string("error", "code") == "command_wanted")
      let abandon = try bench.confirmed("abandon")
      #expect(abandon.exit == 1)
      #expect(abandon.json.string("error", "code") == "rows_in_doubt", "\(abandon.stdout)")
      #expect(try bench.confirmed("rollback").exit == 0)
      #expect(try bench.psql("SELECT count(*) FROM customers WHERE name = 'x'") == "0")
      try bench.expectNothingLeft()
    }
  }

  @Test func `a command's deploy is resumed by the command`() throws {
    try DeployBench.with { bench in
      try bench.migration(DeployBench.crashed[0], "CREATE TABLE more (a int)")
      let run = try bench.startDeploy(program: ["/bin/sleep", "600"])
      try waitUntil("the command runs") { try bench.deploys().first?.byCommand == true }
      _ = try run.end(bySending: SIGKILL)
      let applying = """
        CREATE TABLE more (a int); INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at)
        VALUES ('by', 'x', '\(DeployBench.crashed[0])', now())
        """
      let resume = try bench.run("resume", program: ["/bin/sh", "-c", bench.psqlCommand(applying)])
      #expect(resume.exit == 0, "\(resume.stderr)")
      #expect(try bench.live() == [DeployBench.first, DeployBench.crashed[0]])
    }
  }

  @Test func `what may have committed a part is not tried again for want of a lock`() throws {
    try DeployBench.with(settings: ["lock_timeout: 300ms"]) { bench in
      try bench.psql(
        """
        CREATE TABLE t (id int, n int); INSERT INTO t SELECT n, 0 FROM generate_series(1, 5) n;
        CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$ DECLARE i int; BEGIN
          FOR i IN 1..5 LOOP UPDATE t SET n = n + 1 WHERE id = i; COMMIT; END LOOP; END $$
        """)
      try bench.migration(DeployBench.crashed[0], "CALL fill();\nCREATE INDEX CONCURRENTLY ON t (id);")
      let run = try bench.cluster.holding("UPDATE t SET n = 9 WHERE id = 4", database: bench.database) {
        try bench.run("deploy")
      }
      #expect(run.exit == 1)
      #expect(try bench.psql("SELECT string_agg(n::text, '' ORDER BY id) FROM t") == "11100")
    }
  }

  @Test func `a failed deploy whose rollback fails too still says which migration failed`() throws {
    try DeployBench.with(settings: ["on_failure: rollback"]) { bench in
      let gid = "held_\(bench.database)"
      try bench.migration(DeployBench.crashed[0], "COMMIT;\nCREATE TABLE more (a int);\nSELECT 1/0;")
      try bench.psql("BEGIN; INSERT INTO orders VALUES (999, 1, ''); PREPARE TRANSACTION '\(gid)'")
      defer { _ = try? bench.psql("ROLLBACK PREPARED '\(gid)'") }
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 1)
      #expect(run.json.string("failed") == DeployBench.crashed[0], "\(run.stdout)")
      #expect(run.json.string("state") == "failed")
      let details = (run.json.array("error", "details") ?? []).compactMap { $0 as? String }
      #expect(details.contains { $0.contains("rollback") && $0.contains("prepared transaction") }, "\(details)")
    }
  }

  @Test func `a role that could not roll back does not deploy`() throws {
    try DeployBench.with { bench in
      try bench.migration(DeployBench.crashed[0], "CREATE TABLE more (a int)")
      let role = "weak_\(bench.database)"
      try bench.psql(
        "CREATE ROLE \(role) LOGIN IN ROLE pg_read_all_data, pg_write_all_data; GRANT CREATE ON SCHEMA public TO \(role)"
      )
      defer { _ = try? bench.psql("DROP OWNED BY \(role); DROP ROLE \(role)") }
      try bench.writePolicy(url: bench.cluster.url(bench.database).replacing("postgres@", with: "\(role)@"))
      let run = try bench.run("deploy", "--json", program: bench.spy)
      #expect(run.exit == 77)
      #expect(run.json.string("error", "code") == "no_way_back", "\(run.stdout)")
      #expect(run.json.string("error", "why")?.contains("CREATEDB") == true)
      #expect(!bench.spyWasRun)
      #expect(try bench.backups() == [] && bench.deploys().isEmpty)
    }
  }

  @Test func `a migrations folder that is not there is a mistake in the policy`() throws {
    try DeployBench.with { bench in
      try FileManager.default.removeItem(atPath: bench.migrations)
      for command in ["migrations", "deploy"] {
        let run = try bench.run(command, "--json")
        #expect(run.exit == 78)
        #expect(run.json.string("error", "why")?.contains(bench.migrations) == true, "\(run.stdout)")
      }
    }
  }
}
