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

extension PruneBackups {
  /// Databases that have been kept for longer than `migrations.hold_for`; none when the server cannot be asked, which a log says.
  package func databasesToOffer() throws(Failure) -> [KeptDatabase] {
    let deploys = try Repository.open(policy.repository).deploys(of: policy.name)
    // Without deploys there is nothing to ask a server for.
    guard deploys.contains(where: { !$0.keptNames.isEmpty || $0.copy != nil }) else { return [] }
    do throws(Failure) {
      let session = try surroundings.connector.maintenanceSession(of: try ConnectionURL.parse(policy.databaseURL))
      let end = surroundings.now().addingTimeInterval(-policy.migrations.holdFor.seconds)
      return try KeptDatabase.all(of: deploys, session).filter { $0.since <= end }
    } catch {
      try surroundings.cancellation.check()
      surroundings.log.warning("databases kept by rollbacks are not shown: \(error.what): \(error.why)")
      return []
    }
  }
}
