import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Migrations
import PostgresTools

/// Decides what a rollback has to do; changes nothing.
struct RollbackPlanner {
  let policy: Policy
  let repository: Repository
  let maintenance: Session
  let surroundings: Surroundings

  func plan(_ choice: RollbackChoice) throws(Failure) -> RollbackPlan {
    let records = try repository.deploys(of: policy.name)
    if let open = records.first(where: \.isUnfinished) { throw unfinished(open) }
    let listing = try repository.listing(of: policy.name)
    let (record, backup) = try choose(choice, records, listing)
    // Where other deploys stand behind it, their rows have to go too.
    let isLast = record.map { records.standing(in: listing).first?.id == $0.id } ?? false
    return try plan(record, backup, isLast ? nil : .restore)
  }

  /// A plan for a rollback that was interrupted, whatever its journal has come to.
  func plan(again record: DeployRecord) throws(Failure) -> RollbackPlan {
    let backup = try BackupFinder(try repository.listing(of: policy.name)).find(named: record.rollback?.backup)
    return try plan(record, backup, .restore)
  }

  /// A plan for giving up a deploy that is open.
  func plan(abandoning record: DeployRecord) throws(Failure) -> RollbackPlan {
    let backup = try snapshot(of: record, try repository.listing(of: policy.name))
    return try plan(record, backup, .restore)
  }

  // MARK: Looking

  static let secondsToCount = 0.7

  /// - Parameter mode: nil: whichever is enough.
  func plan(
    _ record: DeployRecord?, _ backup: Backup, _ mode: RollbackPlan.Mode?
  ) throws(Failure) -> RollbackPlan {
    let target = policy.target
    let swap = DatabaseSwap(session: maintenance, cancellation: surroundings.cancellation)
    let exists = try swap.exists(target.database)
    try swap.refuseBlocked(target.database)
    let others = try repository.deploys(of: policy.name)
    let id = record?.id ?? DeployJournal.makeID(after: others, now: surroundings.now)
    let suffix = String(id.suffix(6))
    var plan = RollbackPlan(
      deploy: id, mode: .restore, backup: backup, database: target.database,
      keptAs: try swap.freeName(target.database, "__before_\(suffix)"),
      temporary: try swap.freeName(target.database, "__restore_\(suffix)"), undoes: [], failed: record?.failed,
      lostWrites: [], sessions: try swap.sessions(on: target.database),
      staying: try swap.obstacles(target.database).staying, liveExists: exists,
      backedUpProperties: backup.manifest.source.properties.withoutSettings,
      properties: backup.manifest.source.properties.withoutSettings, estimatedSeconds: backup.manifest.restoreSeconds,
      room: try ServerDisk(target: target).room(for: backup.manifest.source.bytes, maintenance))
    if let proof = RollbackProof(of: backup, among: [backup]), let seconds = proof.seconds {
      (plan.estimatedSeconds, plan.isEstimate) = (seconds, false)
    }
    plan.situation.liveOID = try swap.oid(of: target.database)
    plan.situation.lastDeploy = others.first?.id
    plan.isOfAnotherServer =
      try ServerReader(maintenance).facts().systemIdentifier != backup.manifest.source.systemIdentifier
    if let record, let copy = record.copy, record.isOwn(copy.name, [.standby]), record.backup == backup.id,
      copy.isWhole,
      try StandbyDatabase(target: target, maintenance: maintenance, surroundings: surroundings).isUntouched(copy)
    {
      plan.copy = copy
      plan.temporary = copy.name
    }
    guard plan.copy != nil || backup.state == .complete else {
      throw Failure(
        "backup_damaged", exit: .dataDamaged, what: "rollback to \(backup.id)", why: "the backup is damaged",
        nextStep: "choose another one: holdfast rollback --to ID; holdfast list shows them")
    }
    plan.backedUpProperties = try properties(of: backup, isCopied: plan.copy != nil)
    plan.properties = plan.backedUpProperties
    if exists {
      try refuseWithoutRight(to: plan)
      let beyond = try look(into: target, others, &plan)
      try compareProperties(&plan)
      plan.staysDone = try IrreversibleStatements.find(of: plan.undoes, in: policy.migrations.directory)
      plan.situation.undoes = plan.undoes
      plan.situation.propertyDifferences = plan.propertyDifferences.filter { !$0.isOfRole }
      if mode == nil, let record, plan.unreadable == nil,
        beyond.allSatisfy({ $0.isFailed && $0.name == record.failed }),
        try nothingChanged(record, backup, target)
      {
        plan.mode = .resolveOnly
        plan.copy = nil
        plan.undoes = [record.failed].compactMap { $0 }
        return plan
      }
      try count(target, &plan)
    } else {
      plan.countedAll = false
      plan.unreadable = "there is no \(target.database)"
    }
    // What is missing is better known now than when the restore stumbles over it.
    if plan.copy == nil { try RestoreNeeds.check(backup, maintenance) }
    return plan
  }

  /// What the restore would do in vain.
  ///
  /// - Throws: `no_way_back`.
  func refuseWithoutRight(to plan: RollbackPlan) throws(Failure) {
    let needs = try WayBack.needs(of: plan.database, maintenance)
    guard !needs.missing.isEmpty else { return }
    throw Failure(
      "no_way_back", exit: .noPermission, what: "rollback of \(plan.database)",
      why: "to roll back, role \(needs.role) needs: \(needs.fixes)",
      nextStep: "run that as a superuser, then the same command again")
  }

  /// Reads what there is to undo. Where the live history cannot be read, a rollback may be the only way out: the journals tell it then.
  ///
  /// - Returns: the live rows that the backup has not.
  func look(
    into target: ConnectionTarget, _ deploys: [DeployRecord], _ plan: inout RollbackPlan
  ) throws(Failure) -> [HistoryRow] {
    let known = Set(plan.backup.manifest.migrations?.applied.map(\.name) ?? [])
    do throws(Failure) {
      let live = try surroundings.connector.connect(target, purpose: "rollback")
      plan.unstoppable = try UnstoppableSessions(on: plan.database, maintenance)
      let history = try HistoryTable(live, schema: target.schema)
      let beyond = try history.rows().filter { $0.isLive && !known.contains($0.name) }
      // One that is gone tells nothing either.
      plan.undoes = history.isThere ? beyond.map(\.name) : journaled(deploys, besides: known)
      let undone = Set(plan.undoes)
      plan.writers = deploys.flatMap(\.transactions).filter { undone.contains($0.key) }.map(\.value)
      return beyond
    } catch {
      try surroundings.cancellation.check()
      plan.unreadable = error.why
      plan.undoes = journaled(deploys, besides: known)
      return []
    }
  }

  func journaled(_ deploys: [DeployRecord], besides known: Set<String>) -> [String] {
    var names: [String] = []
    for name in deploys.reversed().flatMap({ $0.applied + [$0.failed].compactMap { $0 } })
    where !known.contains(name) && !names.contains(name) {
      names.append(name)
    }
    return names
  }

  /// Whatever the size, the plan is there within a second: what could not be counted by then is estimated, and counted during the restore.
  func count(_ target: ConnectionTarget, _ plan: inout RollbackPlan) throws(Failure) {
    do throws(Failure) {
      let writes = try LostWrites(
        live: target, manifest: plan.backup.manifest, moment: plan.copy?.snapshot, migrations: plan.writers,
        surroundings: surroundings)
      (plan.lostWrites, plan.countedAll) = try writes.count(within: Self.secondsToCount)
      plan.droppedTables = try writes.droppedTables()
    } catch {
      try surroundings.cancellation.check()
      plan.countedAll = false
      surroundings.log.warning("what was written since is not counted yet: \(error.why)")
    }
  }

  /// The only script that was run was atomic and failed, and the schema is still the snapshot's.
  func nothingChanged(
    _ record: DeployRecord, _ backup: Backup, _ target: ConnectionTarget
  ) throws(Failure) -> Bool {
    guard record.failed != nil, record.failedAtomically, record.applied.isEmpty, record.rollback == nil else {
      return false
    }
    do throws(Failure) {
      return try SchemaComparison(policy: policy, surroundings: surroundings).liveEquals(backup, target)
    } catch {
      // Not to be known; to restore is right either way.
      try surroundings.cancellation.check()
      return false
    }
  }
}
