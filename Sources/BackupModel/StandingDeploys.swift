import Foundation

extension [DeployRecord] {
  /// Those that still stand, the last one first: they can be rolled back, and no rollback to before them has taken them away.
  ///
  /// - Parameter moment: of what a backup holds.
  package func standing(moment: (_ backup: String) -> BackupMoment?) -> [DeployRecord] {
    let rollbacks = filter { $0.state == .rolledBack }.compactMap(\.rollback).filter { $0.temporaryName != nil }
    let standing = compactMap { record -> (record: DeployRecord, moment: BackupMoment)? in
      guard record.canBeRolledBack, let backup = record.backup else { return nil }
      let taken = moment(backup) ?? BackupMoment(at: record.startedAt, position: 0)
      let isGone = rollbacks.contains { rollback in
        guard rollback.at > record.startedAt else { return false }
        // The journal knows it also when the backup is gone.
        let back = moment(rollback.backup) ?? rollback.holds
        return rollback.backup == backup || back.map { $0 < taken } ?? false
      }
      return isGone ? nil : (record, taken)
    }
    return standing.sorted { ($0.record.startedAt, $0.moment) > ($1.record.startedAt, $1.moment) }.map(\.record)
  }
}

/// The moment that a backup holds. Times have whole seconds only; within one the position in the server's log tells.
package struct BackupMoment: Sendable, Equatable, Comparable, Codable {
  private let at: Date
  private let position: UInt64

  package init(at: Date, position: UInt64) {
    self.at = at
    self.position = position
  }

  package init(_ manifest: Manifest) {
    let parts = manifest.snapshot.walLsn.split(separator: "/").map { UInt64($0, radix: 16) ?? 0 }
    self.init(at: manifest.createdAt, position: parts.reduce(0) { $0 << 32 | $1 })
  }

  package static func < (left: BackupMoment, right: BackupMoment) -> Bool {
    (left.at, left.position) < (right.at, right.position)
  }
}
