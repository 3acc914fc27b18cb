import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import PostgresTools

extension PruneBackups {
  /// Databases that have been kept for longer than `migrations.hold_for`; none when the server cannot be asked, which a log says.
  package func databasesToOffer() throws(Failure) -> [KeptDatabase] {
    let deploys = try Repository.open(policy.repository).deploys(of: policy.name)
    // Without deploys there is nothing to ask a server for.
    guard deploys.contains(where: { !$0.keptNames.isEmpty || $0.copy != nil }) else { return [] }
    do throws(Failure) {
      let session = try surroundings.connector.maintenanceSession(of: policy.target)
      let end = surroundings.now().addingTimeInterval(-policy.migrations.holdFor.seconds)
      return try KeptDatabase.all(of: deploys, session).filter { $0.since <= end }
    } catch {
      try surroundings.cancellation.check()
      surroundings.log.warning("databases kept by rollbacks are not shown: \(error.what): \(error.why)")
      return []
    }
  }
}
