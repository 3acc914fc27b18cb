import BackupModel
import Foundation
import PostgresTools
import TestSupport
import Testing

/// The server crashes while a deploy, a rollback or an undo is under way, and comes up again.
@Suite struct CrashDeployServerTests {
  private func withMigrations(_ body: (DeployBench) throws -> Void) throws {
    let cluster = try TestCluster()
    defer { cluster.stop() }
    try DeployBench.with(cluster: cluster) { bench in
      try bench.writeCrashMigrations()
      try body(bench)
    }
  }

  /// Lets the server crash when a command stands somewhere, lets the command end, and starts the server again.
  private func crash(_ bench: DeployBench, _ command: String, at point: CrashPoint) throws -> ChildExit {
    let run = try bench.stand(command, at: point)
    bench.cluster.kill()
    let exit = try run.end()
    try bench.cluster.start()
    return exit
  }

  @Test(arguments: CrashPoint.all(CrashPoint.deployLines)) func `a deploy`(point: CrashPoint) throws {
    try withMigrations { bench in
      for ending in ["resume", "abandon"] {
        let exit = try crash(bench, "deploy", at: point)
        let open = try #require(try bench.deploys().first)
        #expect([.before, .half, .after].contains(try bench.seen()))
        if open.isUnfinished {
          #expect(exit.code == 69, "\(exit)")
          let settled = try bench.confirmed(ending)
          #expect(settled.exit == 0, "\(open): \(settled.stdout)")
          #expect(try bench.seen() == (ending == "resume" ? .after : .before))
        } else {
          #expect(try bench.seen() == (open.state == .applied ? .after : .before), "\(open)")
          #expect(open.state == .applied || open.state == .abandoned)
        }
        try bench.expectNothingLeft()
        try bench.resetCrash()
      }
    }
  }

  @Test func `a deploy whose script runs`() throws {
    try withMigrations { bench in
      try bench.migration(
        DeployBench.crashed[0], "CREATE TABLE more AS SELECT 1 AS a; SELECT pg_sleep(1);")
      for ending in ["resume", "abandon"] {
        let run = try bench.startDeploy()
        try bench.waitUntilAsleep()
        bench.cluster.kill()
        let exit = try run.end()
        #expect(exit.code == 69, "\(exit)")
        #expect(exit.standardError.contains("holdfast resume"))
        try bench.cluster.start()
        #expect(try bench.psql("SELECT to_regclass('more')").isEmpty)
        let settled = try bench.confirmed(ending)
        #expect(settled.exit == 0, "\(settled.stdout)")
        let isThere = try bench.psql("SELECT to_regclass('more')") == "more"
        #expect(isThere == (ending == "resume"))
        try bench.expectNothingLeft()
        try bench.resetCrash()
      }
    }
  }

  @Test(arguments: ["resume", "abandon"]) func `a rollback, and its undo`(ending: String) throws {
    try withMigrations { bench in
      #expect(try bench.run("deploy").exit == 0)
      let rollbacks = CrashPoint.all(CrashPoint.rollbackLines).map { ("rollback", $0) }
      for (command, point) in rollbacks + CrashPoint.all(CrashPoint.undoLines).map({ ("undo", $0) }) {
        let (from, to): (DeployBench.Seen, DeployBench.Seen) = command == "undo" ? (.before, .after) : (.after, .before)
        if try bench.seen() != from { #expect(try bench.confirmed(command == "undo" ? "rollback" : "undo").exit == 0) }
        _ = try crash(bench, command, at: point)
        #expect([from, to, .closed].contains(try bench.seen()), "\(command) \(point.testDescription)")
        if try #require(try bench.deploys().first).isUnfinished {
          let settled = try bench.confirmed(ending)
          #expect(settled.exit == 0, "\(command) \(point.testDescription): \(settled.stdout)")
          #expect(try bench.seen() == (ending == "resume" ? to : from), "\(command) \(point.testDescription)")
        }
        try bench.expectNothingLeft("\(command) \(point.testDescription)")
      }
    }
  }

  @Test func `a database that is called postgres is exchanged like any other`() throws {
    let cluster = try TestCluster()
    defer { cluster.stop() }
    try DeployBench.with(cluster: cluster) { bench in
      try cluster.psql("ALTER DATABASE postgres RENAME TO unused", database: bench.database)
      try cluster.psql("ALTER DATABASE \(bench.database) RENAME TO postgres", database: "unused")
      try bench.move(to: "postgres")
      try bench.writeCrashMigrations()
      #expect(try bench.run("deploy").exit == 0)
      for (command, state) in [("rollback", DeployBench.Seen.before), ("undo", .after)] {
        let run = try bench.confirmed(command)
        #expect(run.exit == 0, "\(run.stdout)")
        #expect(try bench.seen() == state)
      }
      try bench.expectNothingLeft()
    }
  }
}
