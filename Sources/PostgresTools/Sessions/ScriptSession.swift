import BackupModel
import Diagnostics

/// A session for SQL of somebody else's: a migration, a health check. Settings of role and database hold in it, it takes as long as its
/// statements take, and nothing that Holdfast itself wants to know is asked on it: a function in its search path could answer.
///
/// Holdfast's own statements run on a `Session`. Neither can be taken for the other.
package final class ScriptSession: Sendable {
  private let session: Session

  /// - Parameter session: whose settings are those of role and database.
  init(_ session: Session) throws(Failure) {
    self.session = session
    try session.putCatalogFirst()
  }

  /// The session's process on the server.
  package var process: Int { session.process }

  /// A transaction was left open, or aborted and not ended.
  package var isInTransaction: Bool { session.isInTransaction }

  /// Runs a script, or a part of one.
  package func run(_ script: String) -> Result<[[String?]], ServerError> { session.attempt(script) }

  /// Likewise, and breaks it off when `stop` is told to.
  package func run(
    _ script: String, hearing stop: Cancellation
  ) throws(Failure) -> Result<[[String?]], ServerError> {
    try session.hearing(stop) { () throws(Failure) in session.attempt(script) }
  }

  /// Undoes what a script has left open.
  package func rollBack() throws(Failure) { try session.query("ROLLBACK") }

  /// A setting for the rest of the session.
  package func set(_ name: String, to value: String) throws(Failure) {
    try session.query("SELECT pg_catalog.set_config($1, $2, false)", [name, value])
  }
}
