import Foundation
import TestSupport
import Testing

/// Migrations that wait for locks of others.
@Suite struct DeployLockTests {
  private static let name = "20240201000000_more"

  @Test func `a history that somebody keeps from being written is not waited for for ever, and nothing has run`() throws
  {
    try DeployBench.with { bench in
      try bench.migration("20240201000000_more", "CREATE TABLE more (a int);")
      try bench.cluster.holding("LOCK TABLE _prisma_migrations IN EXCLUSIVE MODE", database: bench.database) {
        let run = try bench.run("deploy", "--json")
        #expect(run.exit == 75 && run.json.string("error", "code") == "history_locked", "\(run.stdout)")
        #expect(try bench.psql("SELECT to_regclass('more') IS NULL") == "t")
      }
      #expect(try bench.run("deploy").exit == 0)
    }
  }

  @Test func `a lock that is not to be had is asked for three times, and who holds it is named`() throws {
    try DeployBench.with(settings: ["lock_timeout: 1200ms"]) { bench in
      try bench.migration(Self.name, "CREATE TABLE more (a int);\nALTER TABLE orders ADD b int;")
      try bench.cluster.holding("LOCK TABLE orders IN ACCESS SHARE MODE", database: bench.database) {
        let run = try bench.run("deploy", "--json")
        #expect(run.exit == 1)
        #expect(run.json.string("error", "why")?.contains("55P03") == true, "\(run.stdout)")
        #expect(run.stderr.contains(/waits for a lock held by pid \d+ other-\d+/), "\(run.stderr)")
        #expect(run.stderr.ranges(of: "; retrying (").count == 2)
      }
      #expect(try bench.psql("SELECT to_regclass('more')").isEmpty)
      #expect(try bench.deploys().first?.failedAtomically == true)
      try bench.expectNothingLeft()
    }
  }

  @Test func `a lock that becomes free in between is had`() throws {
    try DeployBench.with(settings: ["lock_timeout: 300ms"]) { bench in
      try bench.migration(Self.name, "ALTER TABLE orders ADD b int;")
      let deploy = try bench.cluster.holding("LOCK TABLE orders IN ACCESS SHARE MODE", database: bench.database) {
        let deploy = try bench.start("deploy")
        let idle =
          "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdfast migration' AND state = 'idle'"
        let asked = " AND query LIKE 'ALTER TABLE orders%' AND datname = '\(bench.database)'"
        try waitUntil("it has asked once in vain") { try bench.maintain(idle + asked) == "1" }
        return deploy
      }
      let end = try deploy.end()
      #expect(end.succeeded, "\(end.standardError)")
      #expect(end.standardError.contains("; retrying ("))
      #expect(try bench.history().last == "\(Self.name)|t|f|f|1")
      try bench.expectNothingLeft()
    }
  }

  @Test func `an index that could not be built for want of a lock is not built again over its own remains`() throws {
    try DeployBench.with(settings: ["lock_timeout: 300ms"]) { bench in
      try bench.migration(
        Self.name, "CREATE TABLE more (a int);\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON orders (note);")
      try bench.cluster.holding("UPDATE orders SET note = 'y' WHERE id = 1", database: bench.database) {
        let run = try bench.run("deploy", "--json")
        #expect(run.exit == 1)
        #expect(run.json.string("error", "why")?.contains("55P03") == true, "\(run.stdout)")
        let details = run.json.array("error", "details") as? [String] ?? []
        #expect(details.contains("The invalid index public.i was left: it has to be dropped."))
      }
      #expect(try bench.history().last == "\(Self.name)|f|f|t|0")
      try bench.expectNothingLeft()
    }
  }

  @Test func `a migration that is interrupted leaves nothing, and its row says so`() throws {
    try DeployBench.with { bench in
      try bench.migration(Self.name, "CREATE TABLE more (a int);\nSELECT pg_sleep(600);")
      let deploy = try bench.start("deploy", "--json")
      try bench.waitUntilAsleep()
      #expect(try deploy.end(bySending: SIGINT).exit.code == 130)
      #expect(try bench.psql("SELECT to_regclass('more')").isEmpty)
      #expect(try bench.history().last == "\(Self.name)|f|f|t|0")
      #expect(try bench.deploys().first?.failedAtomically == true)
      try bench.expectNothingLeft()
    }
  }

  @Test func `Prisma's own lock is waited for`() throws {
    try DeployBench.with { bench in
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      let deploy = try bench.cluster.holding("SELECT pg_advisory_lock(72707369)", database: bench.database) {
        let deploy = try bench.start("deploy")
        try waitUntil("the snapshot is taken") { try bench.deploys().first?.backup != nil }
        #expect(try bench.history() == [DeployBench.firstRow])
        return deploy
      }
      #expect(try deploy.end().succeeded)
      #expect(try bench.history().last == "\(Self.name)|t|f|f|1")
    }
  }
}
