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
  private let command: [String]
  private let surroundings: Surroundings
  private let accepts: SchemaAcceptance

  /// - Parameters:
  ///   - command: what the interrupted deploy was given to apply its migrations with.
  ///   - accepts: see `RollBackDeploy`.
  package init(
    policy: Policy, command: [String] = [], accepts: SchemaAcceptance = .refuses, surroundings: Surroundings
  ) {
    self.policy = policy
    self.accepts = accepts
    self.command = command.isEmpty ? policy.migrations.command : command
    self.surroundings = surroundings
  }

  /// What was interrupted.
  ///
  /// - Throws: `nothing_interrupted`; `deploy_of_another` when `database.url` names another database by now.
  package func interrupted() throws(Failure) -> DeployRecord {
    let records = try Repository.open(policy.repository).deploys(of: policy.name)
    guard let open = records.first(where: \.isUnfinished) else {
      throw Failure(
        "nothing_interrupted", exit: .notFound, what: "policy \(policy.name)", why: "no deploy and no rollback is open",
        nextStep: "holdfast status shows what can be done")
    }
    try open.refuseOther(than: policy.target.database)
    return open
  }

  /// What the end of `resume` was.
  package enum Ending: Sendable {
    case deploy(DeployMigrations.Outcome)
    case rolledBack(kept: String?)
    case undone
  }

  // MARK: Resume

  /// - Throws: `locked` when it is not interrupted at all, but runs; `in_doubt` when nobody but a person can tell what a script did; what the
  ///   workflow itself throws.
  package func resume() throws(Failure) -> Ending {
    switch try interrupted().state {
    case .rollingBack: return .rolledBack(kept: try interruptedRollback("resume").resumeRollback())
    case .undoing:
      try interruptedRollback("resume").resumeUndo()
      return .undone
    default:
      let deploy = DeployMigrations(policy: policy, command: command, surroundings: surroundings)
      return .deploy(try deploy.answered(try resumeDeploy(deploy)))
    }
  }

  private func interruptedRollback(_ purpose: String) throws(Failure) -> InterruptedRollback {
    let work = try RollBackDeploy(policy: policy, purpose: purpose, accepts: accepts, surroundings: surroundings)
    return try InterruptedRollback(work: work, record: try interrupted())
  }

  private func resumeDeploy(_ deploy: DeployMigrations) throws(Failure) -> DeployMigrations.Outcome {
    let turn = try DeployTurn(policy: policy, purpose: "resume", waiting: 5, surroundings: surroundings)
    defer { withExtendedLifetime(turn) {} }
    // Read again under the lock: it may have run, and come to its end.
    let record = try interrupted()
    switch try ScriptInDoubt(record: record, books: turn.books, surroundings: surroundings).settle() {
    case .settled:
      if record.byCommand, command.isEmpty { throw commandWanted(record) }
      return try deploy.go(on: record, turn)
    case .failed(let row, let isAtomic):
      try journalFailure(of: row, isAtomic, record, turn)
      var outcome = DeployMigrations.Outcome(deploy: record.id, snapshot: record.backup, state: .failed)
      outcome.applied = record.applied
      outcome.failed = row.name
      outcome.failure = failed(row, isAtomic)
      return outcome
    case .unknown(let row):
      throw Failure(
        "in_doubt", exit: .failed, what: "migration \(row.name)",
        why: "it was interrupted, and did not run as one transaction: a part of it may have stayed",
        nextStep:
          "look, then: holdfast resolve \(shellWord(row.name)) --applied or --rolled-back, and holdfast resume; "
          + "or go back to before the deploy: holdfast abandon")
    }
  }

  /// Another program may do more than apply what is in the folder.
  private func commandWanted(_ record: DeployRecord) -> Failure {
    Failure(
      "command_wanted", exit: .usage, what: "resume of \(record.id)", why: "another program applied its migrations",
      nextStep: "name it again: holdfast resume -- COMMAND; or go back to before it: holdfast abandon")
  }

  private func journalFailure(
    of row: HistoryRow, _ isAtomic: Bool, _ record: DeployRecord, _ turn: DeployTurn
  ) throws(Failure) {
    let journal = try DeployJournal(turn.repository, policy: policy.name, id: record.id)
    try journal.append(
      DeployEvent(.failed, at: surroundings.now(), migration: row.name, atomic: isAtomic, error: row.logs))
    try journal.append(DeployEvent(.finished, at: surroundings.now(), error: "interrupted"))
  }

  private func failed(_ row: HistoryRow, _ isAtomic: Bool) -> Failure {
    Failure(
      "P3018", exit: .failed, what: "migration \(row.name) failed", why: "it had failed before the interruption",
      nextStep: isAtomic
        ? "fix the script, then: holdfast resolve \(shellWord(row.name)) --rolled-back && holdfast deploy"
        : "go back to before the deploy: holdfast rollback",
      details: (row.logs ?? "").split(separator: "\n").prefix(20).map(String.init))
  }

  // MARK: Abandon

  /// What giving up has come to.
  package enum GivenUp: Sendable {
    case asBefore
    /// Only a rollback brings back the state before.
    case needsRollback
    /// Another database has the name now: there is nothing of the deploy in it to take back.
    case ofReplaced
  }

  /// - Parameter confirm: called before a deploy is given up that has changed the database; what it throws leaves the deploy open.
  /// - Throws: `rows_in_doubt` when nobody but a person can tell whether there is anything to go back from.
  package func abandon(confirm: () throws(Failure) -> Void) throws(Failure) -> (record: DeployRecord, GivenUp) {
    let record = try interrupted()
    switch record.state {
    case .rollingBack: try interruptedRollback("abandon").abandonRollback()
    case .undoing: try interruptedRollback("abandon").abandonUndo()
    default: return (record, try abandonDeploy(confirm))
    }
    return (record, .asBefore)
  }

  private func abandonDeploy(_ confirm: () throws(Failure) -> Void) throws(Failure) -> GivenUp {
    let turn = try DeployTurn(policy: policy, purpose: "abandon", waiting: 5, surroundings: surroundings)
    defer { withExtendedLifetime(turn) {} }
    let record = try interrupted()
    let journal = try DeployJournal(turn.repository, policy: policy.name, id: record.id)
    if record.backup == nil { try sweepSnapshot(turn) }
    if try isReplaced(record, turn) {
      try journal.append(DeployEvent(.finished, at: surroundings.now(), error: "given up"))
      return .ofReplaced
    }
    let finding = try ScriptInDoubt(record: record, books: turn.books, surroundings: surroundings).settle()
    // Only now it is known whether anything is to be taken back.
    if finding.mayHaveChanged { try confirm() }
    let changed = try mayHaveChanged(record, finding, turn, journal)
    if !changed, record.byCommand { try refuseDoubt(record, turn, journal) }
    guard changed else {
      try DeployStandby(policy: policy, turn: turn, journal: journal, surroundings: surroundings).discard(record)
      try journal.append(DeployEvent(.abandoned, at: surroundings.now()))
      return .asBefore
    }
    if !finding.mayHaveChanged { try confirm() }
    try journal.append(DeployEvent(.finished, at: surroundings.now(), error: "given up"))
    return .needsRollback
  }

  /// Another policy may have rolled the same database back meanwhile.
  ///
  /// - Throws: `snapshot_of_another` where it is on another server.
  private func isReplaced(_ record: DeployRecord, _ turn: DeployTurn) throws(Failure) -> Bool {
    guard let id = record.backup,
      let source = try turn.repository.listing(of: policy.name).backups.first(where: { $0.id == id })
    else { return false }
    do throws(Failure) {
      try turn.books.checkIdentity(of: source)
      return false
    } catch {
      guard error.code == "snapshot_of_another", turn.books.isOnServer(of: source) else { throw error }
      return true
    }
  }

  /// Rows that were written since the snapshot may be the other program's as well as anybody's.
  private func refuseDoubt(
    _ record: DeployRecord, _ turn: DeployTurn, _ journal: DeployJournal
  ) throws(Failure) {
    let snapshot = try BackupFinder(try turn.repository.listing(of: policy.name)).find(named: record.backup)
    let lost = try LostWrites(live: turn.books.target, manifest: snapshot.manifest, surroundings: surroundings)
    let (found, isComplete) = try lost.count()
    // The command began after the snapshot: nothing of it is in doubt.
    let writes = found.filter { $0.changed > 0 || $0.deleted ?? 0 > 0 }
    guard !writes.isEmpty || !isComplete else { return }
    try journal.append(DeployEvent(.finished, at: surroundings.now(), error: "given up"))
    throw Failure(
      "rows_in_doubt", exit: .failed, what: "abandon of \(record.id)",
      why: "the deploy is given up, but its command ran, and rows were written since the snapshot, by it or by others",
      nextStep: "leave them as they are, or go back to before the deploy: holdfast rollback --deploy \(record.id)",
      details: writes.prefix(10).map { "\($0.schema).\($0.name): \($0.changed) rows new or changed" })
  }

  /// What there is of a snapshot that was being taken. A backup that runs has swept it already.
  private func sweepSnapshot(_ turn: DeployTurn) throws(Failure) {
    do throws(Failure) {
      let lock = try PolicyLock(turn.repository, policy: policy.name, purpose: "abandon", now: surroundings.now())
      defer { withExtendedLifetime(lock) {} }
      _ = try turn.repository.sweep(policy: policy.name)
    } catch {
      guard error.code == "locked" else { throw error }
    }
  }

  /// Whether anything of the deploy is in the database. What is known of its migrations is journaled.
  private func mayHaveChanged(
    _ record: DeployRecord, _ finding: ScriptInDoubt.Finding, _ turn: DeployTurn, _ journal: DeployJournal
  ) throws(Failure) -> Bool {
    guard let backup = record.backup else { return false }
    switch finding {
    case .settled: break
    case .failed(let row, let isAtomic):
      try journal.append(DeployEvent(.failed, at: surroundings.now(), migration: row.name, atomic: isAtomic))
      return true
    case .unknown(let row):
      try journal.append(DeployEvent(.failed, at: surroundings.now(), migration: row.name, atomic: false))
      return true
    }
    let applied = Set(try turn.books.history.rows().filter(\.isApplied).map(\.name))
    let since = record.pending.filter(applied.contains)
    for name in since where !record.applied.contains(name) {
      try journal.append(DeployEvent(.applied, at: surroundings.now(), migration: name))
    }
    if !since.isEmpty { return true }
    // What another program did the history does not tell.
    guard record.byCommand else { return false }
    let snapshot = try BackupFinder(try turn.repository.listing(of: policy.name)).find(named: backup)
    return try !SchemaComparison(policy: policy, surroundings: surroundings).liveEquals(snapshot, turn.books.target)
  }
}
