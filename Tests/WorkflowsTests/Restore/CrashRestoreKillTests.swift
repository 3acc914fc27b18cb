import Foundation
import TestSupport
import Testing

/// `kill -9` of a restore: the new database is there as a whole, or its name is free.
@Suite struct CrashRestoreKillTests {
  static let moments = [
    "pg_restore.start", "pg_restore.half", "pg_restore.end", "pg_dump.start", "pg_dump.end",
  ].map(StoppableTools.Moment.init)

  @Test func `killed at a step, a restore leaves the name free, and the next one drops the half-made database`() throws
  {
    try CrashBench.with { crash in
      let (id, copy) = (try crash.backUp(), crash.bench.newDatabaseName())
      for moment in Self.moments {
        let restore = try crash.start("restore", id, "--into", copy, until: moment)
        _ = try restore.end(bySending: SIGKILL)
        crash.tools.disarm(moment)
        try crash.expectOnlyWholeStates("killed at \(moment)")
        #expect(try !crash.databases().contains(copy))
      }
      try Self.expectNextSucceeds(crash, id, copy)
    }
  }

  @Test func `killed while the server creates the database, a restore still leaves nothing for ever`() throws {
    let cluster = try TestCluster()
    try CrashBench.with(cluster: cluster) { crash in
      let (id, copy) = (try crash.backUp(), crash.bench.newDatabaseName())
      // A lock on the template holds CREATE DATABASE up; the server goes on with it when nobody waits for it any more.
      try cluster.holding("COMMENT ON DATABASE template0 IS 'held'") {
        let restore = try crash.start("restore", id, "--into", copy)
        let creating =
          "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%' AND wait_event_type = 'Lock'"
        #expect(try eventually { try cluster.psql(creating) == "1" })
        _ = try restore.end(bySending: SIGKILL)
      }
      #expect(try eventually { try crash.databases().count == 1 })
      try Self.expectNextSucceeds(crash, id, copy)
    }
  }

  @Test func `what a killed run of another role left is not in the way of a role that may not drop it`() throws {
    let cluster = try TestCluster()
    try cluster.psql("CREATE ROLE modest LOGIN CREATEDB")
    try CrashBench.with(cluster: cluster) { crash in
      let left = crash.bench.newDatabaseName("left__restore_1")
      try cluster.psql("CREATE DATABASE \(left) CONNECTION LIMIT 1752132708")
      try cluster.psql("COMMENT ON DATABASE \(left) IS 'holdfast: unfinished restore, safe to drop'")
      let (source, copy) = (crash.bench.newDatabaseName("source"), crash.bench.newDatabaseName())
      try cluster.psql("CREATE DATABASE \(source) OWNER modest TEMPLATE template0")
      try crash.bench.writePolicy(url: cluster.url(source, user: "modest"))
      let restore = try crash.run("restore", try crash.backUp(), "--into", copy)
      #expect(restore.exit == 0, "\(restore.stderr)")
      #expect(try crash.databases() == [copy, left, source].sorted())
    }
  }

  @Test func `killed at any moment, a restore has made the whole database or none of that name`() throws {
    try CrashBench.with { crash in
      let (id, copy) = (try crash.backUp(), crash.bench.newDatabaseName())
      let source = try crash.content(of: crash.bench.database)
      let start = Date()
      #expect(try crash.run("restore", id, "--into", copy).exit == 0)
      let usual = Date().timeIntervalSince(start)
      for number in 0..<9 {
        try crash.cluster.psql("DROP DATABASE IF EXISTS \"\(copy)\" WITH (FORCE)")
        let restore = try crash.start("restore", id, "--into", copy)
        usleep(UInt32(usual * Double(number) / 8 * 1_000_000))
        _ = try restore.end(bySending: SIGKILL)
        let made = try crash.content(of: copy)
        #expect(made == nil || made == source, "killed at \(number)/8 of its time")
      }
      try crash.expectOnlyWholeStates()
      try crash.cluster.psql("DROP DATABASE IF EXISTS \"\(copy)\" WITH (FORCE)")
      try Self.expectNextSucceeds(crash, id, copy)
    }
  }

  @Test func `the sweep of one restore spares the unfinished database of another that runs`() throws {
    try CrashBench.with { crash in
      let (id, first) = (try crash.backUp(), crash.bench.newDatabaseName("first"))
      let comparing = StoppableTools.Moment("pg_dump.end")
      let restore = try crash.start("restore", id, "--into", first, until: comparing)
      let unfinished = try crash.databases()
      #expect(unfinished.count == 1)
      let second = crash.bench.newDatabaseName("second")
      #expect(try crash.runPlainly("restore", id, "--into", second).exit == 0)
      #expect(try crash.databases() == (unfinished + [second]).sorted())
      try crash.tools.release(comparing)
      #expect(try restore.end().code == 0)
      #expect(try crash.databases() == [first, second])
      #expect(try crash.content(of: first) == crash.content(of: crash.bench.database))
    }
  }

  @Test func `of two restores into one name exactly one succeeds, and the other says that the name is taken`() throws {
    try CrashBench.with { crash in
      let (id, copy) = (try crash.backUp(), crash.bench.newDatabaseName())
      let comparing = StoppableTools.Moment("pg_dump.end")
      let late = try crash.start("restore", id, "--into", copy, until: comparing)
      #expect(try crash.runPlainly("restore", id, "--into", copy).exit == 0)
      try crash.tools.release(comparing)
      let end = try late.end()
      #expect(end.code == 73)
      #expect(end.standardError.contains("exists already"), "\(end.standardError)")
      #expect(try crash.databases() == [copy])
      #expect(try crash.content(of: copy) == crash.content(of: crash.bench.database))
    }
  }

  private static func expectNextSucceeds(_ crash: CrashBench, _ id: String, _ copy: String) throws {
    let next = try crash.run("restore", id, "--into", copy)
    #expect(next.exit == 0, "\(next.stderr)")
    #expect(try crash.databases() == [copy])
    #expect(try crash.content(of: copy) == crash.content(of: crash.bench.database))
    #expect(crash.leavings().isEmpty)
  }
}
