import BackupModel
import Diagnostics
import PostgresTools

extension Connector {
  /// A session under the settings of role and database, but for a `role` among them; Holdfast's own limits of time and size hold.
  package func connectAsClient(_ target: ConnectionTarget, purpose: String) throws(Failure) -> Session {
    let session = try connect(target, purpose: purpose)
    try session.query("RESET ALL")
    return session
  }
}
