import BackupModel
import Foundation
import TestSupport
import Testing

/// Undoing a rollback: which one, and what goes with it.
@Suite struct UndoTests {
  private static let names = ["20240201000000_a", "20240202000000_b"]

  @Test func `deploys since the rollback are named in the plan, go, and no longer count as the way back`() throws {
    try DeployBench.with { bench in
      let old = try bench.deploy(Self.names[0], "CREATE TABLE a (x int);")
      #expect(try bench.confirmed("rollback").exit == 0)
      try FileManager.default.removeItem(atPath: "\(bench.migrations)/\(Self.names[0])")
      let newer = try bench.deploy(Self.names[1], "CREATE TABLE b (x int);")

      let plan = try bench.run("undo").stderr
      #expect(plan.contains("deploy \(newer), applied since the rollback: \(Self.names[1])"), "\(plan)")
      #expect(plan.contains(/undoes +20240202000000_b/), "\(plan)")
      #expect(plan.contains(/brings back +20240201000000_a/), "\(plan)")
      #expect(plan.contains("you lose"))
      #expect(!plan.contains("becomes"), "nothing is done yet: \(plan)")
      #expect(try bench.psql("SELECT to_regclass('b')") == "b")

      let run = try bench.confirmed("undo")
      #expect(run.json.array("newer_deploys") as? [String] == [newer], "\(run.stdout)")
      #expect(try bench.psql("SELECT to_regclass('a'), to_regclass('b')") == "a|")
      let status = try bench.run("status")
      #expect(!status.stdout.contains(/rollback +ready/), "\(status.stdout)")
      #expect(status.stdout.contains("another database than deploy \(newer)"), "\(status.stdout)")
      let rollback = try bench.confirmed("rollback")
      #expect(rollback.exit == 66)
      #expect(rollback.json.string("error", "code") == "deploy_of_another_database", "\(rollback.stdout)")
      #expect(rollback.json.string("error", "next_step")?.hasSuffix("--deploy \(old)") == true, "\(rollback.stdout)")
      try bench.expectNothingLeft()
    }
  }

  @Test func `a rollback that only resolved the history does not hide the one before it`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.names[0], "CREATE TABLE a (x int);")
      let kept = try #require(try bench.confirmed("rollback").json.string("kept_as"))
      try FileManager.default.removeItem(atPath: "\(bench.migrations)/\(Self.names[0])")
      try bench.migration(Self.names[1], "SELECT 1/0;")
      #expect(try bench.run("deploy").exit == 1)
      #expect(try bench.confirmed("rollback").json.string("mode") == "resolve-only")
      #expect(try bench.run("undo").stderr.contains(kept))
      #expect(try bench.confirmed("undo").exit == 0)
      #expect(try bench.psql("SELECT to_regclass('a')") == "a")
      try bench.expectNothingLeft()
    }
  }

  @Test func `typed again it goes no rollback further`() throws {
    try DeployBench.with { bench in
      let first = try bench.deploy(Self.names[0], "CREATE TABLE a (x int);")
      #expect(try bench.confirmed("rollback").exit == 0)
      try bench.deploy(Self.names[1], "CREATE TABLE b (x int);")
      #expect(try bench.confirmed("rollback").exit == 0)
      #expect(try bench.confirmed("undo").exit == 0)
      let again = try bench.confirmed("undo")
      #expect(again.exit == 66)
      #expect(again.json.string("error", "code") == "already_undone")
      #expect(again.json.string("error", "next_step")?.hasSuffix("--deploy \(first)") == true, "\(again.stdout)")
      #expect(try bench.psql("SELECT to_regclass('b') IS NOT NULL") == "t")
      #expect(try bench.confirmed("undo", "--deploy", first).exit == 0)
      #expect(try bench.psql("SELECT to_regclass('a') IS NOT NULL, to_regclass('b') IS NULL") == "t|t")
      try bench.expectNothingLeft()
    }
  }
}
