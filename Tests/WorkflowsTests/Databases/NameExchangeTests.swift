import BackupModel
import Foundation
import PostgresTools
import TestSupport
import Testing

/// The exchange of the names when something comes between.
@Suite struct NameExchangeTests {
  private static let name = "20240201000000_more"

  private func withDeploy(_ body: (DeployBench) throws -> Void) throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      try body(bench)
      try bench.expectNothingLeft()
    }
  }

  private func lets(in bench: DeployBench) throws -> Bool {
    try bench.maintain("SELECT datallowconn FROM pg_database WHERE datname = '\(bench.database)'") == "t"
  }

  @Test func `a client that is just coming in when the fence closes is ended, and the exchange tried again`() throws {
    try withDeploy { bench in
      let rollback = try bench.stand("rollback", at: CrashPoint(lines: 2, isWritten: false))
      // It is past the check of the fence, and shows in no view yet.
      let client = try ChildProcess(
        starting: ChildCommand(
          executable: "\(bench.cluster.binaries)/psql",
          arguments: ["-X", "-d", bench.cluster.url(bench.database), "-c", "SELECT pg_sleep(600)"],
          environment: Toolbox.baseEnvironment().merging(["PGOPTIONS": "-c post_auth_delay=6"]) { _, own in own }),
        capturesOutput: false)
      try waitUntil("the client is coming in") { try Self.isComing(to: bench.database) }
      usleep(300_000)
      let end = try rollback.end()
      #expect(end.succeeded, "\(end.standardError)")
      #expect(try !client.end().succeeded)
      #expect(try bench.psql("SELECT to_regclass('more')").isEmpty)
    }
  }

  /// By the titles of the server's processes.
  private static func isComing(to database: String) throws -> Bool {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").contains { process in
      guard let title = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") else { return false }
      let text = String(decoding: title, as: UTF8.self)
      return text.hasPrefix("postgres: ") && text.contains(" \(database) ") && text.contains("startup")
    }
  }

  /// Starts a rollback, and stops it behind a fence that is closed, since a session does not end.
  private func behindFence(_ bench: DeployBench, _ body: (ChildProcess) throws -> ChildExit) throws {
    try bench.cluster.holding("SELECT 1", database: bench.database) {
      let others = "SELECT pid FROM pg_stat_activity WHERE datname = '\(bench.database)' AND wait_event = 'PgSleep'"
      let stuck = try #require(pid_t(try bench.maintain(others)))
      kill(stuck, SIGSTOP)
      defer { kill(stuck, SIGCONT) }
      let rollback = try bench.start("rollback", "--confirm", bench.database)
      try waitUntil("the fence is closed", seconds: 60) { try !lets(in: bench) }
      let end = try body(rollback)
      #expect(end.standardError.contains("holdfast resume; or give it up: holdfast abandon"), "\(end.standardError)")
      #expect(try lets(in: bench))
    }
    #expect(try bench.confirmed("abandon").exit == 0)
    #expect(try bench.psql("SELECT to_regclass('more')") == "more")
  }

  @Test func `when the connection is lost behind the fence, clients get in again, and the hint leads on`() throws {
    try withDeploy { bench in
      try behindFence(bench) { rollback in
        try bench.maintain(
          """
          SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1937203568
            AND objid::bigint = hashtext('\(bench.database)') & 4294967295
          """)
        let end = try rollback.end()
        #expect(end.code == 69)
        return end
      }
    }
  }

  @Test func `when the terminal goes away behind the fence, clients get in again`() throws {
    try withDeploy { bench in
      try behindFence(bench) { rollback in
        let (end, seconds) = try rollback.end(bySending: SIGHUP)
        #expect(end.code == 143)
        #expect(seconds < 60)
        return end
      }
    }
  }

  @Test func `a transaction that has changed the database ends the exchange soon, and nothing has changed`()
    throws
  {
    try withDeploy { bench in
      try bench.cluster.holding("ALTER DATABASE \(bench.database) CONNECTION LIMIT 50") {
        let start = Date()
        let run = try bench.confirmed("rollback")
        #expect(run.exit == 1)
        #expect(run.json.string("error", "code") == "database_locked", "\(run.stdout)")
        #expect(run.json.string("error", "why")?.contains("pid ") == true, "\(run.stdout)")
        #expect(Date().timeIntervalSince(start) < 60)
        #expect(try lets(in: bench))
        #expect(try bench.psql("SELECT to_regclass('more')") == "more")
      }
      #expect(try bench.confirmed("abandon").exit == 0)
      #expect(try bench.psql("SELECT to_regclass('more')") == "more")
    }
  }

  @Test func `a stop is heard while the exchange waits for the fence to close`() throws {
    try withDeploy { bench in
      try bench.cluster.holding("ALTER DATABASE \(bench.database) CONNECTION LIMIT 50") {
        let rollback = try bench.start("rollback", "--confirm", bench.database)
        try waitUntil("it waits for the lock", seconds: 60) {
          try bench.maintain(
            """
            SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
              AND query = 'ALTER DATABASE "\(bench.database)" ALLOW_CONNECTIONS false'
            """) == "1"
        }
        let (end, seconds) = try rollback.end(bySending: SIGINT)
        #expect(end.code == 130, "\(end.standardError)")
        #expect(seconds < 3)
        #expect(try lets(in: bench))
      }
      #expect(try bench.confirmed("abandon").exit == 0)
      #expect(try bench.psql("SELECT to_regclass('more')") == "more")
    }
  }

  @Test func `who has the turn keeps others from the exchange, from whatever database it works`() throws {
    try withDeploy { bench in
      let turn = "SELECT pg_advisory_lock(1937203568, hashtext('\(bench.database)'))"
      try bench.cluster.holding(turn, database: bench.database) {
        let refused = try bench.confirmed("rollback")
        #expect(refused.exit == 75, "\(refused.stdout)")
        // Anybody can take such a lock.
        let why = try #require(refused.json.string("error", "why"))
        #expect(why.contains(/pid [0-9]+ \(other-[0-9]+\), role "postgres"/), "\(why)")
        #expect(refused.json.string("error", "next_step")?.contains("pg_terminate_backend(") == true)
      }
      #expect(try bench.confirmed("rollback").exit == 0)
    }
  }

  @Test func `an undo that changed nothing is over, and can be typed again`() throws {
    try withDeploy { bench in
      let role = "guest_of_\(bench.database)"
      try bench.maintain("CREATE ROLE \(role) LOGIN")
      defer { _ = try? bench.maintain("DROP ROLE \(role)") }
      #expect(try bench.confirmed("rollback").exit == 0)
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: role))
      let run = try bench.confirmed("undo")
      #expect(run.exit == 77, "\(run.stdout)")
      #expect(run.json.string("error", "next_step")?.hasSuffix("then: holdfast undo") == true, "\(run.stdout)")
      #expect(try bench.deploys().first?.state == .rolledBack)
      try bench.writePolicy()
      let again = try bench.confirmed("undo")
      #expect(again.exit == 0, "\(again.stdout)")
      #expect(try bench.psql("SELECT to_regclass('more')") == "more")
    }
  }
}
