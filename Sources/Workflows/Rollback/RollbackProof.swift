import BackupModel
import Foundation

/// How far a rollback to a snapshot was tried on its server.
package enum RollbackProof: Sendable, Equatable {
  /// A backup of the same schema was restored as a whole, and equal.
  case restore(at: Date, seconds: Double)
  /// The schema alone was restored, by the role that deployed.
  case schema(at: Date)

  package var seconds: Double? { if case .restore(_, let seconds) = self { seconds } else { nil } }

  /// - Parameter backups: good ones; one restored before tells of all with its schema.
  init?(of snapshot: Backup, among backups: [Backup]) {
    let restored = backups.filter {
      $0.isLike(snapshot) && $0.manifest.digests.schema == snapshot.manifest.digests.schema
    }
    .flatMap { backup in backup.verifications.map { (verification: $0, bytes: backup.manifest.rawBytes) } }
    .filter { $0.verification.restored?.server == snapshot.manifest.source.systemIdentifier }
    .max { $0.verification.at < $1.verification.at }
    if let (restored, bytes) = restored, let seconds = restored.restored?.seconds {
      // Another backup of the schema may be of another size.
      let scale = Double(snapshot.manifest.rawBytes + 1) / Double(bytes + 1)
      self = .restore(at: restored.at, seconds: seconds * max(1, scale))
    } else if let trial = snapshot.manifest.wayBack {
      self = .schema(at: trial.at)
    } else {
      return nil
    }
  }
}

extension Manifest {
  /// By what restores of this size take on ordinary machines; an estimate, and shown as one.
  var restoreSeconds: Double { 3 + Double(rawBytes) / 25_000_000 }
}
