import Foundation
import PostgresTools
import TestSupport
import Testing

/// A run that is asked to stop: it ends soon, says so by its exit code, and takes back what it had begun.
@Suite struct CrashSignalTests {
  private static let promptly = 2.0

  @Test func `a backup that is stopped at a step takes everything back`() throws {
    try CrashBench.with { crash in
      for (number, moment) in CrashBackupKillTests.moments.enumerated() {
        let backup = try crash.start("backup", until: moment)
        try Self.expectPromptStop(of: backup, by: number, "at \(moment)")
        crash.tools.disarm(moment)
        try crash.expectNothingLeft("at \(moment)")
        #expect(try crash.listed().isEmpty)
      }
    }
  }

  @Test func `a restore that is stopped at a step drops the half-made database`() throws {
    try CrashBench.with { crash in
      let (id, copy) = (try crash.backUp(), crash.bench.newDatabaseName())
      for (number, moment) in CrashRestoreKillTests.moments.enumerated() {
        let restore = try crash.start("restore", id, "--into", copy, until: moment)
        try Self.expectPromptStop(of: restore, by: number, "at \(moment)")
        crash.tools.disarm(moment)
        try crash.expectNothingLeft("at \(moment)")
      }
    }
  }

  /// SIGTERM and SIGINT by turns.
  private static func expectPromptStop(of run: ChildProcess, by number: Int, _ comment: Comment) throws {
    let (signal, code) = number.isMultiple(of: 2) ? (SIGTERM, Int32(143)) : (SIGINT, Int32(130))
    let (exit, seconds) = try run.end(bySending: signal)
    #expect(exit.code == code, comment)
    #expect(seconds < promptly, comment)
  }

  @Test(arguments: [SIGHUP, SIGQUIT]) func `a run whose terminal goes away is undone as one that is terminated`(
    signal: Int32
  ) throws {
    try CrashBench.with { crash in
      let (id, copy) = (try crash.backUp(), crash.bench.newDatabaseName())
      let half = StoppableTools.Moment("pg_restore.half")
      let restore = try crash.start("restore", id, "--into", copy, until: half)
      let (exit, seconds) = try restore.end(bySending: signal)
      #expect(exit.code == 143)
      #expect(exit.standardError.contains(signal == SIGHUP ? "SIGHUP" : "SIGQUIT"))
      #expect(seconds < Self.promptly)
      crash.tools.disarm(half)
      try crash.expectNothingLeft()
    }
  }

  @Test func `a run under nohup outlives its terminal`() throws {
    try CrashBench.with { crash in
      let dumping = StoppableTools.Moment("pg_dump.half")
      try crash.tools.arm(dumping)
      var command = crash.command(["backup"])
      command.arguments.insert(command.executable, at: 0)
      command.executable = "/usr/bin/nohup"
      let backup = try ChildProcess(starting: command, capturesOutput: false)
      try crash.tools.reach(dumping)
      kill(backup.pid, SIGHUP)
      try crash.tools.release(dumping)
      #expect(try backup.end().code == 0)
    }
  }

  /// Where the restored table's constraint, index or statistics wait in a function: there the server is at work.
  @Test(arguments: ["COPY", "CREATE INDEX", "ANALYZE"])
  func `a restore that is stopped while the server works ends the server's work too`(statement: String) throws {
    let sql = """
      CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 10);
      CREATE FUNCTION wait(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
        IF current_database() LIKE '%copy%' AND current_query() LIKE '\(statement)%' THEN PERFORM pg_sleep(600); END IF;
        RETURN i; END $$;
      ALTER TABLE t ADD CHECK (public.wait(id) = id); CREATE INDEX ON t (public.wait(id));
      """
    try CrashBench.with(sql: sql) { crash in
      let (id, copy) = (try crash.backUp(), crash.bench.newDatabaseName())
      let restore = try crash.start("restore", id, "--into", copy)
      #expect(try eventually { try crash.sessions().contains { $0.contains("|active|\(statement)") } })
      let (exit, seconds) = try restore.end(bySending: SIGTERM)
      #expect(exit.code == 143)
      #expect(seconds < Self.promptly)
      try crash.expectNothingLeft()
    }
  }

  @Test func `a backup that is interrupted while pg_dump waits for a lock ends at once`() throws {
    try CrashBench.with { crash in
      try crash.cluster.holding("LOCK TABLE orders", database: crash.bench.database) {
        let backup = try crash.start("backup")
        #expect(try eventually { try crash.sessions().contains { $0.contains("LOCK TABLE") } })
        let (exit, seconds) = try backup.end(bySending: SIGINT)
        #expect(exit.code == 130)
        #expect(seconds < Self.promptly)
        try crash.expectNothingLeft()
      }
    }
  }

  @Test func `killed while pg_dump waits for a lock, a backup leaves neither it nor its sessions`() throws {
    try CrashBench.with { crash in
      try crash.cluster.holding("LOCK TABLE orders", database: crash.bench.database) {
        let backup = try crash.start("backup")
        #expect(try eventually { try crash.sessions().contains { $0.contains("LOCK TABLE") } })
        _ = try backup.end(bySending: SIGKILL)
        try crash.expectOnlyWholeStates()
      }
    }
  }

  @Test func `a second signal changes nothing`() throws {
    try CrashBench.with { crash in
      // A tool that is slow to end, so that the second signal comes while the run still waits for it.
      try crash.tools.replace(
        "pg_dump", "trap 'sleep 1; exit 1' TERM; : > \"$here/running\"; while :; do sleep 0.1; done")
      let backup = try crash.start("backup")
      #expect(eventually { access("\(crash.tools.folder)/running", F_OK) == 0 })
      kill(backup.pid, SIGINT)
      usleep(300_000)
      let (exit, _) = try backup.end(bySending: SIGTERM)
      #expect(exit.code == 130)
      try crash.expectNothingLeft()
    }
  }

  @Test(arguments: ["backup", "check"])
  func `a run that waits for a server without an answer can be interrupted`(command: String) throws {
    try CrashBench.with { crash in
      let silent = try SilentServer()
      try crash.bench.writePolicy(url: "postgresql://postgres@127.0.0.1:\(silent.port)/app?connect_timeout=60")
      let run = try crash.start(command)
      #expect(eventually { silent.hasVisitor })
      let (exit, seconds) = try run.end(bySending: SIGINT)
      #expect(exit.code == 130)
      #expect(seconds < Self.promptly)
      #expect(crash.leavings().isEmpty)
    }
  }

  @Test func `a session whose server stands still can be interrupted`() throws {
    let cluster = try TestCluster()
    try CrashBench.with(cluster: cluster) { crash in
      let dumping = StoppableTools.Moment("pg_restore.end")
      let backup = try crash.start("backup", until: dumping)
      try cluster.freeze {
        try crash.tools.release(dumping)
        // The next query is under way, and nobody will answer it.
        usleep(300_000)
        let (exit, seconds) = try backup.end(bySending: SIGINT)
        #expect(exit.code == 130)
        #expect(seconds < 2 * Self.promptly)
      }
      crash.tools.disarm(dumping)
      try crash.expectNothingLeft()
    }
  }
}
