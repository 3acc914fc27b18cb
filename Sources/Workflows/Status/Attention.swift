import BackupModel
import Foundation

/// Why somebody has to look at a policy. The words stand in JSON.
package enum Attention: String, Sendable, CaseIterable {
  case noBackup = "no_backup"
  /// The newest good one is older than `backup.max_age`.
  case staleBackup = "stale_backup"
  /// The newest is dated in the future: it tells nothing of the last night, and retention removes nothing.
  case futureBackup = "future_backup"
  case damagedBackups = "damaged_backups"
  /// The newest good one lacks something that the policy does not accept.
  case incompleteBackup = "incomplete_backup"
  case unreadableBackups = "unreadable_backups"
  /// Less is free than the newest good backup takes.
  case noRoom = "no_room"
  case otherRepository = "other_repository"
  case otherDatabase = "other_database"
  case server
  case openDeploy = "open_deploy"
  /// The newest deploy failed, and neither a later one nor a person has said that all is well.
  case failedDeploy = "failed_deploy"
  case migrations
  /// The role lacks a privilege that a rollback needs.
  case rollbackPrivileges = "rollback_privileges"
  /// The server lacks something that the snapshot needs, a role for one.
  case rollbackNeeds = "rollback_needs"
  /// The last try to roll the last deploy back failed.
  case rollbackFailed = "rollback_failed"
  /// The last deploy may still be rolled back, and nothing is there to do it with.
  case noWayBack = "no_way_back"
}

extension StatusReport {
  /// All reasons, in the order in which the screen shows them.
  package var attention: [Attention] { Attention.allCases.filter(holds) }

  package var needsAttention: Bool { !attention.isEmpty }

  private func holds(_ reason: Attention) -> Bool {
    switch reason {
    case .noBackup: lastGood == nil
    case .staleBackup: freshness.isStale
    case .futureBackup: freshness.isFromFuture
    case .damagedBackups: damaged > 0
    case .incompleteBackup: !lacks.isEmpty
    case .unreadableBackups: unreadable > 0
    case .noRoom: lastGood.map { freeBytes < $0.manifest.storedBytes } ?? false
    case .otherRepository: otherRepository != nil
    case .otherDatabase: otherDatabase != nil
    case .server: serverProblem != nil
    case .openDeploy: openDeploy != nil
    case .failedDeploy: failedDeploy != nil
    case .migrations: !(migrations?.isClean ?? true)
    case .rollbackPrivileges: lacksForRollback != nil
    case .rollbackNeeds: missingForRollback != nil
    case .rollbackFailed: failedRollback != nil
    case .noWayBack: lacksWayBack
    }
  }

  /// Why a rollback of the last deploy would fail, as far as that was seen; a copy that nobody has opened is still a way back.
  package var failedRollback: String? {
    guard case .stands(let deploy) = lastDeploy, !isCopied else { return nil }
    // A restore that went well since outweighs it.
    if case .restore(let at, _) = proof, at > deploy.failedRollbackAt ?? deploy.startedAt { return nil }
    return deploy.failedRollback ?? deploy.restoreProblem
  }

  /// The newest deploy, when it failed and is not settled: by a rollback, by a later deploy, by a history that is clean again, or by
  /// whoever released its snapshot as the deploy is to stay.
  package var failedDeploy: DeployRecord? {
    // A restore --swap has a journal too, and is none.
    guard let newest = deploys.first(where: { !$0.pending.isEmpty && $0.state != .abandoned }), newest.state == .failed,
      !(newest.backup.map(releasedSnapshots.contains) ?? false)
    else { return nil }
    return newest.failed != nil && migrations?.isClean == true ? nil : newest
  }

  /// Only as long as the snapshot was to be kept: later it goes with the others.
  package var lacksWayBack: Bool {
    guard case .stands(let deploy) = lastDeploy, !isCopied, secondsBack == nil else { return false }
    return now < deploy.startedAt.addingTimeInterval(holdFor.seconds)
  }
}

/// How new backups are.
package struct Freshness: Sendable, Equatable {
  package var isStale = false
  package var isFromFuture = false

  /// - Parameters:
  ///   - taken: when the good ones were taken.
  ///   - maxAge: `backup.max_age`; nil: any age will do. Without any backup nothing is stale: there is none.
  package init(taken: [Date], now: Date, maxAge: Duration?) {
    let bound = now.addingTimeInterval(Self.clockDifference)
    isFromFuture = taken.contains { $0 > bound }
    guard let maxAge, !taken.isEmpty else { return }
    isStale = !taken.contains { $0 <= bound && now.timeIntervalSince($0) <= maxAge.seconds }
  }

  /// Two machines' clocks may differ by so much.
  private static let clockDifference = 300.0
}
