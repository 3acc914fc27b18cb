import BackupModel
import BackupRepository
import Diagnostics
import Foundation

/// The workflow of `holdfast undo`: swaps the last rollback back.
package struct UndoRollback {
  private let rollback: RollBackDeploy

  /// - Throws: what taking the deploy lock throws.
  package init(policy: Policy, surroundings: Surroundings) throws(Failure) {
    rollback = try RollBackDeploy(policy: policy, purpose: "undo", surroundings: surroundings)
  }

  package struct Plan: Sendable {
    package var deploy: String
    package var database: String
    /// The database that gets its name back.
    package var brings: String
    /// The name that the present one gets.
    package var keptAs: String
  }

  /// - Throws: `nothing_to_undo`, `deploy_interrupted`.
  package func plan() throws(Failure) -> Plan {
    let records = try rollback.repository.deploys(of: rollback.policy.name)
    if let open = records.first(where: \.isUnfinished) {
      throw Failure(
        "deploy_interrupted", exit: .failed, what: "undo", why: "deploy \(open.id) is \(open.state.rawValue)",
        nextStep: "finish it: holdfast resume; or give it up: holdfast abandon")
    }
    let undoable = records.filter { $0.state == .rolledBack }.sorted {
      ($0.rollback?.at ?? $0.startedAt) > ($1.rollback?.at ?? $1.startedAt)
    }
    guard let record = undoable.first, let last = record.rollback, let kept = last.keptAs,
      try rollback.swap.exists(kept)
    else {
      throw Failure(
        "nothing_to_undo", exit: .notFound, what: "undo of \(rollback.policy.name)",
        why: "there is no rollback whose replaced database is still there",
        nextStep: "holdfast status shows what is kept")
    }
    for name in [last.database, kept] { try rollback.swap.refuseBlocked(name) }
    return Plan(
      deploy: record.id, database: last.database, brings: kept,
      keptAs: try rollback.freeName("__undone_\(record.id.suffix(6))"))
  }

  package func execute(_ plan: Plan) throws(Failure) {
    let live = try rollback.swap.exists(plan.database) ? try rollback.lockLive() : nil
    defer { withExtendedLifetime(live) {} }
    let journal = try DeployJournal(rollback.repository, policy: rollback.policy.name, id: plan.deploy)
    let now = rollback.surroundings.now
    try journal.append(DeployEvent(.undoing, at: now(), temporary: plan.keptAs))
    func exchange() throws(Failure) {
      do throws(Failure) {
        try rollback.swap.tryExchange(live: plan.database, keptAs: plan.keptAs, replacement: plan.brings)
      } catch { throw givenUp(plan, journal, error) }
    }
    _ = try rollback.surroundings.phase("swap", summary: { "names exchanged" }, exchange)
    try journal.append(DeployEvent(.undone, at: now()))
  }

  /// An undo that changed nothing is over: nobody has to settle it. Where the names cannot be looked at, that remains to be done.
  private func givenUp(_ plan: Plan, _ journal: DeployJournal, _ cause: Failure) -> Failure {
    do throws(Failure) {
      guard try rollback.swap.exists(plan.brings) else { return cause.followed(by: "holdfast resume") }
      let event = DeployEvent(
        .abandoned, at: rollback.surroundings.now(), error: "\(cause.code): \(cause.why)")
      try journal.append(event)
      return cause.followed(by: "holdfast undo")
    } catch { return cause.followed(by: "holdfast resume; or give it up: holdfast abandon") }
  }
}
