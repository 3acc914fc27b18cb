import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Migrations
import Planning
import PostgresTools
import StreamPipeline

/// The workflow of `holdfast backup`.
package struct TakeBackup {
  private let policy: Policy
  private let surroundings: Surroundings
  private let binding: Binding?
  private let acceptsNewDatabase: Bool

  /// What a snapshot is bound to: the deploy that it is taken for, and the state of its migrations.
  struct Binding {
    var deploy: String?
    var folder: MigrationFolder
    /// What was tried before.
    var wayBack: WayBackTrial.Proof?
  }

  /// - Parameter binding: the deploy that this is the snapshot of; it holds the deploy lock itself.
  init(policy: Policy, surroundings: Surroundings, binding: Binding?, acceptsNewDatabase: Bool) {
    var policy = policy
    // A rollback has to bring back every row.
    if binding != nil { policy.backup.excludeTableData = [] }
    self.policy = policy
    self.surroundings = surroundings
    self.binding = binding
    self.acceptsNewDatabase = acceptsNewDatabase
  }

  /// - Parameter acceptsNewDatabase: the policy may be of another database than its earlier backups.
  package init(policy: Policy, surroundings: Surroundings, acceptsNewDatabase: Bool = false) {
    self.init(policy: policy, surroundings: surroundings, binding: nil, acceptsNewDatabase: acceptsNewDatabase)
  }

  /// Takes a backup and verifies it to the policy's level.
  ///
  /// - Parameters:
  ///   - reason: goes into the manifest.
  ///   - hold: keep it from pruning from its first moment on.
  /// - Throws: `locked`, `no_repository`, `other_repository`, `other_database` for a snapshot, connection failures, `missing_privileges`, `client_too_old`, `child_failed`, `no_space`;
  ///   whatever it throws before the backup is visible, nothing of it stays. A backup that does not pass its verification is a
  ///   result: it stays, marked damaged.
  package func run(reason: String, hold: Bool) throws(Failure) -> VerifyBackup.Outcome {
    // One writer at a time; what killed runs left goes first.
    let repository = try surroundings.repository(of: policy)
    // Who waits for it looks for that run.
    let purpose = binding == nil ? "backup" : binding?.deploy == nil ? "snapshot" : "deploy"
    let lock = try PolicyLock(repository, policy: policy.name, purpose: purpose, now: surroundings.now())
    defer { withExtendedLifetime(lock) {} }
    for name in try repository.sweep(policy: policy.name) {
      surroundings.log.info("removed \(name), left by a killed run")
    }

    let (source, partial, captured, started, isKnown) = try capturePatiently(repository)
    let manifest = try ManifestWriter(policy: policy, source: source, partial: partial, surroundings: surroundings)
      .write(
        captured, reason: reason, started: started, binding: binding,
        place: ManifestWriter.Place(repository: repository.id, isKnownDatabase: isKnown),
        wayBack: try wayBack(of: captured, source))
    tellMissing(captured.census)
    let mark = hold ? Hold(reason: reason, at: started, until: snapshotHoldEnd(started)) : nil
    if let mark { try partial.place(mark) }
    try surroundings.cancellation.check()
    let path = try partial.commit(manifest)

    // A deploy trusts nothing less than an archive read to its end.
    let level = binding == nil ? policy.verifyAfterBackup : .archive
    let backup = Backup(manifest: manifest, path: path, hold: mark, verifications: [])
    let outcome = try VerifyBackup(surroundings: surroundings)
      .examine(backup, level: level, toolbox: source.toolbox, mustRecord: true)
    if outcome.verification.ok, binding == nil { try applyRetention(repository, after: backup) }
    return outcome
  }

  /// What the policy accepts was told once.
  private func tellMissing(_ census: Census) {
    for kind in census.missing.kinds {
      let entries = census.missing.of(kind)
      let text = "the backup lacks \(entries.summaries.joined()): \(entries.first?.why ?? "")"
      policy.backup.acceptMissing.contains(kind) ? surroundings.log.info(text) : surroundings.log.warning(text)
    }
  }

  /// The trial of the way back, made once more when somebody has changed the schema since.
  ///
  /// - Throws: `schema_changes`, `no_way_back`.
  private func wayBack(of captured: CapturedDump, _ source: BackupSource) throws(Failure) -> Manifest.WayBack? {
    guard let proof = binding?.wayBack else { return nil }
    guard proof.definitions != captured.archive.definitions else { return proof.record }
    let again = try WayBackTrial(policy, target: source.target, surroundings: surroundings)
      .run(source.session)
    guard again.definitions == captured.archive.definitions else {
      throw Failure(
        "schema_changes", exit: .failed, what: "snapshot of \(policy.name)",
        why: "the schema was changed by somebody else while the snapshot was taken: its way back was not tried",
        nextStep: "run the same command again when nobody else changes the schema")
    }
    return again.record
  }

  private typealias Capture = (
    source: BackupSource, partial: PartialBackup, dump: CapturedDump, started: Date, isNew: Bool
  )

  /// On a standby, recovery ends a dump that stands in its way: that is likely over soon, and no reason to have no backup.
  private func capturePatiently(_ repository: Repository) throws(Failure) -> Capture {
    for _ in 0..<Self.conflictsToBear {
      do throws(Failure) { return try capture(repository) } catch {
        guard error.code == RecoveryConflicts.code else { throw error }
        surroundings.log.warning("\(error.why); taking the backup again")
      }
    }
    return try capture(repository)
  }

  private static let conflictsToBear = 2

  private func capture(_ repository: Repository) throws(Failure) -> Capture {
    // Everything that can be known to fail fails before the dump begins.
    let source = try BackupSource(policy: policy, surroundings: surroundings)
    surroundings.reporter.headline(source.headline)
    try source.checkPrivileges()
    // A deploy and a dump of the same database never overlap.
    if binding?.deploy == nil { try AdvisoryLock.deploy.share(source.session) }

    let conflicts = try RecoveryConflicts(source, surroundings)
    let listing = try repository.listing(of: policy.name)
    let isKnown = try isKnownDatabase(source, KnownDatabase(listing, policy: policy.name))
    let last = listing.backups.first?.manifest
    let (id, started) = PartialBackup.makeID(after: last.map { ($0.id, $0.createdAt) }, now: surroundings.now)
    let partial = try PartialBackup(repository, policy: policy.name, id: id, format: policy.backup.format)
    let capture = CaptureDatabase(policy: policy, source: source, partial: partial, surroundings: surroundings)
    do throws(Failure) {
      return (source, partial, try capture.run(expectedBytes: last?.rawBytes), started, isKnown)
    } catch { throw try conflicts.explained(error) }
  }

  /// - Throws: `other_database` for a snapshot, which a deploy relies on; for a backup that is a warning.
  ///
  /// - Returns: whether it is the policy's database, as far as anybody has said.
  private func isKnownDatabase(_ source: BackupSource, _ known: KnownDatabase) throws(Failure) -> Bool {
    let change = known.change(to: source.target, systemIdentifier: source.facts.systemIdentifier)
    guard let change, !acceptsNewDatabase else { return true }
    guard binding == nil else { throw change }
    surroundings.log.warning("\(change.why). \(change.nextStep)")
    return false
  }

  /// - Throws: `retention_failed`: the new backup is whole all the same.
  private func applyRetention(_ repository: Repository, after backup: Backup) throws(Failure) {
    guard !policy.retention.isEmpty else { return }
    do throws(Failure) {
      _ = try surroundings.phase(
        "prune", summary: { "\(counted($0.removed.count, "backup")) removed, \($0.plan.keep.count) kept" }
      ) { () throws(Failure) in try PruneBackups(policy: policy, surroundings: surroundings).run(repository) }
    } catch {
      try surroundings.cancellation.check()
      throw Failure(
        "retention_failed", exit: error.exit, what: "retention of \(policy.name)",
        why: "\(backup.id) is good, but older ones could not be removed: \(error.what): \(error.why)",
        nextStep: "fix that, then: holdfast prune \(policy.name) --confirm")
    }
  }

  /// Only a snapshot's hold ends by itself.
  private func snapshotHoldEnd(_ start: Date) -> Date? {
    binding.map { _ in start.addingTimeInterval(policy.migrations.holdFor.seconds) }
  }
}
