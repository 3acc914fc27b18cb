import Foundation
import TestSupport
import Testing

/// `kill -9` of a backup: either the whole of it is there, or none.
@Suite struct CrashBackupKillTests {
  /// Each tool before, amid and after its work; the second pg_restore is that of the verification.
  static let moments = [
    "pg_dumpall.start", "pg_dumpall.end", "pg_dump.start", "pg_dump.half", "pg_dump.end", "pg_restore.start",
    "pg_restore.end",
  ].map(StoppableTools.Moment.init)

  @Test func `killed at a step, a backup leaves nothing that is listed, and the next run cleans up`() throws {
    try CrashBench.with { crash in
      for (taken, moment) in Self.moments.enumerated() {
        let backup = try crash.start("backup", until: moment)
        let (exit, _) = try backup.end(bySending: SIGKILL)
        #expect(exit.code == 128 + SIGKILL)
        crash.tools.disarm(moment)
        try crash.expectOnlyWholeStates("killed at \(moment)")
        #expect(try crash.listed().count == taken)
        #expect(crash.leavings().contains { $0.hasPrefix(".partial-") })
        try crash.expectNextBackupSucceeds()
      }
      try crash.expectAllProven()
    }
  }

  @Test func `killed while it proves a finished backup, that backup stays, whole`() throws {
    try CrashBench.with { crash in
      let reading = StoppableTools.Moment("pg_restore.start")
      let backup = try crash.start("backup", until: reading)
      try crash.tools.release(reading)
      try crash.tools.reach(reading)
      _ = try backup.end(bySending: SIGKILL)
      crash.tools.disarm(reading)
      try crash.expectOnlyWholeStates()
      #expect(try crash.listed().count == 1)
      #expect(crash.leavings().allSatisfy { !$0.hasPrefix(".partial-") })
      try crash.expectNextBackupSucceeds()
    }
  }

  @Test func `killed at any moment, a backup is whole or not there`() throws {
    try CrashBench.with { crash in
      let start = Date()
      try crash.backUp()
      let usual = Date().timeIntervalSince(start)
      for number in 0..<16 {
        let backup = try crash.start("backup")
        usleep(UInt32(usual * Double(number) / 14 * 1_000_000))
        _ = try backup.end(bySending: SIGKILL)
        try crash.expectOnlyWholeStates("killed at \(number)/14 of its time")
      }
      try crash.expectNextBackupSucceeds()
      try crash.expectAllProven()
    }
  }

  @Test(arguments: ["database.sql", "RESTORE.md", "SHA256SUMS", "manifest.json"])
  func `killed while it commits, a backup is whole or not there`(file: String) throws {
    try CrashBench.with { crash in
      let read = StoppableTools.Moment("pg_restore.end")
      for _ in 0..<3 {
        let backup = try crash.start("backup", until: read)
        let partial = try #require(crash.leavings().first { $0.hasPrefix(".partial-") })
        let final = crash.bench.path(of: String(partial.dropFirst(".partial-".count)))
        try crash.tools.release(read)
        // As soon as the file is there: its writing, flushing and what follows are under way.
        let begun = Spin(until: ["\(crash.bench.shelf)/\(partial)/\(file)", "\(final)/\(file)"])
        #expect(begun.wait())
        _ = try backup.end(bySending: SIGKILL)
        crash.tools.disarm(read)
        try crash.expectOnlyWholeStates("killed at \(file)")
      }
      try crash.expectNextBackupSucceeds()
      try crash.expectAllProven()
    }
  }
}

/// Waits for a file without a pause: what comes after it takes less than a millisecond.
private struct Spin {
  let paths: [String]
  init(until paths: [String]) { self.paths = paths }

  func wait() -> Bool {
    let deadline = Date(timeIntervalSinceNow: 60)
    while Date() < deadline {
      if paths.contains(where: { access($0, F_OK) == 0 }) { return true }
    }
    return false
  }
}
