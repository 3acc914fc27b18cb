import Foundation
import TestSupport
import Testing

/// What somebody reads who tries Holdfast for the first time: each of these lines was missing, or wrong, for one who did.
@Suite struct TrialWordsTests {
  @Test func `a plan says how long it takes and that it is an estimate, and counts what it does not name`() throws {
    let tables = (1...24).map { "CREATE TABLE t\($0) (a int PRIMARY KEY);" }.joined()
    try DeployBench.with(sql: tables) { deploy in
      try deploy.deploy("20240201000000_more", "CREATE TABLE more (a int);")
      try deploy.psql((1...24).map { "INSERT INTO t\($0) VALUES (1);" }.joined())
      let plan = try deploy.run("rollback", "--plan")
      #expect(plan.stdout.contains("s (an estimate)"), "\(plan.stdout)")
      // One line for each, the sentence once.
      let lines = plan.stdout.split(separator: "\n")
      #expect(lines.count { $0.contains("you lose    what was written since") } == 1, "\(plan.stdout)")
      #expect(
        lines.count { $0.contains("public.t") } == 20 && plan.stdout.contains("and 4 more tables"), "\(plan.stdout)")
      let document = try deploy.run("rollback", "--plan", "--json")
      #expect(document.json.number("estimated_seconds") != nil && document.json.value(["seconds"]) is NSNull)
    }
  }

  @Test func `rows that were deleted are told to come back, and a rollback without writes to lose none`() throws {
    try DeployBench.with { deploy in
      try deploy.deploy("20240201000000_more", "CREATE TABLE more (a int);")
      let without = try deploy.run("rollback", "--confirm", deploy.database)
      #expect(without.exit == 0 && without.stdout.contains("\nlost: no rows\n"), "\(without.stdout)")
      let first = try deploy.run("deploy", "--json")
      #expect(first.exit == 0, "\(first.stdout)")
      try deploy.psql("DELETE FROM orders WHERE id <= 2")
      let plan = try deploy.run("rollback", "--plan")
      #expect(plan.stdout.contains("public.orders: 2 deleted rows come back"), "\(plan.stdout)")
      let with = try deploy.run("rollback", "--confirm", deploy.database)
      #expect(with.stdout.contains("lost: what was written since; it is in "), "\(with.stdout)")
    }
  }

  @Test func `a standby copy is told to be the way back, and nobody is told to drop it`() throws {
    try DeployBench.with(settings: ["standby_copy: cloned"]) { deploy in
      try deploy.deploy("20240201000000_more", "CREATE TABLE more (a int);")
      let status = try deploy.run("status").stdout
      #expect(status.contains("the way back; the next deploy replaces it"), "\(status)")
      #expect(!status.contains("dropdb"), "\(status)")
    }
  }

  @Test func `without retention everybody is told that nothing is removed`() throws {
    try Workbench.with(sql: "CREATE TABLE t (a int)") { bench in
      _ = try bench.backUp()
      #expect(try bench.holdfast("check").stdout.contains("retention is not set: no backup is ever removed"))
      #expect(try bench.holdfast("status").stdout.contains("none is ever removed: retention is not set"))
    }
  }

  @Test func `before it goes back by itself a deploy says why`() throws {
    try DeployBench.with(settings: ["health_checks: [{sql: \"SELECT false\"}]", "on_failure: rollback"]) { deploy in
      try deploy.migration("20240201000000_more", "CREATE TABLE more (a int);")
      let run = try deploy.run("deploy")
      #expect(run.exit != 0)
      let told = run.stderr.replacing(/\s+/, with: " ")
      let why = try #require(told.firstRange(of: "going back to before the deploy (on_failure: rollback)"), "\(told)")
      let restoring = try #require(told.firstRange(of: "restore "), "\(told)")
      #expect(why.lowerBound < restoring.lowerBound || told[..<why.lowerBound].contains("health check"), "\(told)")
    }
  }

  @Test func `a migration that was edited is told by the deploy, and what to do by migrations`() throws {
    try DeployBench.with { deploy in
      try deploy.deploy("20240201000000_more", "CREATE TABLE more (a int);")
      try deploy.migration("20240201000000_more", "CREATE TABLE other (a int);")
      try deploy.migration("20240301000000_next", "CREATE TABLE next (a int);")
      let run = try deploy.run("deploy")
      let told = run.stderr.replacing(/\s+/, with: " ")
      #expect(told.contains("20240201000000_more was edited after it was applied"), "\(told)")
      #expect(try deploy.run("migrations").stdout.contains("put 20240201000000_more back as it was applied"))
    }
  }

  @Test func `from a folder below the project the policies above are named`() throws {
    try Workbench.with(sql: "") { bench in
      let below = "\(bench.folder)/app/src"
      try FileManager.default.createDirectory(atPath: below, withIntermediateDirectories: true)
      let run = try bench.holdfast(in: below, ["status"])
      #expect(run.exit == 66 && run.stderr.contains("there is one further up: --policies"), "\(run.stderr)")
    }
  }

  @Test func `an export does not call SQL by another name`() throws {
    try Workbench.with(sql: "CREATE TABLE t (a int)") { bench in
      let id = try bench.backUp()
      let run = try bench.holdfast("export", id, "--output", "\(bench.folder)/x.sql.gz")
      #expect(run.exit == 64 && run.stderr.contains("| gzip >"), "\(run.stderr)")
      #expect(access("\(bench.folder)/x.sql.gz", F_OK) != 0)
    }
  }

  @Test func `what a program of PostgreSQL's says begins with its error`() throws {
    try Workbench.with(sql: "CREATE TABLE t (a int)") { bench in
      let tools = try FakeTools(on: bench)
      try tools.replace(
        "pg_dump",
        by:
          "printf 'pg_dump: error: query failed: ERROR:  permission denied\\nCONTEXT:  a context\\nlast line\\n' >&2; exit 1"
      )
      try bench.writePolicy(more: tools.policy)
      let run = try bench.holdfast("backup", "--json")
      #expect(run.exit != 0 && run.json.string("error", "why")?.contains("permission denied") == true, "\(run.stdout)")
      #expect(run.json.string("error", "details", 0)?.contains("CONTEXT") == true, "\(run.stdout)")
    }
  }
}
