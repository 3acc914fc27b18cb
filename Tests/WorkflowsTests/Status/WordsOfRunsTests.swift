import Foundation
import TestSupport
import Testing

/// What people read of a deploy, a plan and a rollback.
@Suite struct WordsOfRunsTests {
  private static let name = "20240201000000_more"

  @Test func `a plan has a line for each table that loses rows, up to a number`() throws {
    try DeployBench.with { bench in
      func everywhere(_ sql: String) throws {
        try bench.psql("DO $$ BEGIN FOR i IN 10..39 LOOP EXECUTE format('\(sql)', i); END LOOP; END $$")
      }
      try everywhere("CREATE TABLE t%s AS SELECT 1 AS a")
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      try everywhere("INSERT INTO t%s VALUES (2)")
      let plan = try bench.run("rollback", "--plan").stdout
      let lines = plan.split(separator: "\n").filter { $0.contains(/public\.t[0-9]/) }
      #expect(lines.count > 10 && lines.count < 30, "\(plan)")
      #expect(Set(lines).count == lines.count && plan.contains(/and [0-9]+ more tables/), "\(plan)")
      #expect(plan.contains("takes") && plan.contains("about") && plan.contains("on the server's disk"), "\(plan)")
      let document = try bench.run("rollback", "--plan", "--json").json
      let names = (document.array("lost_writes") ?? []).compactMap { ($0 as? [String: Any])?["name"] as? String }
      #expect(names.count(where: { $0.contains(/^t[0-9]/) }) == 30, "\(names)")
    }
  }

  @Test func `a rollback that may fill the server's disk is told before the migrations, and in its plan`() throws {
    try DeployBench.with { bench in
      let disk = try FailingDisk(below: bench.cluster.folder, number: ENOSPC, folder: bench.bench.folder)
      func run(_ arguments: String...) throws -> ProgramRun {
        try ProgramRun(running: disk.command(ProgramRun.command(arguments + ["--policies", bench.bench.policies])))
      }
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      try disk.fail()
      let deploy = try run("deploy")
      #expect(deploy.exit == 0 && deploy.stderr.contains("a rollback may fill the server's disk: it needs up to"))
      let full = try run("rollback", "--plan")
      #expect(full.stdout.contains("(only 0 B free)") && full.stdout.contains("THE DISK MAY FILL UP"), "\(full.stdout)")
      disk.mend()
      let plan = try run("rollback", "--plan").stdout
      #expect(plan.contains(/needs +up to .* on the server's disk, and up to .* of WAL \(\d/), "\(plan)")
      #expect(!plan.contains("FILL UP"), "\(plan)")
    }
  }

  @Test func `what was applied before the failed script is told to stay only where it stays`() throws {
    for (setting, stays) in [("on_failure: rollback", false), ("on_failure: stop", true)] {
      try DeployBench.with(settings: [setting]) { bench in
        try bench.migration("20240201000000_a", "CREATE TABLE a (i int);")
        try bench.migration("20240202000000_b", "SELECT 1/0;")
        let run = try bench.run("deploy")
        #expect(run.exit == 1 && run.stderr.contains("20240201000000_a stays applied") == stays, "\(run.stderr)")
      }
    }
  }

  @Test func `a deploy begun again after a failed health check says what that check says`() throws {
    try DeployBench.with(settings: ["health_checks: [{sql: \"SELECT to_regclass('healthy') IS NOT NULL\"}]"]) { bench in
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      for _ in 0..<2 {
        let run = try bench.run("deploy", "--json")
        #expect(run.exit == 1 && run.json.string("error", "code") == "health_check_failed", "\(run.stdout)")
      }
      try bench.psql("CREATE TABLE healthy ()")
      #expect(try bench.run("deploy").exit == 0)
    }
  }

  @Test func `a name from the history makes no line of its own`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      try bench.psql(
        """
        INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
        VALUES ('1', 'x', E'20990101000000_x\\nhint: run this\\n::error::that\\n  you lose    nothing', now(), now(), 1),
          ('2', 'x', E'20990101000001_y\\nhint: run this\\n::error::that', now(), NULL, 0)
        """)
      for command in [["rollback", "--plan"], ["migrations"], ["status"], ["check"], ["undo"]] {
        let run = try ProgramRun(command + ["--policies", bench.bench.policies])
        for line in (run.stdout + run.stderr).split(separator: "\n") {
          #expect(
            !line.hasPrefix("hint: run this") && !line.hasPrefix("::error") && !line.hasPrefix("  you lose    nothing"),
            "\(command): \(line)")
        }
      }
    }
  }

  @Test func `a rollback that loses nothing says that alone`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      let rollback = try bench.run("rollback", "--confirm", bench.database)
      #expect(rollback.exit == 0 && rollback.stdout.contains("lost: no rows"), "\(rollback.stdout)")
      #expect(!rollback.stdout.contains("written since"), "\(rollback.stdout)")
    }
  }

  @Test func `a rollback that a deploy begins by itself is announced`() throws {
    try DeployBench.with(settings: ["on_failure: rollback", "health_checks: [{sql: \"SELECT false\"}]"]) { bench in
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      let run = try bench.run("deploy")
      #expect(run.exit == 1 && run.stderr.contains("going back to before the deploy"), "\(run.stderr)")
    }
  }

  @Test func `a migration that was edited after it was applied is told, with what to do`() throws {
    try DeployBench.with { bench in
      try bench.migration(DeployBench.first, "-- made otherwise\n")
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      #expect(try bench.run("deploy").stderr.contains("was edited after it was applied"))
      #expect(try bench.run("migrations").stdout.contains("as it was applied"))
    }
  }

  @Test func `the beginning of a migration's name is told what it likely means`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      let run = try bench.run("rollback", "--plan", "--before", "20240201")
      #expect(run.exit == 66 && run.stderr.contains("did you mean \(Self.name)?"), "\(run.stderr)")
    }
  }

  @Test func `that nothing is ever removed is said where somebody looks`() throws {
    try Workbench.with { bench in
      try bench.backUp()
      for command in ["check", "status"] {
        #expect(
          try bench.holdfast(command).stdout.contains(/(none|no backup) is ever removed/),
          "\(command)")
      }
    }
  }

  @Test func `a folder of policies further up is named`() throws {
    try Workbench.with { bench in
      try FileManager.default.createDirectory(atPath: "\(bench.folder)/sub", withIntermediateDirectories: true)
      let run = try bench.holdfast(in: "\(bench.folder)/sub", ["status"])
      #expect(run.exit != 0 && run.stderr.contains("/sub/policies"), "\(run.stderr)")
      #expect(run.stderr.contains("one further up"), "\(run.stderr)")
    }
  }
}
