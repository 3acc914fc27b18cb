import BackupModel
import Foundation
import TestSupport
import Testing

/// A deploy that is killed while a script or a program runs, or right after it failed: what became of it is found out, or said not to be
/// known.
@Suite struct CrashScriptTests {
  // MARK: While a script runs

  /// Waits as long as the table says so.
  private static let sleep = "SELECT pg_sleep(600) WHERE obj_description('orders'::regclass) = 'sleep';"

  /// Kills a deploy of one script while it sleeps.
  private func withSleeping(_ script: String, _ body: (DeployBench) throws -> Void) throws {
    try DeployBench.with { bench in
      try bench.psql("COMMENT ON TABLE orders IS 'sleep'")
      try bench.migration(DeployBench.crashed[0], script)
      let run = try bench.startDeploy()
      try bench.waitUntilAsleep()
      _ = try run.end(bySending: SIGKILL)
      try body(bench)
      try bench.expectNothingLeft()
    }
  }

  @Test func `a script of one transaction that outlives its deploy is ended, and applied again`() throws {
    try withSleeping("CREATE TABLE more (a int); \(Self.sleep)") { bench in
      try bench.psql("COMMENT ON TABLE orders IS NULL")
      let resume = try bench.run("resume", "--json")
      #expect(resume.exit == 0, "\(resume.stdout)")
      #expect(try bench.live() == [DeployBench.first, DeployBench.crashed[0]])
      #expect(try bench.psql("SELECT to_regclass('more')") == "more")
    }
  }

  private static let inSteps = "CREATE TABLE more (a int); CREATE INDEX CONCURRENTLY i ON orders (note); \(sleep)"

  @Test func `a script that was half done is in doubt: abandon goes back to before it`() throws {
    try withSleeping(Self.inSteps) { bench in
      let resume = try bench.run("resume", "--json")
      #expect(resume.exit == 1)
      #expect(resume.json.string("error", "code") == "in_doubt", "\(resume.stdout)")
      #expect(resume.json.string("error", "next_step")?.contains("holdfast abandon") == true)
      let abandon = try bench.confirmed("abandon")
      #expect(abandon.exit == 0, "\(abandon.stdout)")
      #expect(abandon.json.string("mode") == "restore")
      #expect(try bench.seen() == .before)
      #expect(try bench.live() == [DeployBench.first])
    }
  }

  @Test func `a migration whose script still runs on the server is not resolved, and not called failed`() throws {
    try withSleeping("CREATE TABLE more (a int); \(Self.sleep)") { bench in
      for mark in ["--applied", "--rolled-back"] {
        let run = try bench.run("resolve", DeployBench.crashed[0], mark, "--json")
        #expect(run.exit == 75 && run.json.string("error", "code") == "script_still_runs", "\(run.stdout)")
      }
      let migrations = try bench.run("migrations", "--json")
      #expect(migrations.json.array("failed")?.isEmpty ?? true, "\(migrations.stdout)")
      #expect(try bench.confirmed("abandon").exit == 0)
      #expect(try bench.run("migrations", "--json").exit == 2)
    }
  }

  @Test func `a deploy that changed the database is given up only when that is confirmed, and then as a whole`() throws
  {
    try withSleeping(Self.inSteps) { bench in
      let asked = try bench.run("abandon", "--json")
      #expect(asked.exit == 64 && asked.json.string("error", "code") == "not_confirmed", "\(asked.stdout)")
      #expect(try bench.deploys().first?.state == .open)
      let abandon = try bench.confirmed("abandon")
      #expect(abandon.exit == 0, "\(abandon.stdout)")
      #expect(try bench.seen() == .before)
    }
  }

  @Test func `a script that was half done may be completed by hand`() throws {
    try withSleeping(Self.inSteps) { bench in
      #expect(try bench.run("resume").exit == 1)
      #expect(try bench.run("resolve", DeployBench.crashed[0], "--applied").exit == 0)
      let resume = try bench.run("resume", "--json")
      #expect(resume.exit == 0, "\(resume.stdout)")
      #expect(try bench.deploys().first?.state == .applied)
      #expect(try bench.live() == [DeployBench.first, DeployBench.crashed[0]])
    }
  }

  @Test func `a script that was edited since is in doubt, whatever it is now`() throws {
    try withSleeping("CREATE TABLE more (a int); COMMIT; \(Self.sleep)") { bench in
      try bench.migration(DeployBench.crashed[0], "CREATE TABLE more (a int);")
      #expect(try bench.run("resume", "--json").json.string("error", "code") == "in_doubt")
      #expect(try bench.confirmed("abandon").exit == 0)
      #expect(try bench.seen() == .before)
    }
  }

  // MARK: Failed scripts

  /// began, snapshot-taken, applying, failed, finished.
  @Test(arguments: [("SELECT 1/0;", "resolve-only"), ("COMMIT; SELECT 1/0;", "restore")])
  func `a deploy killed after its script had failed has failed`(script: String, mode: String) throws {
    for ending in ["resume", "abandon"] {
      try DeployBench.with { bench in
        try bench.migration(DeployBench.crashed[0], "CREATE TABLE more (a int); \(script)")
        try bench.killing("deploy", at: [CrashPoint(lines: 3, isWritten: false)]) { _ in
          if try #require(try bench.deploys().first).isUnfinished {
            let run = try bench.confirmed(ending)
            #expect(run.exit == (ending == "resume" ? 1 : 0), "\(run.stdout)")
          }
          if try bench.deploys().first?.state == .failed {
            let rollback = try bench.confirmed("rollback")
            #expect(rollback.json.string("mode") == mode, "\(rollback.stdout)")
          }
          #expect(try bench.deploys().first?.state == .rolledBack)
          #expect(try bench.psql("SELECT to_regclass('more')").isEmpty)
          #expect(try bench.live() == [DeployBench.first])
          try bench.expectNothingLeft()
        }
      }
    }
  }

  // MARK: Commands

  /// Kills a deploy by a program that first runs some SQL.
  private func withProgram(_ sql: String, _ body: (DeployBench) throws -> Void) throws {
    try DeployBench.with { bench in
      try bench.migration(DeployBench.crashed[0], "CREATE TABLE more (a int);")
      let note = "\(bench.bench.folder)/note"
      let script = "\(bench.psqlCommand(sql)); : > '\(note)'; exec sleep 600"
      let run = try bench.startDeploy(program: ["sh", "-c", script])
      try waitUntil("the program has begun") { access(note, F_OK) == 0 }
      _ = try run.end(bySending: SIGKILL)
      try body(bench)
      try bench.expectNothingLeft()
    }
  }

  private static let unfinishedRow = """
    INSERT INTO _prisma_migrations (id, checksum, migration_name)
    VALUES (gen_random_uuid(), '', '\(DeployBench.crashed[0])')
    """

  @Test func `what a killed program had begun is in doubt, and abandon goes back to before it`() throws {
    try withProgram("CREATE TABLE more (a int); \(Self.unfinishedRow)") { bench in
      #expect(try bench.run("resume", "--json").json.string("error", "code") == "in_doubt")
      let abandon = try bench.confirmed("abandon")
      #expect(abandon.json.string("mode") == "restore", "\(abandon.stdout)")
      #expect(try bench.seen() == .before)
      #expect(try bench.live() == [DeployBench.first])
    }
  }

  @Test func `what a killed program did without a row shows in the schema`() throws {
    try withProgram("CREATE TABLE more (a int)") { bench in
      let abandon = try bench.confirmed("abandon")
      #expect(abandon.json.string("mode") == "restore", "\(abandon.stdout)")
      #expect(try bench.seen() == .before)
    }
  }

  @Test func `a killed program that did nothing is simply given up`() throws {
    try withProgram("SELECT 1") { bench in
      let abandon = try bench.confirmed("abandon")
      #expect(abandon.json.string("state") == "abandoned", "\(abandon.stdout)")
      #expect(try bench.databases() == [bench.database])
    }
  }
}
