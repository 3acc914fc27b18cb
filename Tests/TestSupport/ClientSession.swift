import BackupModel
import Diagnostics
import PostgresTools

extension Connector {
  /// A session as anybody else has one: under the settings of role and database.
  package func connectAsClient(_ target: ConnectionTarget, purpose: String) throws(Failure) -> Session {
    let session = try connect(target, purpose: purpose)
    try session.query("RESET ALL")
    return session
  }
}
