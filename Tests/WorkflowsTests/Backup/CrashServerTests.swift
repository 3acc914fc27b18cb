import Foundation
import PostgresTools
import TestSupport
import Testing

/// A server that dies, or takes sessions and locks away, in the middle of things.
@Suite struct CrashServerTests {
  @Test func `a server that dies in the middle takes no backup and no proof with it`() throws {
    let cluster = try TestCluster()
    try CrashBench.with(cluster: cluster) { crash in
      let id = try crash.backUp()
      let source = try crash.content(of: crash.bench.database)

      for moment in ["pg_dump.start", "pg_dump.half", "pg_restore.end"].map(StoppableTools.Moment.init) {
        let backup = try crash.start("backup", until: moment)
        try die(cluster, crash, moment, backup)
        try crash.expectNothingLeft("died at \(moment)")
        #expect(try crash.listed() == [id])
      }

      // A lock keeps pg_dump itself in the middle of a query.
      try cluster.holding("LOCK TABLE orders", database: crash.bench.database) {
        let backup = try crash.start("backup")
        #expect(try eventually { try crash.sessions().contains { $0.contains("LOCK TABLE") } })
        try die(cluster, crash, nil, backup)
      }
      try crash.expectNothingLeft()

      let copy = crash.bench.newDatabaseName()
      for moment in ["pg_restore.half", "pg_dump.start", "pg_dump.end"].map(StoppableTools.Moment.init) {
        let restore = try crash.start("restore", id, "--into", copy, until: moment)
        try die(cluster, crash, moment, restore)
        try crash.expectOnlyWholeStates("died at \(moment)")
        #expect(try !crash.databases().contains(copy))
      }
      #expect(try crash.run("restore", id, "--into", copy).exit == 0)
      #expect(try crash.databases() == [copy])
      #expect(try crash.content(of: copy) == source)
    }
  }

  /// Kills the server, sees the run fail in time, and starts the server again.
  private func die(_ cluster: TestCluster, _ crash: CrashBench, _ moment: StoppableTools.Moment?, _ run: ChildProcess)
    throws
  {
    cluster.kill()
    // The run may have seen it by itself, and have ended the tool.
    if let moment { _ = try? crash.tools.release(moment) }
    let end = try run.end()
    #expect([1, 69].contains(end.code), "\(end.standardError)")
    #expect(end.standardError.contains("hint: "))
    if let moment { crash.tools.disarm(moment) }
    try cluster.start()
  }

  @Test func `a backup is verified without its server`() throws {
    let cluster = try TestCluster()
    try CrashBench.with(cluster: cluster) { crash in
      let id = try crash.backUp()
      let reading = StoppableTools.Moment("pg_restore.start")
      let verify = try crash.start("verify", id, until: reading)
      cluster.kill()
      try crash.tools.release(reading)
      #expect(try verify.end().code == 0)
      crash.tools.disarm(reading)
      try cluster.start()
    }
  }

  @Test func `a backup whose snapshot's session is terminated while pg_dump works is given up`() throws {
    try CrashBench.with { crash in
      for name in ["pg_dump.start", "pg_dump.end", "pg_restore.end"] {
        let moment = StoppableTools.Moment(name)
        let backup = try crash.start("backup", until: moment)
        let terminated = try crash.cluster.psql(
          """
          SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
          WHERE datname = '\(crash.bench.database)' AND application_name = 'holdfast backup'
            AND state = 'idle in transaction'
          """)
        // The one with the snapshot; and the one with the locks, until pg_dump has its own.
        #expect(terminated == (name == "pg_dump.start" ? "2" : "1"))
        try crash.tools.release(moment)
        let end = try backup.end()
        #expect([1, 69].contains(end.code), "\(end.standardError)")
        crash.tools.disarm(moment)
        try crash.expectNothingLeft("terminated at \(moment)")
        #expect(try crash.listed().isEmpty)
      }
      try crash.expectNextBackupSucceeds()
    }
  }

  @Test func `a backup gives way when a table stays locked for longer than lock_wait_timeout`() throws {
    try CrashBench.with(policy: "backup:\n  lock_wait_timeout: 1s") { crash in
      try crash.cluster.holding("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE", database: crash.bench.database) {
        let start = Date()
        let backup = try crash.run("backup")
        let seconds = Date().timeIntervalSince(start)
        #expect(backup.exit == 1)
        #expect(seconds > 1 && seconds < 60)
        #expect(backup.stderr.contains("holds a lock"), "\(backup.stderr)")
        #expect(backup.stderr.contains("orders") && backup.stderr.contains("lock_wait_timeout (1 s)"))
        try crash.expectNothingLeft()
      }
      try crash.expectNextBackupSucceeds()
    }
  }
}
