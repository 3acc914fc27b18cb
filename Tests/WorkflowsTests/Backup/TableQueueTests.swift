import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import TestSupport
import Testing

/// Whoever truncates, drops or changes a table while a backup begins neither waits for it nor breaks it.
@Suite struct TableQueueTests {
  private static let fill = "INSERT INTO staging SELECT i, 1 FROM generate_series(1, 500) i"
  private static let sql = "CREATE TABLE staging (id int, a int); \(fill); CREATE TABLE other AS SELECT 1 AS a"

  @Test(arguments: ["directory", "custom"])
  func `a job that empties a table five times a second hardly waits, and every backup succeeds`(format: String) throws {
    try Workbench.with(sql: Self.sql, policy: "backup: {format: \(format), globals: false}") { bench in
      let job = try StagingJob(bench, "BEGIN; TRUNCATE staging", "\(Self.fill); COMMIT")
      for _ in 1...10 {
        let run = try bench.holdfast("backup", "--log-level", "info")
        #expect(run.exit == 0, "\(run.stderr)")
      }
      let slowest = try job.end()
      #expect(slowest < 0.5)
      let copy = bench.newDatabaseName()
      try bench.restore("latest", into: copy)
      #expect(try bench.cluster.psql("SELECT count(*) FROM staging", database: copy) == "500")
    }
  }

  /// - Parameter again: whether the snapshot shows a table as it is not any more.
  @Test(arguments: [
    ("TRUNCATE staging; INSERT INTO staging VALUES (1, 7)", true),
    ("BEGIN; DROP TABLE staging; CREATE TABLE staging AS SELECT 1 AS id, 7 AS a; COMMIT", true),
    (
      """
      BEGIN; CREATE TABLE fresh AS SELECT 1 AS id, 7 AS a; ALTER TABLE staging RENAME TO old;
      ALTER TABLE fresh RENAME TO staging; COMMIT
      """, true
    ),
    ("ALTER TABLE staging ALTER a TYPE bigint USING 7; DELETE FROM staging WHERE id > 1", true),
    ("BEGIN; LOCK TABLE staging; COMMIT", false),
  ])
  func `what was queued behind the locks of a backup goes first, and the backup is right`(sql: String, again: Bool)
    throws
  {
    try Workbench.with(sql: Self.sql) { bench in
      let command = ProgramRun.command(["backup", "--log-level", "info", "--policies", bench.policies])
      let run = try SteppedRun(command, at: "dump#1", notesIn: bench.folder)
      try #require(try run.reach() == "dump#1")
      let other = try bench.startSession(sql)
      try waitUntil("the statement waits for the backup") {
        try bench.cluster.psql(
          """
          SELECT count(*) FROM pg_locks l JOIN pg_stat_activity USING (pid)
          WHERE NOT granted AND mode = 'AccessExclusiveLock' AND datname = '\(bench.database)'
          """) == "1"
      }
      let end = try run.end()
      #expect(end.code == 0, "\(end.standardError)")
      #expect(try other.end().succeeded)
      #expect(end.standardError.contains("taking the snapshot again") == again, "\(end.standardError)")
      let copy = bench.newDatabaseName()
      try bench.restore("latest", into: copy)
      #expect(try bench.cluster.psql("SELECT sum(a) FROM staging", database: copy) == (again ? "7" : "500"))
    }
  }

  @Test func `a backup that waits for one table keeps nobody from the others`() throws {
    try Workbench.with(sql: Self.sql, policy: "backup: {lock_wait_timeout: 3s}") { bench in
      let start = Date()
      try bench.cluster.holding("LOCK TABLE other", database: bench.database) {
        let backup = try bench.start("backup")
        try waitUntil("the backup waits") {
          try bench.cluster.psql(
            """
            SELECT count(*) FROM pg_locks l JOIN pg_stat_activity USING (pid)
            WHERE NOT granted AND application_name = 'holdfast backup' AND datname = '\(bench.database)'
            """) == "1"
        }
        try bench.cluster.psql("SET lock_timeout = '500ms'; TRUNCATE staging", database: bench.database)
        let end = try backup.end()
        #expect(end.code == 1)
        #expect(end.standardError.contains("public.other"), "\(end.standardError)")
        #expect(end.standardError.contains("backup.lock_wait_timeout (3 s)"))
      }
      #expect(Date().timeIntervalSince(start) < 60)
      #expect(try bench.holdfast("backup").exit == 0)
    }
  }
}

/// Does the same on a database again and again, five times a second.
private final class StagingJob: @unchecked Sendable {
  private let lock = NSLock()
  private let group = DispatchGroup()
  private var isOver = false
  private var slowest = 0.0
  private var failure: Failure?

  /// - Parameters:
  ///   - blocking: the time of this is measured.
  ///   - rest: comes after.
  init(_ bench: Workbench, _ blocking: String, _ rest: String) throws {
    let session = try bench.session()
    group.enter()
    Thread.detachNewThread { [self] in
      while lock.withLock({ !isOver && failure == nil }) {
        let start = Date()
        do throws(Failure) {
          try session.query(blocking)
          let seconds = Date().timeIntervalSince(start)
          lock.withLock { slowest = max(slowest, seconds) }
          try session.query(rest)
        } catch { lock.withLock { failure = error } }
        usleep(200_000)
      }
      group.leave()
    }
  }

  /// - Returns: the seconds of the slowest.
  func end() throws -> Double {
    lock.withLock { isOver = true }
    group.wait()
    if let failure { throw failure }
    return slowest
  }
}

extension Workbench {
  fileprivate func session() throws -> Session {
    try Connector(cancellation: Cancellation(), log: .silent).connectAsClient(
      try ConnectionURL.parse(Secret(cluster.url(database))), purpose: "test")
  }

  fileprivate func startSession(_ sql: String) throws -> ChildProcess {
    try ChildProcess(
      starting: ChildCommand(
        executable: "\(cluster.binaries)/psql",
        arguments: ["-X", "-v", "ON_ERROR_STOP=1", cluster.url(database), "-c", sql],
        environment: Toolbox.baseEnvironment()), capturesOutput: false)
  }
}
