import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import TestSupport

/// A server whose roles and sessions belong to these tests alone.
enum LoginServer {
  static let shared: TestCluster = {
    do { return try TestCluster() } catch { fatalError("the tests need a PostgreSQL server: \(error)") }
  }()

  static func target(
    _ database: String = "postgres", user: String = "postgres", password: String? = nil
  ) -> ConnectionTarget {
    ConnectionTarget(
      parameters: [
        "host": "127.0.0.1", "port": "\(shared.port)", "user": user, "dbname": database, "connect_timeout": "5",
      ], password: password.map(Secret.init))
  }

  static func connect(_ database: String = "postgres", user: String = "postgres") throws -> Session {
    try Connector(cancellation: Cancellation(), log: .silent).connect(target(database, user: user), purpose: "test")
  }

  /// A role of its own for a test; the server goes before it has to be dropped.
  static func role(_ attributes: String = "LOGIN") throws -> String {
    let name = "role_\(UInt32.random(in: 0...UInt32.max))"
    try shared.psql("CREATE ROLE \(name) \(attributes)")
    return name
  }
}

/// Waits for a condition, at most a minute.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
  let deadline = Date(timeIntervalSinceNow: 60)
  while Date() < deadline {
    if try condition() { return true }
    usleep(5_000)
  }
  return try condition()
}

/// Runs `body` on another thread once `condition` holds.
func when(_ condition: @escaping @Sendable () -> Bool, _ body: @escaping @Sendable () -> Void) {
  Thread.detachNewThread { if eventually(condition) { body() } }
}
