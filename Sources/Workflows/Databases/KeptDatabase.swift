import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import PostgresTools

/// A database that a rollback, an undo or a deploy has kept beside the live one. Holdfast never drops it by itself.
package struct KeptDatabase: Sendable {
  package var name: String
  package var bytes: UInt64
  package var since: Date
  /// The standby copy of a deploy that can be rolled back.
  package var isWayBack: Bool

  static func all(of deploys: [DeployRecord], _ session: Session) throws(Failure) -> [KeptDatabase] {
    var found: [KeptDatabase] = []
    for deploy in deploys where !deploy.isUnfinished {
      for name in deploy.keptNames + [deploy.copy?.name].compactMap({ $0 }) where deploy.isOwn(name) {
        let rows = try session.query(
          "SELECT pg_catalog.pg_database_size(oid) FROM pg_catalog.pg_database WHERE datname = $1", [name])
        guard let size = rows.first?.first ?? nil else { continue }
        let since = deploy.keptSince[name] ?? deploy.startedAt
        found.append(
          KeptDatabase(
            name: name, bytes: UInt64(size) ?? 0, since: since,
            isWayBack: deploy.canBeRolledBack && deploy.copy?.isWhole == true && deploy.copy?.name == name))
      }
    }
    return found
  }
}
