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
  private let acceptsNewDatabase: Bool

  /// - Parameter command: applies the migrations in place of the built-in applier; empty: the policy's, or the built-in one.
  package init(policy: Policy, command: [String], surroundings: Surroundings, acceptsNewDatabase: Bool = false) {
    self.acceptsNewDatabase = acceptsNewDatabase
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
    /// The rollback that `on_failure` asked for.
    package var rollback: RollbackPlan?
    /// It was broken off, and waits for `resume` or `abandon`.
    var isOpen = false
  }

  /// - Throws: whatever keeps the deploy from beginning: `locked`, `P3009`, `P3019`, `P3005`, `other_database`, a snapshot that cannot be taken or is not good,
  ///   an interrupted deploy before it, `command_missing`. Then no migration was run.
  package func run() throws(Failure) -> Outcome { try answered(try deploy()) }

  private func deploy() throws(Failure) -> Outcome {
    // What can be known to fail fails before anything is taken or begun.
    if !command.isEmpty { _ = try surroundings.userCommand(command) }
    // One deploy of a database at a time, on this machine and on every other.
    let turn = try DeployTurn(policy: policy, purpose: "deploy", surroundings: surroundings)
    defer { withExtendedLifetime(turn) {} }
    if let open = try turn.repository.deploys(of: policy.name).first(where: \.isUnfinished) { throw interrupted(open) }
    return try begin(turn)
  }

  private func begin(_ turn: DeployTurn) throws(Failure) -> Outcome {
    // Read the folder and the history.
    let books = turn.books
    let listing = try turn.repository.listing(of: policy.name)
    if !acceptsNewDatabase, let change = books.change(from: KnownDatabase(listing, policy: policy.name)) {
      throw change
    }
    let status = try books.readyStatus()
    if let edited = status.edited.first {
      surroundings.log.warning(
        "\(edited)\(status.edited.count > 1 ? " and \(status.edited.count - 1) more" : "") was edited after it was "
          + "applied, and is not run again: holdfast migrations")
    }
    guard !status.pending.isEmpty else {
      try books.beginHistory(surroundings.cancellation)
      // A deploy that is begun again after a failed health check says no more than that check.
      if let last = try turn.repository.deploys(of: policy.name).first, last.state == .failed, last.failed == nil {
        try checkHealth(books)
      }
      return Outcome(state: .nothingToDo)
    }
    try books.refuseUnusableScripts(status.pending)
    surroundings.reporter.headline(books.headline(status.pending.count))
    for line in try IrreversibleStatements.find(of: status.pending, in: policy.migrations.directory) {
      surroundings.log.warning("no rollback takes back what is outside of the database: \(line)")
    }
    try SnapshotGate(policy).check(try books.census(), of: books.target.database)
    let wayBack = try triedWayBack(books)

    // No snapshot, no deploy: whatever is thrown here, the migrations were not begun.
    let id = DeployJournal.makeID(after: try turn.repository.deploys(of: policy.name), now: surroundings.now)
    let journal = try DeployJournal(turn.repository, policy: policy.name, id: id)
    try journal.append(
      DeployEvent(
        .began, at: surroundings.now(), migrations: status.pending, database: books.target.database,
        error: wayBack.problem))
    let snapshot = try provenSnapshot(id, turn, journal, wayBack.proof)
    let room = try ServerDisk(target: books.target).room(for: snapshot.manifest.source.bytes, books.session)
    if room.isShort { surroundings.log.warning("a rollback may fill the server's disk: it needs \(room.text)") }

    return try apply(status.pending, books, journal, snapshot: snapshot, after: [])
  }

  /// - Returns: no proof, but why there is none, where the copy that the policy wants is the only way back.
  private func triedWayBack(_ books: DeployBooks) throws(Failure) -> (proof: WayBackTrial.Proof?, problem: String?) {
    try WayBack(target: books.target, surroundings: surroundings).check()
    try PrivilegeAudit(books.session).check(backupOf: policy.name)
    do throws(Failure) {
      let trial = WayBackTrial(policy, target: books.target, surroundings: surroundings)
      return (try trial.run(books.session), nil)
    } catch {
      guard error.code == "no_way_back", policy.migrations.standbyCopy == .cloned else { throw error }
      surroundings.log.warning("\(error.why); the copy of the database is the only way back")
      return (nil, error.why)
    }
  }

  /// Goes on with a deploy that was interrupted, once nothing of it is in doubt any more.
  func go(on record: DeployRecord, _ turn: DeployTurn) throws(Failure) -> Outcome {
    let journal = try DeployJournal(turn.repository, policy: policy.name, id: record.id)
    guard let id = record.backup else {
      // Nothing was applied yet: from the beginning.
      try journal.append(DeployEvent(.abandoned, at: surroundings.now()))
      return try begin(turn)
    }
    let snapshot = try provenAgain(id, turn)
    try DeployStandby(policy: policy, turn: turn, journal: journal, surroundings: surroundings)
      .makeAgain(of: record, snapshot)
    let pending = try turn.books.readyStatus().pending
    surroundings.reporter.headline(turn.books.headline(pending.count))
    let applied = Set(try turn.books.history.rows().filter(\.isApplied).map(\.name))
    let done = record.pending.filter(applied.contains)
    try refuseChanged(record, pending, done, snapshot, turn.books)
    for name in done where !record.applied.contains(name) {
      try journal.append(DeployEvent(.applied, at: surroundings.now(), migration: name))
    }
    return try apply(record.pending.filter(pending.contains), turn.books, journal, snapshot: snapshot, after: done)
  }

  /// The snapshot is bound to the scripts that were pending when it was taken.
  private func refuseChanged(
    _ record: DeployRecord, _ pending: [String], _ done: [String], _ snapshot: Backup, _ books: DeployBooks
  ) throws(Failure) {
    let bound = snapshot.manifest.migrations?.pending ?? []
    for name in record.pending where !done.contains(name) {
      let checksum = bound.first { $0.name == name }?.checksum
      let change: String
      if !pending.contains(name) {
        change = "it is no more in the folder"
      } else if let checksum, let text = books.folder.migration(name)?.text, try !ChecksumMatch.matches(checksum, text)
      {
        change = "its script is another one now"
      } else {
        continue
      }
      throw Failure(
        "migration_changed", exit: .failed, what: "resume of \(record.id)", why: "migration \(name): \(change)",
        nextStep: "put it back as it was, then: holdfast resume; or give the deploy up: holdfast abandon")
    }
  }

  private func apply(
    _ pending: [String], _ books: DeployBooks, _ journal: DeployJournal, snapshot: Backup, after done: [String]
  ) throws(Failure) -> Outcome {
    var outcome = Outcome(deploy: journal.id, snapshot: snapshot.id, state: .applied)
    do throws(Failure) {
      if command.isEmpty {
        try BuiltInDeploy(books: books, journal: journal, policy: policy, surroundings: surroundings)
          .apply(pending, &outcome)
      } else {
        try CommandDeploy(
          command: command, limit: policy.migrations.commandTimeout, books: books, journal: journal,
          surroundings: surroundings
        ).apply(pending, &outcome)
      }
      try checkHealth(books)
    } catch {
      outcome.state = .failed
      outcome.failure = error
    }
    let hasBegun = !command.isEmpty || !outcome.applied.isEmpty || outcome.failed != nil || !done.isEmpty
    outcome.applied = done + outcome.applied
    if outcome.failure?.exit == .unavailable, outcome.failed == nil { return interrupted(outcome) }
    if let failure = outcome.failure, !hasBegun {
      try giveUp(journal, snapshot, failure)
      return outcome
    }
    try journal.append(
      DeployEvent(.finished, at: surroundings.now(), error: outcome.failure.map { "\($0.code): \($0.why)" }))
    return outcome
  }

  private func checkHealth(_ books: DeployBooks) throws(Failure) {
    do throws(Failure) {
      let settings = policy.migrations
      try HealthCheckRun(
        checks: settings.healthChecks, limit: settings.healthCheckTimeout, target: books.target,
        surroundings: surroundings
      ).run()
    } catch {
      guard surroundings.cancellation.signal != nil else { throw error }
      throw Failure(
        error.code, exit: error.exit, what: "deploy of \(policy.name)",
        why: "it was \(error.code) while the health was checked: the migrations are applied",
        nextStep: "check by hand, and keep them; or go back: holdfast rollback")
    }
  }

  /// Without the server nobody knows what became of the script that was running: the deploy stays open.
  private func interrupted(_ outcome: Outcome) -> Outcome {
    var open = outcome
    open.isOpen = true
    open.failure?.details.append("The deploy was interrupted and has no end yet.")
    open.failure?.nextStep =
      "when the server answers again, finish it: holdfast resume; or go back to before it: holdfast abandon"
    return open
  }

  /// Does after a failure what the policy's `on_failure` says. The deploy's turn is over.
  func answered(_ outcome: Outcome) throws(Failure) -> Outcome {
    // Where nothing was begun there is nothing to roll back, and much to lose.
    let begun = !outcome.applied.isEmpty || outcome.failed != nil || !command.isEmpty
    guard outcome.state == .failed, policy.migrations.onFailure == .rollback, let id = outcome.deploy, begun,
      !outcome.isOpen, surroundings.cancellation.signal == nil
    else { return outcome.tellingApplied }
    var answered = outcome
    if let failure = outcome.failure {
      surroundings.reporter.note(
        "\(failure.what): \(failure.why); going back to before the deploy (on_failure: rollback)")
    }
    let done: RollBackDeploy.Outcome
    do throws(Failure) {
      let rollback = try RollBackDeploy(policy: policy, surroundings: surroundings)
      done = try rollback.execute(try rollback.plan(.deploy(id)))
    } catch {
      answered.failure?.details.append(
        "The rollback that on_failure asks for failed too: \(error.what): \(error.why)")
      answered.failure?.details += error.details
      answered.failure?.nextStep = error.nextStep
      return answered.tellingApplied
    }
    answered.state = .rolledBack
    answered.rollback = done.plan
    answered.failure?.details.append(
      done.plan.mode == .resolveOnly
        ? "Nothing of it was left; its row in the history was resolved (on_failure: rollback)."
        : "The database was rolled back; the one before is kept as \(done.plan.keptAs) (on_failure: rollback).")
    answered.failure?.nextStep =
      "fix \(outcome.failed.map { "migration \($0)" } ?? "what failed"), then: holdfast deploy"
    return answered
  }

  /// - Throws: what the backup and its copy throw, `snapshot_of_another`; the deploy is journaled as given up.
  private func provenSnapshot(
    _ id: String, _ turn: DeployTurn, _ journal: DeployJournal, _ wayBack: WayBackTrial.Proof?
  ) throws(Failure) -> Backup {
    var taken: Backup?
    do throws(Failure) {
      let binding = TakeBackup.Binding(deploy: id, folder: turn.books.folder, wayBack: wayBack)
      let outcome = try TakeBackup(
        policy: policy, surroundings: surroundings, binding: binding, acceptsNewDatabase: acceptsNewDatabase
      ).run(reason: "pre-deploy", hold: true)
      taken = outcome.backup
      if let damage = outcome.damage(insteadUse: nil) { throw damage }
      if let refusal = SnapshotGate(policy).refusal(of: outcome.backup) { throw refusal }
      try turn.books.checkIdentity(of: outcome.backup)
      try journal.append(DeployEvent(.snapshotTaken, at: surroundings.now(), backup: outcome.backup.id))
      try DeployStandby(policy: policy, turn: turn, journal: journal, surroundings: surroundings)
        .make(of: outcome.backup)
      return outcome.backup
    } catch {
      try giveUp(journal, taken, error)
      var failure = error
      failure.details.append("No migration was run: there is no proven way back.")
      throw failure
    }
  }

  /// No migration was begun: there is nothing to go back from, and the snapshot is a backup like any other.
  private func giveUp(_ journal: DeployJournal, _ snapshot: Backup?, _ failure: Failure) throws(Failure) {
    try journal.append(DeployEvent(.abandoned, at: surroundings.now(), error: "\(failure.code): \(failure.why)"))
    guard var snapshot else { return }
    do throws(Failure) { try snapshot.release() } catch {
      surroundings.log.warning("\(snapshot.id) stays held: \(error.what): \(error.why)")
    }
  }

  /// The snapshot of an interrupted deploy: days may have passed, and `database.url` may lead elsewhere by now.
  ///
  /// - Throws: `snapshot_of_another`, `backup_damaged`, `no_such_backup`.
  private func provenAgain(_ id: String, _ turn: DeployTurn) throws(Failure) -> Backup {
    let snapshot = try BackupFinder(try turn.repository.listing(of: policy.name)).find(named: id)
    try turn.books.checkIdentity(of: snapshot)
    let verified = try VerifyBackup(surroundings: surroundings)
      .examine(snapshot, level: .archive, tools: policy.tools)
    if let damage = verified.damage(insteadUse: nil) { throw damage }
    if let refusal = SnapshotGate(policy).refusal(of: verified.backup) { throw refusal }
    return verified.backup
  }

  private func interrupted(_ record: DeployRecord) -> Failure {
    Failure(
      "deploy_interrupted", exit: .failed, what: "deploy of \(policy.name)",
      why: "deploy \(record.id) was interrupted and has no end yet",
      nextStep: "finish it: holdfast resume; or give it up: holdfast abandon")
  }
}

extension DeployMigrations.Outcome {
  /// A failure with what stays of the deploy.
  fileprivate var tellingApplied: Self {
    guard failed != nil, !applied.isEmpty else { return self }
    var told = self
    told.failure?.details.append("\(applied.joined(separator: ", ")) stays applied.")
    return told
  }
}
