import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Migrations
import PostgresTools

/// Which deploy, or which backup, a rollback goes back to.
package enum RollbackChoice: Sendable, Equatable {
  case lastDeploy
  case deploy(String)
  /// The deploy that first applied a migration.
  case before(migration: String)
  case backup(String)
}

/// What a rollback would do.
package struct RollbackPlan: Sendable {
  package enum Mode: String, Sendable {
    case restore
    /// Nothing but the history has to be mended.
    case resolveOnly = "resolve-only"
  }

  /// Its journal takes the rollback's events.
  package var deploy: String
  package var mode: Mode
  package var backup: Backup
  package var database: String
  package var keptAs: String
  /// The database that is restored beside.
  package var temporary: String
  /// That database is there already: a rollback is a rename.
  package var copy: DeployRecord.StandbyCopy?
  /// Migrations that the live history has and the backup has not.
  package var undoes: [String]
  /// The failed migration, for `resolveOnly`.
  package var failed: String?
  package var lostWrites: [TableWrites]
  /// Every table was looked at for them.
  package var countedAll = true
  package var sessions: [(application: String, count: Int)]
  /// Roles whose sessions this one may not end: while they are connected, the names cannot be exchanged.
  package var unstoppable: [String] = []
  /// What stays with the old database.
  package var staying: [String]
  package var liveExists: Bool
  /// The backup was taken on a server that was not this one: it has moved, or the URL leads to another than is meant.
  package var isOfAnotherServer = false
  /// Why the live database cannot be looked into, where that is so: what is lost is not known then.
  package var unreadable: String?
  /// What belongs to the database and not to its content, after the rollback.
  package var properties: DatabaseProperties
  /// Where the live one and the snapshot differ in that.
  package var propertyDifferences: [PropertyDifference] = []
  /// Transactions of the migrations that are undone, as xmin has them.
  var writers: [String] = []
  /// What the undone migrations did outside of the database, which no rollback takes back.
  package var staysDone: [String] = []
  /// How long it takes, by a restore before, or by estimate.
  package var estimatedSeconds: Double
  package var isEstimate = true
  /// Bytes that the restored database takes on the server's disk, and what is free there; nil: nobody here can look.
  package var neededBytes: UInt64
  package var freeBytes: UInt64?
  /// What was true when it was made: it is done only as long as that is so.
  var situation = Situation()

  struct Situation: Equatable, Sendable {
    var liveOID: String?
    var lastDeploy: String?
    var undoes: [String] = []
    var propertyDifferences: [PropertyDifference] = []
  }
}

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

  // MARK: Choosing

  /// - Throws: `no_such_backup`.
  private func snapshot(of record: DeployRecord, _ listing: Listing) throws(Failure) -> Backup {
    do throws(Failure) { return try BackupFinder(listing).find(named: record.backup) } catch {
      throw Failure(
        error.code, exit: error.exit, what: "rollback of \(policy.name)",
        why: "snapshot \(record.backup ?? "") of deploy \(record.id) is gone",
        nextStep: "go back to another backup: holdfast list, then holdfast rollback \(policy.name) --plan --to ID")
    }
  }

  private func choose(
    _ choice: RollbackChoice, _ records: [DeployRecord], _ listing: Listing
  ) throws(Failure) -> (DeployRecord?, Backup) {
    if case .backup(let id) = choice {
      let backup = try id == "latest" ? latest(listing) : BackupFinder(listing).find(id)
      try refuseAnother(backup)
      return (nil, backup)
    }
    if choice == .lastDeploy, case .snapshot(let backup) = try last(records, listing) { return (nil, backup) }
    let standing = records.standing(in: listing)
    let chosen: DeployRecord? =
      switch choice {
      case .lastDeploy, .backup: try lastDeploy(records, listing)
      case .deploy(let id): try named(id, records.filter(\.canBeRolledBack))
      case .before(let migration):
        standing.last { $0.applied.contains(migration) } ?? standing.last { $0.failed == migration }
      }
    if let chosen { try refuseAnother(chosen) }
    guard let chosen, chosen.backup != nil else { throw noSuchDeploy(choice, records) }
    return (chosen, try snapshot(of: chosen, listing))
  }

  /// The newest of this server's, where there are any: on a new server the old one's are what there is.
  private func latest(_ listing: Listing) throws(Failure) -> Backup {
    let server = try ServerReader(maintenance).facts().systemIdentifier
    var own = listing
    own.backups.removeAll { $0.manifest.source.systemIdentifier != server }
    let name = policy.database
    let newest = listing.backups.first { $0.state == .complete }
    // Nobody knows where a broken one is from.
    let isNew =
      !own.backups.contains { backup in name.map { backup.isOf(database: $0) } ?? true }
      && !own.broken.contains { $0.id > newest?.id ?? "" }
    let finder = BackupFinder(isNew ? listing : own, databases: name.map { [policy.name: $0] } ?? [:])
    do throws(Failure) {
      let backup = try finder.find("latest")
      if let why = finder.passedOver(by: backup) { surroundings.log.warning("\(why); this is \(backup.id)") }
      return backup
    } catch {
      guard let other = newest, !isNew, !own.backups.contains(where: { $0.state == .complete }) else { throw error }
      var failure = error
      failure.why = "none of this server's can be used"
      failure.nextStep =
        "the newest good one is of another server, \(other.manifest.source.host): to use that, give its id, \(other.id)"
      throw failure
    }
  }

  private func noSuchDeploy(_ choice: RollbackChoice, _ records: [DeployRecord]) -> Failure {
    if choice == .lastDeploy, let last = records.first(where: { !$0.pending.isEmpty }), last.state == .rolledBack {
      return Failure(
        "already_rolled_back", exit: .notFound, what: "rollback of \(policy.name)",
        why: "the last deploy, \(last.id), is rolled back already, and there is none before it",
        nextStep: "nothing is left to do (holdfast status); to an older backup leads holdfast rollback --plan --to ID")
    }
    return Failure(
      "no_such_deploy", exit: .notFound, what: "rollback of \(policy.name)",
      why: records.isEmpty ? "there was no deploy yet" : "no deploy that can be undone fits",
      nextStep: "go back to a backup instead: holdfast rollback --to ID; holdfast list shows them")
  }

  /// - Throws: `deploy_of_another`.
  private func refuseAnother(_ record: DeployRecord) throws(Failure) {
    let name = try ConnectionURL.parse(policy.databaseURL).database
    guard !record.database.utf8.elementsEqual(name.utf8) else { return }
    throw Failure(
      "deploy_of_another", exit: .notFound, what: "rollback of deploy \(record.id)",
      why: "it was a deploy of \(record.database), and database.url names \(name) now",
      nextStep: "correct database.url; or restore that state beside: "
        + "holdfast restore \(record.backup ?? "") --policy \(policy.name) --into NAME")
  }

  private func refuseAnother(_ backup: Backup) throws(Failure) {
    let (name, own) = (try ConnectionURL.parse(policy.databaseURL).database, backup.manifest.source.database)
    guard !backup.isOf(database: name) else { return }
    throw Failure(
      "backup_of_another", exit: .notFound, what: "rollback of \(policy.name)",
      why: "backup \(backup.id) is one of database \(own), and database.url names \(name)",
      nextStep: "correct database.url; or restore it beside: "
        + "holdfast restore \(backup.id) --policy \(policy.name) --into NAME")
  }

  private func lastDeploy(_ records: [DeployRecord], _ listing: Listing) throws(Failure) -> DeployRecord? {
    try last(records, listing).chosen(of: policy.name)
  }

  private func last(_ records: [DeployRecord], _ listing: Listing) throws(Failure) -> LastDeploy {
    let name = try ConnectionURL.parse(policy.databaseURL).database
    return records.last(in: listing, live: try DatabaseIdentity.of(name, maintenance), now: surroundings.now())
  }

  /// By its id, or enough of its beginning or end.
  private func named(_ id: String, _ records: [DeployRecord]) throws(Failure) -> DeployRecord? {
    let matches = records.filter { $0.id.hasPrefix(id) || $0.id.hasSuffix(id) }
    guard matches.count > 1 else { return matches.first }
    throw Failure(
      "ambiguous_deploy", exit: .notFound, what: "deploy \(id)", why: "\(matches.count) ids begin or end so",
      nextStep: "give more of the id", details: matches.map(\.id))
  }

  private func unfinished(_ record: DeployRecord) -> Failure {
    Failure(
      "deploy_interrupted", exit: .failed, what: "rollback of \(policy.name)",
      why: "deploy \(record.id) is \(record.state.rawValue): it runs, or was interrupted",
      nextStep: "finish it: holdfast resume; or give it up: holdfast abandon")
  }

  // MARK: Looking

  static let secondsToCount = 0.7

  /// - Parameter mode: nil: whichever is enough.
  private func plan(
    _ record: DeployRecord?, _ backup: Backup, _ mode: RollbackPlan.Mode?
  ) throws(Failure) -> RollbackPlan {
    let target = try ConnectionURL.parse(policy.databaseURL)
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
      properties: backup.manifest.source.properties, estimatedSeconds: backup.manifest.restoreSeconds,
      neededBytes: backup.manifest.source.bytes)
    if let proof = RollbackProof(of: backup, among: [backup]), let seconds = proof.seconds {
      (plan.estimatedSeconds, plan.isEstimate) = (seconds, false)
    }
    plan.freeBytes = try ServerDisk(target: target).freeBytes(maintenance)
    plan.situation.liveOID = try swap.oid(of: target.database)
    plan.situation.lastDeploy = others.first?.id
    plan.isOfAnotherServer =
      try ServerReader(maintenance).facts().systemIdentifier != backup.manifest.source.systemIdentifier
    if let copy = record?.copy, record?.backup == backup.id, copy.isWhole,
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
    if exists {
      try refuseWithoutRight(to: plan)
      let beyond = try look(into: target, others, &plan)
      try compareProperties(&plan)
      plan.staysDone = try IrreversibleStatements.find(of: plan.undoes, in: policy.migrations.directory)
      (plan.situation.undoes, plan.situation.propertyDifferences) = (plan.undoes, plan.propertyDifferences)
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
  private func refuseWithoutRight(to plan: RollbackPlan) throws(Failure) {
    let needs = try WayBack.needs(of: plan.database, maintenance)
    guard let need = needs.missing.first else { return }
    throw Failure(
      "no_way_back", exit: .noPermission, what: "rollback of \(plan.database)",
      why: "role \(needs.role) lacks a privilege \(need.problem): \(need.fix)",
      nextStep: "grant it, then run the same command again")
  }

  /// Reads what there is to undo. Where the live history cannot be read, a rollback may be the only way out: the journals tell it then.
  ///
  /// - Returns: the live rows that the backup has not.
  private func look(
    into target: ConnectionTarget, _ deploys: [DeployRecord], _ plan: inout RollbackPlan
  ) throws(Failure) -> [HistoryRow] {
    let known = Set(plan.backup.manifest.migrations?.applied.map(\.name) ?? [])
    do throws(Failure) {
      let live = try surroundings.connector.connect(target, purpose: "rollback")
      plan.unstoppable = try WayBack.unstoppable(live, amongThem: .everybody)
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

  private func journaled(_ deploys: [DeployRecord], besides known: Set<String>) -> [String] {
    var names: [String] = []
    for name in deploys.reversed().flatMap({ $0.applied + [$0.failed].compactMap { $0 } })
    where !known.contains(name) && !names.contains(name) {
      names.append(name)
    }
    return names
  }

  /// The live database's properties stay, but for what the undone migrations have changed of them.
  private func compareProperties(_ plan: inout RollbackPlan) throws(Failure) {
    let reader = ServerReader(maintenance)
    let live = try reader.properties(of: plan.database)
    let changed = try reader.propertiesChanged(of: plan.database, by: plan.writers)
    // What keeps everybody out of a database must not come along.
    let undone = plan.unreadable == nil ? changed : live.allParts(with: plan.backup.manifest.source.properties)
    (plan.properties, plan.propertyDifferences) = live.afterRollback(
      to: plan.backup.manifest.source.properties, undoing: undone)
  }

  /// Whether what a plan was made of is still so.
  ///
  /// - Throws: `plan_changed`.
  func refuseChanged(_ plan: RollbackPlan) throws(Failure) {
    guard plan.liveExists else { return }
    var now = plan
    let target = try ConnectionURL.parse(policy.databaseURL)
    let swap = DatabaseSwap(session: maintenance, cancellation: surroundings.cancellation)
    let deploys = try repository.deploys(of: policy.name)
    now.situation.liveOID = try swap.oid(of: target.database)
    now.situation.lastDeploy = deploys.first?.id
    if plan.unreadable == nil { _ = try look(into: target, deploys, &now) }
    if plan.mode == .restore { now.situation.undoes = now.undoes }
    try compareProperties(&now)
    now.situation.propertyDifferences = now.propertyDifferences
    guard now.situation != plan.situation else { return }
    throw Failure(
      "plan_changed", exit: .failed, what: "rollback of \(plan.database)",
      why: "the database was changed since the plan was shown: \(change(plan.situation, now.situation))",
      nextStep: "look at the new plan, then run the same command again: holdfast rollback --plan")
  }

  private func change(_ before: RollbackPlan.Situation, _ now: RollbackPlan.Situation) -> String {
    if before.liveOID != now.liveOID { return "another database has its name" }
    if before.lastDeploy != now.lastDeploy { return "there was another deploy or rollback" }
    if before.undoes != now.undoes { return "other migrations would be undone" }
    return "its owner, privileges or settings differ"
  }

  /// Whatever the size, the plan is there within a second: what could not be counted by then is estimated, and counted during the restore.
  private func count(_ target: ConnectionTarget, _ plan: inout RollbackPlan) throws(Failure) {
    do throws(Failure) {
      let writes = try LostWrites(
        live: target, manifest: plan.backup.manifest, moment: plan.copy?.snapshot, migrations: plan.writers,
        surroundings: surroundings)
      (plan.lostWrites, plan.countedAll) = try writes.count(within: Self.secondsToCount)
    } catch {
      try surroundings.cancellation.check()
      plan.countedAll = false
      plan.unreadable = plan.unreadable ?? error.why
    }
  }

  /// The only script that was run was atomic and failed, and the schema is still the snapshot's.
  private func nothingChanged(
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
