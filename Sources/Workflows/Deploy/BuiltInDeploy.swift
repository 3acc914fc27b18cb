import BackupModel
import BackupRepository
import Diagnostics
import Migrations
import PostgresTools

/// Applies pending migrations by Holdfast's own applier.
struct BuiltInDeploy {
  let books: DeployBooks
  let journal: DeployJournal
  let policy: Policy
  let surroundings: Surroundings

  /// - Throws: `P3009` when another deployer's migration has failed meanwhile; the failure of the first migration that fails; `outcome` tells how far it got.
  func apply(_ pending: [String], _ outcome: inout DeployMigrations.Outcome) throws(Failure) {
    try AdvisoryLock.prisma.take(books.session, waiting: 10, cancellation: surroundings.cancellation)
    // Another deployer may have been quicker while the snapshot was taken, or have failed.
    let still = Set(try books.readyStatus().pending)
    for name in pending where still.contains(name) {
      try surroundings.cancellation.check()
      guard let migration = books.folder.migration(name) else { continue }
      if let refusal = migration.refusal { throw refusal }
      try applyOne(migration, &outcome)
    }
    // A health check may start the application, and that its own look for pending migrations.
    try AdvisoryLock.prisma.release(books.session)
  }

  private func applyOne(
    _ migration: MigrationScript, _ outcome: inout DeployMigrations.Outcome
  ) throws(Failure) {
    try journal.append(DeployEvent(.applying, at: surroundings.now(), migration: migration.name))
    let result = try surroundings.phase(
      "apply", about: migration.name, summary: { "\(migration.name)\(Self.suffix($0))" }
    ) { () throws(Failure) in try applier.apply(migration) }.value
    switch result {
    case .applied(let invalid, let transaction):
      // A script can do anything to the history, too.
      guard try books.history.rows().contains(where: { $0.name == migration.name && $0.isApplied }) else {
        outcome.failed = migration.name
        let failure = lostRow(migration.name)
        try journal.append(
          DeployEvent(.failed, at: surroundings.now(), migration: migration.name, atomic: false, error: failure.why))
        throw failure
      }
      try journal.append(
        DeployEvent(.applied, at: surroundings.now(), migration: migration.name, transaction: transaction))
      outcome.applied.append(migration.name)
      if !invalid.isEmpty {
        surroundings.log.warning("invalid indexes: \(invalid.joined(separator: ", ")); drop and build them again")
      }
    case .failed(let failure):
      outcome.failed = migration.name
      try journal.append(
        DeployEvent(
          .failed, at: surroundings.now(), migration: migration.name, atomic: failure.isAtomic, error: failure.message))
      throw failureText(failure)
    }
  }

  private func lostRow(_ name: String) -> Failure {
    Failure(
      "history_lost", exit: .failed, what: "migration \(name)",
      why: "its script ran to its end, and the history has no row that says so: the script has changed the history",
      nextStep: "go back to before the deploy: holdfast rollback")
  }

  private static func suffix(_ outcome: MigrationApplier.Outcome) -> String {
    if case .failed = outcome { " failed" } else { "" }
  }

  private var applier: MigrationApplier {
    let surroundings = surroundings
    let target = books.target
    return MigrationApplier(
      books.history,
      settings: MigrationApplier.Settings(
        schema: target.schema, lockTimeout: policy.migrations.lockTimeout,
        statementTimeout: policy.migrations.statementTimeout),
      cancellation: surroundings.cancellation,
      openSession: { () throws(Failure) in
        try surroundings.connector.connectForScripts(target, purpose: "migration")
      },
      watch: { surroundings.reporter.note($0) })
  }

  /// What happened, what state the database is in, and the one command to run next.
  private func failureText(_ failure: ScriptFailure) -> Failure {
    var details = failure.details
    details.append(
      failure.isAtomic
        ? "The script ran as one transaction: nothing of it is left."
        : "The script did not run as one transaction: a part of it may have stayed.")
    if let stopped = failure.stopped {
      let why = surroundings.cancellation.signal == nil ? stopped.why : "it was \(stopped.code)"
      return Failure(
        stopped.code, exit: stopped.exit, what: "migration \(failure.name)", why: why,
        nextStep: nextStep(failure), details: details)
    }
    return Failure(
      "P3018", exit: .failed, what: "migration \(failure.name) failed",
      why: [failure.sqlState, failure.message].compactMap { $0 }.joined(separator: ": "), nextStep: nextStep(failure),
      details: details)
  }

  private func nextStep(_ failure: ScriptFailure) -> String {
    let resolve = "holdfast resolve \(shellWord(failure.name)) --rolled-back && holdfast deploy"
    guard failure.isAtomic else { return "go back to before the deploy: holdfast rollback" }
    // Neither a lock that somebody else held nor a stop is the script's fault.
    let first =
      failure.stopped != nil
      ? "to go on"
      : failure.sqlState == "55P03"
        ? "when nobody holds that lock any more (or with a longer migrations.lock_timeout)" : "fix the script, then"
    return "\(first): \(resolve); or undo the whole deploy: holdfast rollback"
  }
}
