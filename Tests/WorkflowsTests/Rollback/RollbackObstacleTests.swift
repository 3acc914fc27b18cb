import BackupModel
import Foundation
import TestSupport
import Testing

/// What must not stand in the way of going back: what is lost is counted as well as it can be, and the rollback goes on.
@Suite struct RollbackObstacleTests {
  private static let names = ["20240201000000_a", "20240202000000_b", "20240203000000_c"]

  @Test func `after one rollback another one goes over tables that the older backup has not`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.names[0], "CREATE TABLE t (a int); INSERT INTO t VALUES (1);")
      let second = try bench.deploy(Self.names[1], "CREATE TABLE u (a int); INSERT INTO u VALUES (1), (2);")
      try bench.deploy(Self.names[2], "SELECT 1;")
      #expect(try bench.confirmed("rollback").exit == 0)
      let again = try bench.confirmed("rollback", "--deploy", second)
      #expect(again.exit == 0, "\(again.stdout)")
      let lost = (again.json.array("lost_writes") ?? []).compactMap { $0 as? [String: Any] }
      #expect(lost.first { $0["name"] as? String == "u" }?["inserted_or_updated"] as? Int == 2, "\(lost)")
      #expect(try bench.psql("SELECT to_regclass('u') IS NULL, to_regclass('t') IS NOT NULL") == "t|t")
      try bench.expectNothingLeft()
    }
  }

  @Test func `a table that a stuck session has locked is not counted, and not waited for`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.names[0], "CREATE TABLE t (a int);")
      let stuck = try bench.session()
      try stuck.query("BEGIN; LOCK TABLE orders")
      let run = try bench.confirmed("rollback")
      #expect(run.exit == 0, "\(run.stdout)")
      #expect(run.json.flag("lost_writes_complete") == false)
      #expect(try bench.psql("SELECT to_regclass('t') IS NULL") == "t")
    }
  }

  @Test func `limits of the database end neither a deploy nor a rollback`() throws {
    try DeployBench.with(settings: ["standby_copy: cloned"]) { bench in
      for setting in ["statement_timeout = '20ms'", "idle_session_timeout = '300ms'", "lock_timeout = '10ms'"] {
        try bench.maintain("ALTER DATABASE \(bench.database) SET \(setting)")
      }
      try bench.deploy(Self.names[0], "CREATE TABLE t (a int);")
      for _ in 0..<2 {
        let run = try bench.confirmed("rollback")
        #expect(run.exit == 0, "\(run.stdout)")
        #expect(try bench.confirmed("undo").exit == 0)
      }
    }
  }

  @Test func `going back to an ordinary backup undoes what came after it, and nothing else`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.names[0], "CREATE TABLE t (a int);")
      let backup = try #require(try bench.run("backup", "--json").json.string("backup", "id"))
      try bench.deploy(Self.names[1], "CREATE TABLE u (a int);")
      let run = try bench.confirmed("rollback", "--to", backup)
      #expect(run.exit == 0, "\(run.stdout)")
      #expect(run.json.array("undoes") as? [String] == [Self.names[1]])
      #expect(try bench.live() == [DeployBench.first, Self.names[0]])
    }
  }

  @Test func `a table of Prisma's name that is not Prisma's keeps no backup from its end`() throws {
    try DeployBench.with(managed: false) { bench in
      try bench.psql("CREATE TABLE _prisma_migrations (x int)")
      let run = try bench.run("backup", "--json")
      #expect(run.exit == 0, "\(run.stdout)")
    }
  }
}
