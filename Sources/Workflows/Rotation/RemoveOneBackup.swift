import BackupModel
import BackupRepository
import Diagnostics

/// The workflow of `holdfast remove`: one backup goes, whatever retention says; what a hold or a deploy needs stays.
package struct RemoveOneBackup {
  private let policy: Policy
  private let surroundings: Surroundings

  package init(policy: Policy, surroundings: Surroundings) {
    self.policy = policy
    self.surroundings = surroundings
  }

  /// Why it may not be removed; nil when it may.
  ///
  /// - Throws: what cannot be read.
  package func refusal(of backup: Backup) throws(Failure) -> Failure? {
    if let hold = backup.hold, hold.stands(at: surroundings.now()) { return held(backup.id, hold) }
    let deploys = try Repository.open(policy.repository).deploys(of: policy.name)
    let needing = deploys.first { $0.isUnfinished && ($0.backup == backup.id || $0.rollback?.backup == backup.id) }
    return needing.map {
      Failure(
        "backup_needed", exit: .failed, what: "backup \(backup.id)",
        why: "deploy \($0.id) has no end yet, and needs it",
        nextStep: "end it first: holdfast resume, or holdfast abandon")
    }
  }

  private func held(_ id: String, _ hold: Hold) -> Failure {
    Failure(
      "backup_held", exit: .failed, what: "backup \(id)", why: "it is held: \(hold.reason)",
      nextStep: "when it is no longer needed: holdfast release \(id)")
  }

  /// - Throws: `backup_held`, `backup_needed`, `locked` also while it is read; what cannot be removed.
  package func run(_ backup: Backup) throws(Failure) {
    let repository = try surroundings.repository(of: policy)
    let lock = try PolicyLock(repository, policy: policy.name, purpose: "remove", now: surroundings.now())
    defer { withExtendedLifetime(lock) {} }
    if let refusal = try refusal(of: backup) { throw refusal }
    switch try repository.remove(backup, now: surroundings.now()) {
    case .removed: return
    case .held(let hold): throw held(backup.id, hold)
    case .inUse:
      throw Failure(
        "locked", exit: .locked, what: "backup \(backup.id)", why: "somebody is reading it just now",
        nextStep: "wait until that has ended, then run the same command again")
    }
  }

  /// The same for a folder that should be a backup and cannot be read as one.
  package func run(_ broken: Listing.Broken) throws(Failure) {
    let repository = try surroundings.repository(of: policy)
    let lock = try PolicyLock(repository, policy: policy.name, purpose: "remove", now: surroundings.now())
    defer { withExtendedLifetime(lock) {} }
    try repository.remove(broken)
  }
}
