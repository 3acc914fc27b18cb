import BackupModel
import Diagnostics
import Foundation

/// As many sessions on one database as there are threads that want one at the same time. They end with the pool.
package final class SessionPool: @unchecked Sendable {
  private let connector: Connector
  private let target: ConnectionTarget
  private let purpose: String
  private let lock = NSLock()
  // Guarded by `lock`.
  private var idle: [Session] = []

  package init(_ connector: Connector, _ target: ConnectionTarget, purpose: String) {
    self.connector = connector
    self.target = target
    self.purpose = purpose
  }

  /// Lends a session without a role's or a database's limits.
  ///
  /// - Throws: what connecting and `body` throw.
  package func with<Result>(_ body: (Session) throws(Failure) -> Result) throws(Failure) -> Result {
    let session = try take()
    defer { lock.withLock { idle.append(session) } }
    return try body(session)
  }

  private func take() throws(Failure) -> Session {
    if let session = lock.withLock({ idle.popLast() }) { return session }
    let session = try connector.connect(target, purpose: purpose)
    try session.liftLimits()
    return session
  }
}
