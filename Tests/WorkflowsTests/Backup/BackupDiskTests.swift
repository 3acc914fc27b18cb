import Foundation
import PostgresTools
import TestSupport
import Testing

/// The disk that a backup takes while it is taken: what pg_dump writes raw does not pile up.
@Suite struct BackupDiskTests {
  /// 104 MB that do not compress well; a compression that is slower than pg_dump.
  private static let sql = """
    CREATE TABLE a (t text); ALTER TABLE a ALTER t SET STORAGE EXTERNAL;
    INSERT INTO a SELECT (SELECT string_agg(md5((g * 1000 + i)::text), '') FROM generate_series(1, 250) i) FROM generate_series(1, 13000) g;
    """
  private static let policy = "backup: {jobs: 1, compression: \"zstd:9\"}\nverify: {after_backup: checksum}"

  @Test func `takes at most 64 MB for each job besides what it stores`() throws {
    try Workbench.with(sql: Self.sql, policy: Self.policy) { bench in
      guard try PeakDisk.canPunchHoles(in: bench.folder) else { return }
      let (id, peak) = try PeakDisk(of: bench.shelf).whileRunning { try bench.backUp() }
      let stored = PeakDisk.bytes(in: bench.path(of: id))
      #expect(stored > 30 << 20)
      #expect(peak > stored, "the files were looked at")
      #expect(peak < stored + 64 << 20, "\(peak >> 20) MB, of which \(stored >> 20) MB stay")
      #expect(try bench.holdfast("verify", id, "--level", "archive").exit == 0)
    }
  }

  @Test func `pg_dump waits for the compression, and dies with a backup that is killed while it waits`() throws {
    try Workbench.with(sql: Self.sql, policy: Self.policy) { bench in
      guard try PeakDisk.canPunchHoles(in: bench.folder) else { return }
      let backup = try bench.start("backup")
      let dump = try Self.waitUntilStopped(backup)
      _ = try backup.end(bySending: SIGKILL)
      try waitUntil("pg_dump has ended") { kill(-dump, 0) != 0 }
      try waitUntil("its sessions have ended") { try bench.sessions() == 0 }
    }
  }

  @Test func `a backup that is stopped while pg_dump waits ends at once`() throws {
    try Workbench.with(sql: Self.sql, policy: Self.policy) { bench in
      guard try PeakDisk.canPunchHoles(in: bench.folder) else { return }
      let backup = try bench.start("backup")
      let dump = try Self.waitUntilStopped(backup)
      let (exit, seconds) = try backup.end(bySending: SIGINT)
      #expect(exit.code == 130)
      #expect(seconds < 60)
      #expect(kill(-dump, 0) != 0)
      #expect(bench.shelfContents().isEmpty)
    }
  }

  /// - Returns: the process group of the pg_dump that stands still.
  private static func waitUntilStopped(_ backup: ChildProcess) throws -> pid_t {
    var found: pid_t?
    try waitUntil("pg_dump stands still", seconds: 60) {
      let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(backup.pid)/task")
      let children = threads.flatMap { thread in
        let text = try? String(contentsOfFile: "/proc/\(backup.pid)/task/\(thread)/children", encoding: .utf8)
        return (text ?? "").split(separator: " ").compactMap { pid_t($0) }
      }
      found = children.first { state($0) == "T" }
      return found != nil
    }
    return found ?? 0
  }

  private static func state(_ pid: pid_t) -> Substring? {
    let status = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
    return status.split(separator: ")").last?.split(separator: " ").first
  }
}
