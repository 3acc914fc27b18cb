import BackupModel
import Diagnostics
import Foundation

/// As many sessions on one database as there are threads that want one at the same time. They end with the pool.
package final class SessionPool: @unchecked Sendable {
  private let connector: Connector
  private let target: ConnectionTarget
  private let purpose: String
  private let settings: String?
  private let lock = NSLock()
  // Guarded by `lock`.
  private var idle: [Session] = []

  /// - Parameter settings: SQL that each session begins with.
  package init(_ connector: Connector, _ target: ConnectionTarget, purpose: String, settings: String? = nil) {
    self.settings = settings
    self.connector = connector
    self.target = target
    self.purpose = purpose
  }

  /// Lends a session.
  ///
  /// - Throws: what connecting and `body` throw.
  package func with<Result>(_ body: (Session) throws(Failure) -> Result) throws(Failure) -> Result {
    let session = try take()
    let result = try body(session)
    give(back: session)
    return result
  }

  /// Lends a session for one work, in which somebody else's functions run: nobody uses it afterwards, whatever they have set in it.
  ///
  /// - Throws: what connecting and `body` throw.
  package func once<Result>(_ body: (Session) throws(Failure) -> Result) throws(Failure) -> Result {
    try body(try connect())
  }

  /// A session to be given back.
  package func take() throws(Failure) -> Session {
    if let session = lock.withLock({ idle.popLast() }) { return session }
    return try connect()
  }

  /// One that was lost, or is in the midst of something, serves nobody any more.
  package func give(back session: Session) {
    if session.isIdle { lock.withLock { idle.append(session) } }
  }

  private func connect() throws(Failure) -> Session {
    let session = try connector.connect(target, purpose: purpose)
    if let settings { try session.query(settings) }
    return session
  }
}
