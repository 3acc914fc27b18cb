import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Migrations
import PostgresTools

/// The workflow of `holdfast deploy`: no proof, no deploy.
package struct DeployMigrations {
  private let policy: Policy
  private let surroundings: Surroundings
  private let command: [String]

  /// - Parameter command: applies the migrations in place of the built-in applier; empty: the policy's, or the built-in one.
  package init(policy: Policy, command: [String], surroundings: Surroundings) {
    self.policy = policy
    self.surroundings = surroundings
    self.command = command.isEmpty ? policy.migrations.command : command
  }

  package struct Outcome: Sendable {
    package enum State: String, Sendable {
      case applied, failed
      case rolledBack = "rolled-back"
      case nothingToDo = "nothing-to-do"
    }
    package var deploy: String?
    package var snapshot: String?
    package var state: State
    package var applied: [String] = []
    package var failed: String?
    /// What a failed deploy tells its user; the rest of the outcome is printed beside it.
    package var failure: Failure?
  }

  /// - Throws: whatever keeps the deploy from beginning: `locked`, `P3009`, `P3019`, `P3005`, a snapshot that cannot be taken or is not good,
  ///   an interrupted deploy before it. Then no migration was run.
  package func run() throws(Failure) -> Outcome {
    var outcome = try deploy()
    guard outcome.state == .failed, policy.migrations.onFailure == .rollback, let id = outcome.deploy,
      surroundings.cancellation.signal == nil
    else { return outcome }
    let rollback = try RollBackDeploy(policy: policy, surroundings: surroundings)
    let done = try rollback.execute(try rollback.plan(.deploy(id)))
    outcome.state = .rolledBack
    outcome.failure?.details.append(
      done.plan.mode == .resolveOnly
        ? "Nothing of it was left; its row in the history was resolved (on_failure: rollback)."
        : "The database was rolled back; the one before is kept as \(done.plan.keptAs) (on_failure: rollback).")
    outcome.failure?.nextStep = "mend the migration, then: holdfast deploy"
    return outcome
  }

  private func deploy() throws(Failure) -> Outcome {
    // One deploy of a database at a time, on this machine and on every other.
    let repository = try Repository.openOrCreate(policy.repository)
    let lock = try PolicyLock(
      repository, policy: policy.name, kind: .deploy, purpose: "deploy", now: surroundings.now())
    defer { withExtendedLifetime(lock) {} }
    if let open = try repository.deploys(of: policy.name).first(where: \.isUnfinished) { throw interrupted(open) }
    let books = try DeployBooks(policy: policy, surroundings: surroundings)
    try AdvisoryLock.deploy.take(books.session, waiting: 0, cancellation: surroundings.cancellation)

    // Read the folder and the history.
    let status = try books.readyStatus()
    guard !status.pending.isEmpty else {
      try books.beginHistory(surroundings.cancellation)
      return Outcome(state: .nothingToDo)
    }
    surroundings.reporter.headline(books.headline(status.pending.count))

    // No snapshot, no deploy: whatever is thrown here, the migrations were not begun.
    let id = PartialBackup.makeID(now: surroundings.now())
    let journal = try DeployJournal(repository, policy: policy.name, id: id)
    try journal.append(
      DeployEvent(.began, at: surroundings.now(), migrations: status.pending, database: books.target.database))
    let snapshot = try provenSnapshot(id, books, journal)
    try journal.append(DeployEvent(.snapshotTaken, at: surroundings.now(), backup: snapshot.id))

    return try apply(status.pending, books, journal, snapshot: snapshot.id, after: [])
  }

  /// Goes on with a deploy that was interrupted.
  func go(on record: DeployRecord) throws(Failure) -> Outcome {
    let repository = try Repository.openOrCreate(policy.repository)
    let journal = try DeployJournal(repository, policy: policy.name, id: record.id)
    guard let snapshot = record.backup else {
      // Nothing was applied yet: from the beginning.
      try journal.append(DeployEvent(.abandoned, at: surroundings.now()))
      return try run()
    }
    let lock = try PolicyLock(
      repository, policy: policy.name, kind: .deploy, purpose: "deploy", now: surroundings.now())
    defer { withExtendedLifetime(lock) {} }
    let books = try DeployBooks(policy: policy, surroundings: surroundings)
    try AdvisoryLock.deploy.take(books.session, waiting: 0, cancellation: surroundings.cancellation)
    let pending = try books.readyStatus().pending
    surroundings.reporter.headline(books.headline(pending.count))
    let done = record.pending.filter { !pending.contains($0) }
    for name in done where !record.applied.contains(name) {
      try journal.append(DeployEvent(.applied, at: surroundings.now(), migration: name))
    }
    return try apply(record.pending.filter(pending.contains), books, journal, snapshot: snapshot, after: done)
  }

  private func apply(
    _ pending: [String], _ books: DeployBooks, _ journal: DeployJournal, snapshot: String, after done: [String]
  ) throws(Failure) -> Outcome {
    var outcome = Outcome(deploy: journal.id, snapshot: snapshot, state: .applied)
    do throws(Failure) {
      if command.isEmpty {
        try BuiltInDeploy(books: books, journal: journal, policy: policy, surroundings: surroundings)
          .apply(pending, &outcome)
      } else {
        try CommandDeploy(command: command, books: books, journal: journal, surroundings: surroundings)
          .apply(pending, &outcome)
      }
      try HealthCheckRun(checks: policy.migrations.healthChecks, target: books.target, surroundings: surroundings).run()
    } catch {
      outcome.state = .failed
      outcome.failure = error
    }
    outcome.applied = done + outcome.applied
    try journal.append(
      DeployEvent(.finished, at: surroundings.now(), error: outcome.failure.map { "\($0.code): \($0.why)" }))
    return outcome
  }

  /// - Throws: `snapshot_failed` and what the backup throws; the deploy is journaled as given up.
  private func provenSnapshot(
    _ id: String, _ books: DeployBooks, _ journal: DeployJournal
  ) throws(Failure) -> Backup {
    do throws(Failure) {
      let binding = TakeBackup.Binding(deploy: id, migrations: try books.manifestRecord())
      let outcome = try TakeBackup(policy: policy, surroundings: surroundings, binding: binding)
        .run(reason: "pre-deploy", hold: true)
      if let damage = outcome.damage(insteadUse: nil) { throw damage }
      try books.checkIdentity(of: outcome.backup)
      return outcome.backup
    } catch {
      try journal.append(DeployEvent(.abandoned, at: surroundings.now(), error: "\(error.code): \(error.why)"))
      var failure = error
      failure.details.append("No migration was run: there is no proven way back.")
      throw failure
    }
  }

  private func interrupted(_ record: DeployRecord) -> Failure {
    Failure(
      "deploy_interrupted", exit: .failed, what: "deploy of \(policy.name)",
      why: "deploy \(record.id) was interrupted and has no end yet",
      nextStep: "finish it: holdfast resume; or give it up: holdfast abandon")
  }
}
