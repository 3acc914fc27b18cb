import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Planning

/// The workflow of `holdfast prune`, and the end of each backup: what the policy's retention does not keep goes.
package struct PruneBackups {
  let policy: Policy
  let surroundings: Surroundings

  package init(policy: Policy, surroundings: Surroundings) {
    self.policy = policy
    self.surroundings = surroundings
  }

  package struct Outcome: Sendable {
    package var plan: RetentionPlan
    /// What the backups are of, by their ids.
    package var databases: [String: String]
    /// Ids, the oldest first. Empty for a dry run.
    package var removed: [String] = []
    /// Would have gone, but somebody was reading them.
    package var inUse: [String] = []
    /// Would have gone, but were held since they were looked at.
    package var heldMeanwhile: [String] = []
  }

  /// What would be removed now.
  package func plan() throws(Failure) -> Outcome {
    let repository = try Repository.open(policy.repository)
    return try outcome(repository, repository.listing(of: policy.name))
  }

  /// - Throws: `locked`, `no_repository`, `cannot_read`, `cannot_write`.
  package func run() throws(Failure) -> Outcome {
    let repository = try Repository.open(policy.repository)
    let lock = try PolicyLock(repository, policy: policy.name, purpose: "prune", now: surroundings.now())
    defer { withExtendedLifetime(lock) {} }
    for name in try repository.sweep(policy: policy.name) {
      surroundings.log.info("removed \(name), left by a killed run")
    }
    return try run(repository)
  }

  /// Under the policy's lock.
  func run(_ repository: Repository) throws(Failure) -> Outcome {
    let listing = try repository.listing(of: policy.name)
    var outcome = try outcome(repository, listing)
    let going = Set(outcome.plan.remove.map(\.id))
    // The oldest first: whatever ends the run, the newest are still there.
    for backup in listing.backups.reversed() where going.contains(backup.id) {
      try surroundings.cancellation.check()
      switch try repository.remove(backup, now: surroundings.now()) {
      case .removed: outcome.removed.append(backup.id)
      case .inUse: outcome.inUse.append(backup.id)
      case .held: outcome.heldMeanwhile.append(backup.id)
      }
    }
    return outcome
  }

  private func outcome(_ repository: Repository, _ listing: Listing) throws(Failure) -> Outcome {
    let databases = listing.backups.map { ($0.id, $0.manifest.source.database) }
    return Outcome(
      plan: try plan(repository, listing), databases: Dictionary(databases, uniquingKeysWith: { first, _ in first }))
  }

  private func plan(_ repository: Repository, _ listing: Listing) throws(Failure) -> RetentionPlan {
    let now = surroundings.now()
    let deploys = try repository.deploys(of: policy.name).filter(\.isUnfinished)
    let candidates = listing.backups.map { backup in
      let hold = backup.hold.flatMap { $0.stands(at: now) ? "held: \($0.reason)" : nil }
      let deploy = deploys.first { $0.backup == backup.id || $0.rollback?.backup == backup.id }
      return RetentionCandidate(
        id: backup.id, createdAt: backup.manifest.createdAt,
        database: "\(backup.manifest.source.systemIdentifier) \(backup.manifest.source.database)",
        isGood: backup.state == .complete,
        isVerified: backup.verification?.ok ?? false, keptBecause: hold ?? deploy.map { "deploy \($0.id) needs it" })
    }
    return RetentionPlan(candidates, rules: policy.retention, now: now)
  }
}
