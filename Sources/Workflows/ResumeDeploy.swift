import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Migrations
import PostgresTools

/// The workflows of `holdfast resume` and `holdfast abandon`: what was interrupted comes to the end of an uninterrupted run, or back to the
/// state before.
package struct ResumeDeploy {
  private let policy: Policy
  private let surroundings: Surroundings

  package init(policy: Policy, surroundings: Surroundings) {
    self.policy = policy
    self.surroundings = surroundings
  }

  /// What was interrupted.
  ///
  /// - Throws: `nothing_interrupted`.
  package func interrupted() throws(Failure) -> DeployRecord {
    let records = try Repository.open(policy.repository).deploys(of: policy.name)
    guard let open = records.first(where: \.isUnfinished) else {
      throw Failure(
        "nothing_interrupted", exit: .notFound, what: "policy \(policy.name)", why: "no deploy and no rollback is open",
        nextStep: "holdfast status shows what can be done")
    }
    return open
  }

  /// What the end of `resume` was.
  package enum Ending: Sendable {
    case deploy(DeployMigrations.Outcome)
    case rolledBack(kept: String?)
    case undone
  }

  // MARK: Resume

  /// - Throws: `in_doubt` when nobody but a person can tell what a script did; what the workflow itself throws.
  package func resume() throws(Failure) -> Ending {
    let record = try interrupted()
    switch record.state {
    case .rollingBack: return try resumeRollback(record)
    case .undoing: return try resumeUndo(record)
    default: return .deploy(try resumeDeploy(record))
    }
  }

  private func resumeDeploy(_ record: DeployRecord) throws(Failure) -> DeployMigrations.Outcome {
    try settleScript(of: record)
    return try DeployMigrations(policy: policy, command: [], surroundings: surroundings).go(on: record)
  }

  private func resumeRollback(_ record: DeployRecord) throws(Failure) -> Ending {
    let work = try RollBackDeploy(policy: policy, purpose: "resume", surroundings: surroundings)
    let journal = try DeployJournal(work.repository, policy: policy.name, id: record.id)
    guard let rollback = record.rollback else { throw .internalError("deploy \(record.id) has no rollback") }
    if try isSwapped(rollback, work) {
      try journal.append(DeployEvent(.swapped, at: surroundings.now()))
      try journal.append(DeployEvent(.rolledBack, at: surroundings.now()))
      return .rolledBack(kept: rollback.keptAs)
    }
    // From the beginning: a database that is whole already is restored again, which costs time and risks nothing.
    try giveUp(rollback, work, journal)
    let choice: RollbackChoice =
      record.backup == rollback.backup ? .deploy(record.id) : .backup(rollback.backup)
    var plan = try work.plan(choice)
    plan.deploy = record.id
    let outcome = try work.execute(plan)
    return .rolledBack(kept: plan.mode == .restore ? outcome.plan.keptAs : nil)
  }

  private func resumeUndo(_ record: DeployRecord) throws(Failure) -> Ending {
    let work = try RollBackDeploy(policy: policy, purpose: "resume", surroundings: surroundings)
    let journal = try DeployJournal(work.repository, policy: policy.name, id: record.id)
    if let rollback = record.rollback, let kept = rollback.keptAs, try work.swap.exists(kept) {
      try work.swap.exchange(live: rollback.database, keptAs: rollback.temporary, replacement: kept)
    }
    try journal.append(DeployEvent(.undone, at: surroundings.now()))
    return .undone
  }

  /// The names tell whether the one transaction of the swap was committed.
  private func isSwapped(_ rollback: DeployRecord.Rollback, _ work: RollBackDeploy) throws(Failure) -> Bool {
    if rollback.swapped { return true }
    guard rollback.restored, try !work.swap.exists(rollback.temporary) else { return false }
    guard let kept = rollback.keptAs else { return try work.swap.exists(rollback.database) }
    return try work.swap.exists(kept)
  }

  /// Drops the database beside and opens the live one again.
  private func giveUp(
    _ rollback: DeployRecord.Rollback, _ work: RollBackDeploy, _ journal: DeployJournal
  ) throws(Failure) {
    if !rollback.temporary.isEmpty { try NewDatabase.drop(rollback.temporary, session: work.maintenance) }
    if try work.swap.exists(rollback.database) { try work.swap.openFence(rollback.database) }
    try journal.append(DeployEvent(.abandoned, at: surroundings.now()))
  }

  // MARK: Abandon

  /// - Returns: whether migrations had been applied that only a rollback takes away: then that has to follow.
  package func abandon() throws(Failure) -> (record: DeployRecord, needsRollback: Bool) {
    let record = try interrupted()
    switch record.state {
    case .rollingBack: try abandonRollback(record)
    case .undoing: try abandonUndo(record)
    default: return (record, try abandonDeploy(record))
    }
    return (record, false)
  }

  private func abandonRollback(_ record: DeployRecord) throws(Failure) {
    let work = try RollBackDeploy(policy: policy, purpose: "abandon", surroundings: surroundings)
    let journal = try DeployJournal(work.repository, policy: policy.name, id: record.id)
    guard let rollback = record.rollback else { throw .internalError("deploy \(record.id) has no rollback") }
    if try isSwapped(rollback, work), let kept = rollback.keptAs {
      try work.swap.exchange(live: rollback.database, keptAs: rollback.temporary, replacement: kept)
    }
    try giveUp(rollback, work, journal)
  }

  private func abandonUndo(_ record: DeployRecord) throws(Failure) {
    let work = try RollBackDeploy(policy: policy, purpose: "abandon", surroundings: surroundings)
    let journal = try DeployJournal(work.repository, policy: policy.name, id: record.id)
    if let rollback = record.rollback, let kept = rollback.keptAs, try !work.swap.exists(kept) {
      try work.swap.exchange(live: rollback.database, keptAs: kept, replacement: rollback.temporary)
    }
    try journal.append(DeployEvent(.abandoned, at: surroundings.now()))
  }

  private func abandonDeploy(_ record: DeployRecord) throws(Failure) -> Bool {
    try settleScript(of: record)
    let repository = try Repository.open(policy.repository)
    let lock = try PolicyLock(
      repository, policy: policy.name, kind: .deploy, purpose: "abandon", now: surroundings.now())
    defer { withExtendedLifetime(lock) {} }
    let journal = try DeployJournal(repository, policy: policy.name, id: record.id)
    let applied = record.backup == nil ? [] : try appliedSince(record)
    for name in applied where !record.applied.contains(name) {
      try journal.append(DeployEvent(.applied, at: surroundings.now(), migration: name))
    }
    guard applied.isEmpty else {
      try journal.append(DeployEvent(.finished, at: surroundings.now(), error: "given up"))
      return true
    }
    try journal.append(DeployEvent(.abandoned, at: surroundings.now()))
    return false
  }

  private func appliedSince(_ record: DeployRecord) throws(Failure) -> [String] {
    let applied = Set(
      try DeployBooks(policy: policy, surroundings: surroundings).history.rows().filter(\.isApplied).map(\.name))
    return record.pending.filter { applied.contains($0) }
  }

  // MARK: A script in doubt

  /// Ends what a killed run left on the server, and finds out what became of the script that was running.
  private func settleScript(of record: DeployRecord) throws(Failure) {
    guard record.backup != nil else { return }
    let books = try DeployBooks(policy: policy, surroundings: surroundings)
    try endScriptSessions(books)
    guard let name = record.inDoubt,
      let row = try books.history.rows().last(where: { $0.name == name && $0.isFailed })
    else { return }
    if row.steps > 0 {
      // The count was committed in one message with the script.
      return try books.history.finish(row.id)
    }
    guard let text = books.folder.migration(name)?.text, try ScriptPlan(text).isAtomic, row.logs == nil else {
      throw Failure(
        "in_doubt", exit: .failed, what: "migration \(name)",
        why: "it was interrupted, and it does not run as one transaction: a part of it may have stayed",
        nextStep:
          "look, then: holdfast resolve \(name) --applied or --rolled-back; or go back: holdfast rollback --to \(record.backup ?? "")"
      )
    }
    try books.history.rollBackFailed(name)
  }

  private func endScriptSessions(_ books: DeployBooks) throws(Failure) {
    for _ in 0..<100 {
      let left = try books.session.query(
        """
        SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
        WHERE datname = pg_catalog.current_database() AND application_name = 'holdfast migration'
        """)
      if left.isEmpty { return }
      try surroundings.cancellation.check()
      usleep(50_000)
    }
    throw Failure(
      "script_still_runs", exit: .failed, what: "deploy of \(policy.name)",
      why: "a session of the interrupted run does not end", nextStep: "end it on the server, then run the command again"
    )
  }
}
