import Diagnostics
import Foundation
import PostgresTools
import TestSupport
import Testing

extension Workbench {
  /// A session of Holdfast on the bench's database.
  func session(
    as user: String = "postgres", purpose: String = "test", cancellation: Cancellation = Cancellation()
  ) throws -> Session {
    let target = try ConnectionURL.parse(Secret(cluster.url(database, user: user)))
    return try Connector(cancellation: cancellation, log: .silent).connectAsClient(target, purpose: purpose)
  }

  /// Runs a test with a role that has no rights but those that PUBLIC has.
  func withRole(_ options: String = "", _ body: (_ name: String) throws -> Void) throws {
    let role = "\(database)_role_\(UInt16.random(in: 0...UInt16.max))"
    try cluster.psql("CREATE ROLE \(role) LOGIN \(options)")
    defer {
      _ = try? cluster.psql("DROP OWNED BY \(role) CASCADE", database: database)
      _ = try? cluster.psql("DROP ROLE \(role)")
    }
    try body(role)
  }

  /// Runs `holdfast` several times at once, all of them waiting for Prisma's lock before the first goes on.
  ///
  /// - Parameter meanwhile: what the holder of the lock does while they wait.
  func race(_ commands: [[String]], meanwhile: (Session) throws -> Void = { _ in }) throws -> [ProgramRun] {
    let holder = try session(purpose: "starter")
    try holder.query("SELECT pg_advisory_lock(72707369)")
    let runs = Outcomes<ProgramRun>()
    let arguments = commands.map { $0 + ["--json", "--policies", policies] }
    let threads = DispatchGroup()
    for words in arguments {
      Thread.detachNewThread(in: threads) { runs.add { try ProgramRun(words) } }
    }
    let waiting =
      "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_try_advisory_lock%' AND pid <> pg_backend_pid()"
    let ours = " AND datname = '\(database)'"
    defer { threads.wait() }
    defer { _ = try? holder.query("SELECT pg_advisory_unlock(72707369)") }
    try eventually("all of them wait for the lock") { try cluster.psql(waiting + ours) == "\(commands.count)" }
    try meanwhile(holder)
    try holder.query("SELECT pg_advisory_unlock(72707369)")
    threads.wait()
    return try runs.all()
  }
}

extension Thread {
  static func detachNewThread(in group: DispatchGroup, _ body: @escaping @Sendable () -> Void) {
    group.enter()
    detachNewThread {
      body()
      group.leave()
    }
  }
}

/// What several threads came to.
final class Outcomes<Value: Sendable>: @unchecked Sendable {
  private let lock = NSLock()
  private var results: [Result<Value, any Error>] = []

  func add(_ body: () throws -> Value) {
    let result = Result { try body() }
    lock.withLock { results.append(result) }
  }

  func all() throws -> [Value] { try lock.withLock { results }.map { try $0.get() } }
}

/// Waits until something is so; a test that waits longer than two minutes has failed.
func eventually(_ what: String, _ condition: () throws -> Bool) throws {
  let deadline = Date(timeIntervalSinceNow: 120)
  while try !condition() {
    try #require(Date() < deadline, "\(what): not within two minutes")
    usleep(20_000)
  }
}

/// The failure that `body` ends with.
func failure<Value>(_ body: () throws -> Value) throws -> Failure {
  try #require(#expect(throws: Failure.self) { _ = try body() })
}
