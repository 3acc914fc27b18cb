import Foundation
import PostgresTools
import TestSupport
import Testing

/// A table that is much larger than what the program may hold in memory, and than what it can do away with at once.
@Suite struct CrashSizeTests {
  private static let limit = 150 << 20

  @Test func `a table of 300 MB is backed up and restored in little memory, and a run on it can be stopped`() throws {
    let sql = "CREATE TABLE t AS SELECT i, repeat(md5(i::text), 31250) s FROM generate_series(1, 300) i"
    try CrashBench.with(sql: sql) { crash in
      try stop(crash) { try crash.start("backup") }

      let (exit, peak) = try measure(try crash.start("backup"))
      #expect(exit.code == 0, "\(exit.standardError)")
      #expect(peak > 1 << 20 && peak < Self.limit)

      let (id, copy) = (try #require(crash.listed().first), crash.bench.newDatabaseName())
      let (restored, restorePeak) = try measure(try crash.start("restore", id, "--into", copy, "--no-analyze"))
      #expect(restored.code == 0, "\(restored.standardError)")
      #expect(restorePeak > 1 << 20 && restorePeak < Self.limit)
      #expect(
        try crash.cluster.psql("SELECT sum(length(s)), md5(string_agg(md5(s), '' ORDER BY i)) FROM t", database: copy)
          == crash.cluster.psql(
            "SELECT sum(length(s)), md5(string_agg(md5(s), '' ORDER BY i)) FROM t", database: crash.bench.database))
    }
  }

  private func measure(_ run: ChildProcess) throws -> (exit: ChildExit, peak: Int) {
    let (exit, peak) = try PeakMemory(of: run.pid).whileRunning { try run.end() }
    return (exit, peak)
  }

  /// Stops a backup when the table's file has grown to some megabytes.
  private func stop(_ crash: CrashBench, _ start: () throws -> ChildProcess) throws {
    let backup = try start()
    #expect(eventually { crash.partialBytes() > 4 << 20 })
    let (exit, seconds) = try backup.end(bySending: SIGTERM)
    #expect(exit.code == 143)
    #expect(seconds < 60)
    try crash.expectNothingLeft()
    #expect(try crash.listed().isEmpty)
  }
}

extension CrashBench {
  /// Size of the largest file of a partial backup.
  fileprivate func partialBytes() -> Int {
    let partial = bench.shelfContents().first { $0.hasPrefix(".partial-") } ?? ""
    let data = "\(bench.shelf)/\(partial)/data"
    return ((try? FileManager.default.contentsOfDirectory(atPath: data)) ?? []).map { name in
      let attributes = try? FileManager.default.attributesOfItem(atPath: "\(data)/\(name)")
      return (attributes?[.size] as? Int) ?? 0
    }.max() ?? 0
  }
}
