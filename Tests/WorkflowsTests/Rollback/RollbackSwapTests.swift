import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import TestSupport
import Testing

/// The moment of the swap, as clients see it.
@Suite struct RollbackSwapTests {
  private static let name = "20240201000000_more"

  @Test func `superusers that reconnect in a tight loop find the old database or the new, and never none`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int); INSERT INTO more VALUES (1);")
      // rollback-began, restored, and then the swap; undoing at once.
      for (command, lines) in [("rollback", 2), ("undo", 0), ("rollback", 2), ("undo", 0)] {
        let run = try bench.stand(command, at: CrashPoint(lines: lines, isWritten: false))
        let clients = try (0..<3).map { _ in try Client(of: bench.cluster.url(bench.database)) }
        try waitUntil("each client has seen it") { clients.allSatisfy { $0.hasSeenNews() } }
        #expect(try run.end().succeeded)
        try waitUntil("each client has seen it") { clients.allSatisfy { $0.hasSeenNews() } }
        for outcome in clients.map({ $0.stop() }) {
          #expect(outcome.keys.filter { !["old", "new", "55000", "57P01"].contains($0) } == [], "\(outcome)")
          #expect(outcome["old"] ?? 0 > 0 && outcome["new"] ?? 0 > 0, "\(command): \(outcome)")
        }
      }
      try bench.expectNothingLeft()
    }
  }

  @Test func `sessions that do nothing, and those within a transaction, are ended, and counted in the plan`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      try bench.cluster.holding("UPDATE customers SET name = 'never'", database: bench.database) {
        let plan = try bench.run("rollback", "--plan")
        #expect(plan.stdout.contains(/interrupts +1 session \(other-\d+ 1\)/), "\(plan.stdout)")
        #expect(try bench.confirmed("rollback").exit == 0)
      }
      #expect(try bench.psql("SELECT count(*) FROM customers WHERE name = 'never'") == "0")
    }
  }

  @Test func `names of 63 bytes are shortened, and do not get in each other's way`() throws {
    try DeployBench.with { bench in
      let plain = bench.database
      let room = 63 - plain.utf8.count
      let long = plain + String(repeating: "ü", count: room / 2) + String(repeating: "x", count: room % 2)
      #expect(long.utf8.count == 63)
      try bench.maintain("ALTER DATABASE \"\(plain)\" RENAME TO \"\(long)\"")
      defer { _ = try? bench.maintain("DROP DATABASE IF EXISTS \"\(long)\" WITH (FORCE)") }
      try bench.move(to: long)
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      for _ in 0..<2 {
        #expect(try bench.confirmed("rollback").exit == 0)
        #expect(try bench.psql("SELECT to_regclass('more')").isEmpty)
        let undo = try bench.confirmed("undo")
        #expect(undo.exit == 0, "\(undo.stdout)")
        #expect(try bench.psql("SELECT to_regclass('more')") == "more")
      }
      #expect(try bench.databases().allSatisfy { $0.utf8.count <= 63 })
      try bench.expectNothingLeft()
    }
  }

  /// After a deploy by the database's owner, who is no superuser.
  private func withOwner(_ body: (DeployBench) throws -> Void) throws {
    try DeployBench.with(sql: "") { bench in
      let role = "owner_of_\(bench.database)"
      try bench.maintain("CREATE ROLE \(role) LOGIN CREATEDB")
      defer {
        bench.dropCopies()
        _ = try? bench.maintain("DROP DATABASE IF EXISTS \(bench.database) WITH (FORCE)")
        _ = try? bench.maintain("DROP ROLE \(role)")
      }
      try bench.maintain("ALTER DATABASE \(bench.database) OWNER TO \(role)")
      try bench.psql("ALTER TABLE _prisma_migrations OWNER TO \(role); GRANT CREATE ON SCHEMA public TO \(role)")
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: role))
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      try body(bench)
    }
  }

  @Test func `sessions that may not be ended stop the swap, and leave the database open`() throws {
    try withOwner { bench in
      try bench.cluster.holding("SELECT 1", database: bench.database) {
        let run = try bench.confirmed("rollback")
        #expect(run.exit == 1, "\(run.stdout)")
        #expect(run.json.string("error", "code") == "sessions_stay")
        #expect(run.json.string("error", "why")?.contains("\"postgres\"") == true, "\(run.stdout)")
        // What nobody but a superuser can do is said to be that.
        let hint = try #require(run.json.string("error", "next_step"))
        #expect(
          hint.contains("SELECT pg_terminate_backend(pid)") && !hint.contains("GRANT pg_signal_backend"), "\(hint)")
        #expect(try bench.run("rollback", "--plan").stdout.contains("blocked by"))
        #expect(try bench.run("check").stdout.contains("may not end the sessions of \"postgres\""))
        // Nothing was begun, and nobody was kept out.
        #expect(try bench.psql("SELECT to_regclass('more')") == "more")
        #expect(try bench.run("deploy").exit == 0)
        try bench.expectNothingLeft()
      }
      #expect(try bench.confirmed("rollback").exit == 0)
      #expect(try bench.psql("SELECT to_regclass('more')").isEmpty)
    }
  }

  @Test func `a role that works as another one ends its own sessions`() throws {
    try DeployBench.with { bench in
      let (owner, login) = ("own_\(bench.database)", "login_\(bench.database)")
      try bench.maintain(
        "CREATE ROLE \(owner) CREATEDB; CREATE ROLE \(login) LOGIN CREATEDB; GRANT \(owner) TO \(login)")
      try bench.maintain("ALTER ROLE \(login) SET role = \(owner)")
      defer {
        bench.dropCopies()
        _ = try? bench.maintain("DROP DATABASE IF EXISTS \(bench.database) WITH (FORCE)")
        _ = try? bench.maintain("DROP ROLE \(login)")
        _ = try? bench.maintain("DROP ROLE \(owner)")
      }
      try bench.maintain("ALTER DATABASE \(bench.database) OWNER TO \(owner)")
      try bench.psql(
        "DO $$ DECLARE t text; BEGIN FOR t IN SELECT oid::regclass FROM pg_class WHERE relkind IN ('r', 'v') AND relnamespace = 'public'::regnamespace LOOP EXECUTE format('ALTER TABLE %s OWNER TO \(owner)', t); END LOOP; END $$"
      )
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: login))
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      #expect(!(try bench.run("check").stdout.contains("may not end the sessions")))
      let back = try bench.confirmed("rollback")
      #expect(back.exit == 0, "\(back.stdout)\(back.stderr)")
      #expect(try bench.psql("SELECT to_regclass('more')").isEmpty)
    }
  }

  @Test func `a session that comes during the restore and may not be ended keeps nobody else out`() throws {
    try withOwner { bench in
      let run = try SteppedRun(
        ProgramRun.command(["rollback", "--confirm", bench.database, "--policies", bench.bench.policies]),
        at: "prove the database", notesIn: bench.bench.folder)
      _ = try #require(try run.reach())
      try bench.cluster.holding("SELECT 1", database: bench.database) {
        run.pass()
        // Every client gets in all the while.
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(8) {
          let seen = try bench.psql("SELECT to_regclass('more')")
          #expect(seen == "more")
        }
        let code = try run.end().code
        #expect(code == 1)
      }
      #expect(try bench.confirmed("resume").exit == 0)
      #expect(try bench.psql("SELECT to_regclass('more')").isEmpty)
    }
  }
}

/// A client that connects again as soon as it can, as a superuser, and looks which database it has found.
private final class Client: @unchecked Sendable {
  private let lock = NSLock()
  private var outcomes: [String: Int] = [:]
  private var asked = 0
  private var stopping = false
  private let ended = DispatchSemaphore(value: 0)

  init(of url: String) throws {
    let target = try ConnectionURL.parse(Secret(url))
    Thread.detachNewThread { [self] in
      let connector = Connector(cancellation: Cancellation(), log: .silent)
      while !lock.withLock({ stopping }) {
        let outcome = Self.look(connector, target)
        lock.withLock {
          outcomes[outcome, default: 0] += 1
          asked += 1
        }
      }
      ended.signal()
    }
  }

  private static func look(_ connector: Connector, _ target: ConnectionTarget) -> String {
    do throws(Failure) {
      let session = try connector.connectAsClient(target, purpose: "client of the tests")
      switch session.attempt("SELECT to_regclass('more') IS NULL, count(*) FROM customers") {
      case .success(let rows): return rows == [["t", "40"]] ? "old" : rows == [["f", "40"]] ? "new" : "\(rows)"
      // Ended by the fence: told so, or not even that.
      case .failure(let error): return error.sqlState ?? "57P01"
      }
    } catch {
      // The same before its first statement.
      if error.code == "connection_lost" { return "57P01" }
      return error.why.contains("not currently accepting connections") ? "55000" : "\(error.code): \(error.why)"
    }
  }

  /// Whether it has looked twice since it was last asked.
  func hasSeenNews() -> Bool {
    lock.withLock {
      guard asked > 1 else { return false }
      asked = 0
      return true
    }
  }

  func stop() -> [String: Int] {
    lock.withLock { stopping = true }
    ended.wait()
    return lock.withLock { outcomes }
  }
}
