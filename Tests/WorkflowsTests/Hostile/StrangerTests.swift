import Foundation
import PostgresTools
import TestSupport
import Testing

/// What a role may do that can log in, and nothing else: it keeps nobody from a backup, and nobody from the way back.
@Suite struct StrangerTests {
  private func with(sql: String = "CREATE TABLE t AS SELECT 1 AS a", _ body: (DeployBench, String) throws -> Void)
    throws
  {
    try DeployBench.with(sql: sql) { deploy in
      let role = "stranger_\(UInt32.random(in: 0...UInt32.max))"
      try deploy.cluster.psql("CREATE ROLE \(role) LOGIN")
      defer { _ = try? deploy.cluster.psql("DROP OWNED BY \(role); DROP ROLE \(role)") }
      try body(deploy, role)
    }
  }

  /// Opens a transaction of the role's, and leaves it open.
  private func hold(_ statement: String, _ role: String, _ deploy: DeployBench) throws -> ChildProcess {
    let line =
      "(echo \"BEGIN; \(statement);\"; sleep 300) | exec '\(deploy.cluster.binaries)/psql' -Xq -h '\(deploy.cluster.socket)' "
      + "-p \(deploy.cluster.port) -U \(role) -d postgres"
    var command = ProgramRun.command([])
    (command.executable, command.arguments) = ("/bin/sh", ["-c", line])
    let process = try ChildProcess(starting: command, capturesOutput: false)
    try waitUntil("the stranger has its lock") {
      try deploy.cluster.psql(
        "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE usename = '\(role)' AND granted "
          + "AND classid = 'pg_database'::regclass") == "1"
    }
    return process
  }

  @Test func `a setting of its own, not committed, keeps no database from its name`() throws {
    try with { deploy, role in
      try deploy.deploy("20240201000000_more", "CREATE TABLE more (a int);")
      let holder = try hold("ALTER ROLE \(role) IN DATABASE \(deploy.database) SET work_mem = '1MB'", role, deploy)
      defer { holder.terminate(graceSeconds: 0.1) }
      let run = try deploy.confirmed("rollback")
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      #expect(run.stderr.contains(role) && run.stderr.contains("is no run of Holdfast's"), "\(run.stderr)")
      #expect(try deploy.psql("SELECT to_regclass('more') IS NULL") == "t")
    }
  }

  @Test func `nor one that is being restored`() throws {
    try with { deploy, role in
      #expect(try deploy.run("backup").exit == 0)
      let copy = "\(deploy.database)_copy"
      let run = try SteppedRun(
        deploy.command(["restore", "latest", "--into", copy]), at: "publish the database", notesIn: deploy.bench.folder)
      #expect(try run.reach() != nil)
      let made = try deploy.cluster.psql(
        "SELECT datname FROM pg_database WHERE datname LIKE '\(deploy.database)%__restore_%'")
      let holder = try hold("ALTER ROLE \(role) IN DATABASE \(made) SET work_mem = '1MB'", role, deploy)
      defer { holder.terminate(graceSeconds: 0.1) }
      let end = try run.end()
      #expect(
        end.code == 0 && end.standardError.contains("ended pid") && end.standardError.contains(role),
        "\(end.standardError)")
      #expect(try deploy.cluster.psql("SELECT a FROM t", database: copy) == "1")
      try deploy.maintain("DROP DATABASE \"\(copy)\" WITH (FORCE)")
    }
  }

  /// Committed at the moment in which the restored database gets the same setting: one of the two statements fails.
  @Test(arguments: ["rollback", "restore"]) func `a setting that it changes again and again fails none`(command: String)
    throws
  {
    try with { deploy, role in
      try deploy.cluster.psql("ALTER ROLE \(role) IN DATABASE \(deploy.database) SET work_mem = '1MB'")
      try deploy.deploy("20240201000000_more", "CREATE TABLE more (a int);")
      let copy = "\(deploy.database)_copy"
      let words =
        command == "rollback" ? ["rollback", "--confirm", deploy.database] : ["restore", "latest", "--into", copy]
      let loop = """
        DO $$ DECLARE d name; BEGIN FOR i IN 1..3000 LOOP FOR d IN SELECT datname FROM pg_database
          WHERE datname LIKE '\(deploy.database)%' LOOP BEGIN
            EXECUTE format('ALTER ROLE \(role) IN DATABASE %I SET work_mem = %L', d, (1024 + i) || 'kB');
            EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; COMMIT; PERFORM pg_sleep(0.001); END LOOP; END $$
        """
      var client = ProgramRun.command([])
      (client.executable, client.arguments) = (
        "\(deploy.cluster.binaries)/psql",
        ["-Xq", "-h", deploy.cluster.socket, "-p", "\(deploy.cluster.port)", "-U", role, "-d", "postgres", "-c", loop]
      )
      let stranger = try ChildProcess(starting: client, capturesOutput: false)
      defer { stranger.terminate(graceSeconds: 0.1) }
      try waitUntil("the stranger changes it") {
        try deploy.cluster.psql(
          "SELECT count(*) FROM pg_db_role_setting WHERE setrole = '\(role)'::regrole AND NOT 'work_mem=1MB' = ANY (setconfig)"
        ) != "0"
      }
      let end = try ProgramRun(running: deploy.command(words))
      #expect(end.exit == 0, "\(end.stderr)")
      if command == "restore" { try deploy.maintain("DROP DATABASE IF EXISTS \"\(copy)\" WITH (FORCE)") }
    }
  }

  @Test func `a setting of its own, however large, fails no backup, and is told`() throws {
    try with { deploy, role in
      try deploy.cluster.psql(
        "DO $$ BEGIN EXECUTE format('ALTER ROLE \(role) IN DATABASE \(deploy.database) SET search_path = %s', (SELECT "
          + "string_agg(quote_literal('y' || i), ',') FROM generate_series(1, 150000) i)); END $$", user: role)
      let run = try deploy.run("backup")
      #expect(run.exit == 0 && run.stderr.contains("settings of role \(role)"), "\(run.stdout)\(run.stderr)")
      let show = try deploy.run("show", "latest", "--json")
      #expect(!show.stdout.contains("y149999"))
    }
  }

  @Test(arguments: ["standard_conforming_strings = off", "idle_session_timeout = 1", "statement_timeout = 1"])
  func `a setting of the database's fails no backup`(setting: String) throws {
    try with(sql: "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a'; CREATE VIEW v AS SELECT f(1)") {
      deploy, _ in
      try deploy.cluster.psql("ALTER DATABASE \(deploy.database) SET \(setting)")
      defer { _ = try? deploy.cluster.psql("ALTER DATABASE \(deploy.database) RESET ALL") }
      for command in [["check"], ["backup"]] {
        let run = try ProgramRun(running: deploy.command(command))
        #expect(
          run.exit == 0 || command == ["check"] && run.exit == 2 && !run.stdout.contains("connection"),
          "\(run.stdout)\(run.stderr)")
      }
    }
  }

  @Test func `a migration of gigabytes is not read`() throws {
    try with { deploy, _ in
      try deploy.migration("20240201000000_large", "SELECT 1;")
      #expect(truncate("\(deploy.migrations)/20240201000000_large/migration.sql", 5 << 30) == 0)
      for command in [["migrations"], ["status"], ["deploy"]] {
        let process = try ChildProcess(starting: deploy.command(command + ["--json"]), capturesOutput: true)
        let (exit, bytes) = try PeakMemory(of: process.pid).whileRunning { try process.end() }
        #expect(exit.code != 0 && bytes < 300 << 20, "\(command): \(exit.code), \(bytes >> 20) MiB")
        let run = try ProgramRun(running: deploy.command(command + ["--json"]))
        #expect(run.stdout.contains("has more than 512 MiB"), "\(command): \(run.stdout)")
      }
    }
  }
}
