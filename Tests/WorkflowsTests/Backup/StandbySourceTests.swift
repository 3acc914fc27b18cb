import Foundation
import TestSupport
import Testing

/// Backups of a standby, whose recovery may end them at any moment.
@Suite struct StandbySourceTests {
  /// - Parameter body: is given the standby, and what lets recovery end every session that looks at the past.
  private func withStandby(
    _ body: (_ bench: Workbench, _ standby: TestCluster, _ disturb: () throws -> Void) throws -> Void
  ) throws {
    let primary = try TestCluster()
    defer { primary.stop() }
    let sql = "CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 5000)"
    try Workbench.with(cluster: primary, sql: sql) { bench in
      let standby = try TestCluster(standbyOf: primary, settings: ["max_standby_streaming_delay=0"])
      defer { standby.stop() }
      try bench.writePolicy(url: standby.url(bench.database))
      try waitUntil("the standby has everything") {
        (try? standby.psql("SELECT count(*) FROM t", database: bench.database)) == "5000"
      }
      try body(bench, standby) {
        let conflicts = "SELECT sum(confl_snapshot) FROM pg_stat_database_conflicts"
        let before = try standby.psql(conflicts)
        for sql in ["DELETE FROM t WHERE a % 2 = 0", "VACUUM t", "INSERT INTO t SELECT 2 * generate_series(1, 2500)"] {
          try primary.psql(sql, database: bench.database)
        }
        try waitUntil("recovery has ended a session") { try standby.psql(conflicts) != before }
      }
    }
  }

  private func backup(_ bench: Workbench) throws -> SteppedRun {
    try SteppedRun(
      ProgramRun.command(["backup", "--policies", bench.policies]), at: "dump", notesIn: bench.folder)
  }

  @Test func `a backup that recovery has ended is taken again`() throws {
    try withStandby { bench, standby, disturb in
      let run = try backup(bench)
      try #require(try run.reach() != nil)
      try disturb()
      let end = try run.end()
      #expect(end.code == 0, "\(end.standardError)")
      #expect(run.stops.count == 2)
      #expect(end.standardError.contains("recovery has ended the dump"))
      let rows = try bench.holdfast("show", "latest", "--json")
      #expect(rows.exit == 0)
      #expect(try standby.psql("SELECT count(*) FROM pg_stat_activity WHERE application_name ~ 'holdfast'") == "0")
    }
  }

  @Test func `one that is ended over and over says what to change`() throws {
    try withStandby { bench, _, disturb in
      let run = try backup(bench)
      while try run.reach() != nil {
        try disturb()
        run.pass()
      }
      let end = try run.process.end()
      #expect(end.code == 1, "\(end)")
      #expect(run.stops.count == 3)
      #expect(end.standardError.contains("max_standby_streaming_delay"), "\(end.standardError)")
      #expect(bench.shelfContents() == [])
    }
  }
}
