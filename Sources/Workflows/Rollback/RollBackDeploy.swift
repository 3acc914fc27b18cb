import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Migrations
import PostgresTools

/// The workflow of `holdfast rollback`: only whole states are ever visible.
package struct RollBackDeploy {
  let policy: Policy
  let repository: Repository
  let target: ConnectionTarget
  let maintenance: Session
  let surroundings: Surroundings
  private let accepts: SchemaAcceptance
  private let lock: PolicyLock

  package struct Outcome: Sendable {
    package var plan: RollbackPlan
    package var seconds: Double
  }

  /// Takes the deploy lock of the policy.
  ///
  /// - Parameter accepts: what becomes of a restored schema that differs from the backup's in words only.
  /// - Throws: `locked`, `no_repository`, connection failures, `pooler`.
  package init(
    policy: Policy, purpose: String = "rollback", accepts: SchemaAcceptance = .refuses, surroundings: Surroundings
  ) throws(Failure) {
    self.policy = policy
    self.accepts = accepts
    repository = try Repository.open(policy.repository)
    let wanted = policy.target
    lock = try PolicyLock(repository, policy: policy.name, kind: .deploy, purpose: purpose, now: surroundings.now())
    // What was begun on the server is ended or undone even when the run is being stopped.
    maintenance = try Connector(cancellation: Cancellation(), log: surroundings.log)
      .maintenanceSession(of: wanted, renames: true)
    target = wanted.at(maintenance)
    self.surroundings = try surroundings.limited(by: policy, on: maintenance)
    let facts = try ServerReader(maintenance).facts()
    if let refusal = facts.poolerRefusal(endpoint: target.endpoint) { throw refusal }
    guard !facts.standby else {
      throw Failure(
        "standby", exit: .configuration, what: "\(purpose) on \(target.endpoint)",
        why: "the server is a standby: it takes no writes", nextStep: "give the primary's host in database.url")
    }
    try swap.takeTurn(of: target.database, log: surroundings.log)
  }

  var swap: DatabaseSwap { DatabaseSwap(session: maintenance, cancellation: surroundings.cancellation) }

  /// - Throws: `no_such_deploy`, `backup_damaged`, `deploy_interrupted`, `swap_blocked`.
  package func plan(_ choice: RollbackChoice) throws(Failure) -> RollbackPlan { try planner.plan(choice) }

  private var planner: RollbackPlanner {
    RollbackPlanner(policy: policy, repository: repository, maintenance: maintenance, surroundings: surroundings)
  }

  /// The same for one that was interrupted.
  func plan(again record: DeployRecord) throws(Failure) -> RollbackPlan {
    try planner.plan(again: record)
  }

  /// What it would come to when a deploy that is open is given up.
  package func plan(abandoning record: DeployRecord) throws(Failure) -> RollbackPlan {
    try planner.plan(abandoning: record)
  }

  /// A name beside the database's that is not taken.
  func freeName(_ ending: String) throws(Failure) -> String { try swap.freeName(target.database, ending) }

  /// Does what the plan says.
  ///
  /// - Throws: `plan_changed`; whatever keeps it from its end. Before the swap nothing of the live database was touched.
  package func execute(_ plan: RollbackPlan) throws(Failure) -> Outcome {
    step("do what the plan says")
    let live = plan.liveExists ? try lockLive() : nil
    // From here on no other deploy or rollback changes anything.
    try planner.refuseChanged(plan)
    return try execute(plan, holding: live)
  }

  /// - Parameter live: what `lockLive` gave.
  func execute(_ plan: RollbackPlan, holding live: Session?) throws(Failure) -> Outcome {
    let use = try BackupUse.reading(plan.backup)
    defer { withExtendedLifetime((live, use)) {} }
    let start = ContinuousClock.now
    let journal = try DeployJournal(repository, policy: policy.name, id: plan.deploy)
    var done = plan
    switch plan.mode {
    case .resolveOnly:
      try journal.append(try began(plan))
      try resolveOnly(plan.undoes, journal)
    case .restore:
      // Known before hours of work, and before anybody is kept out.
      if plan.liveExists { try swap.refuseUnstoppable(plan.database, waiting: 2) }
      let counted = try prepare(plan, journal)
      try swapIn(plan, journal)
      let seconds = rounded(ContinuousClock.now - start)
      (done.lostWrites, done.countedAll) = atTheFence(plan, counted)
      return Outcome(plan: done, seconds: seconds)
    }
    return Outcome(plan: done, seconds: rounded(ContinuousClock.now - start))
  }

  private func rounded(_ duration: Duration) -> Double { (duration.seconds * 1000).rounded() / 1000 }

  /// Another machine's deploy keeps its lock on the database itself. That of a run that has just ended takes a moment to go.
  ///
  /// - Returns: nil for a database that lets nobody in: neither does it let in a deploy, and a rollback may be what it needs.
  func lockLive() throws(Failure) -> Session? {
    let session: Session
    do throws(Failure) {
      session = try Connector(cancellation: Cancellation(), log: surroundings.log).connect(target, purpose: "rollback")
    } catch {
      try surroundings.cancellation.check()
      surroundings.log.warning("\(target.database) cannot be connected to (\(error.why)); going on without it")
      return nil
    }
    try AdvisoryLock.deploy.take(
      session, waiting: 3, endsStrangers: true, log: surroundings.log, cancellation: surroundings.cancellation)
    return session
  }

  func resolveOnly(_ names: [String], _ journal: DeployJournal) throws(Failure) {
    let books = try MigrationBooks(policy: policy, purpose: "rollback", surroundings: surroundings)
    try books.resolving { (history) throws(Failure) in
      for name in names { _ = try history.markRolledBack(name) }
    }
    try journal.append(DeployEvent(.rolledBack, at: surroundings.now()))
  }

  private func began(_ plan: RollbackPlan) throws(Failure) -> DeployEvent {
    DeployEvent(
      .rollbackBegan, at: surroundings.now(), migrations: plan.undoes, backup: plan.backup.id,
      holds: BackupMoment(plan.backup.manifest), database: plan.database,
      temporary: plan.mode == .restore ? plan.temporary : nil, identity: try swap.oid(of: plan.database))
  }

  // MARK: Beside

  /// Verifies the backup, restores it beside the live database, proves it and reconciles its history.
  ///
  /// - Returns: what was written to the live database since.
  /// - Throws: after which nothing of it is left.
  private func prepare(_ plan: RollbackPlan, _ journal: DeployJournal) throws(Failure) -> Counted {
    if plan.copy != nil { return try prepareCopy(plan, journal) }
    let facts = try ServerReader(maintenance).facts()
    let toolbox = try surroundings.toolbox(
      forMajor: max(facts.major, plan.backup.manifest.dumpMajor), demanded: policy.tools)
    let verified = try VerifyBackup(surroundings: surroundings)
      .examine(plan.backup, level: .checksum, toolbox: toolbox)
    if let damage = verified.damage(insteadUse: nil) { throw try furtherBack(plan, damage) }
    try journal.append(try began(plan))
    let count = exactCount(plan)
    defer { count?.abandon() }
    let counted: Counted
    do throws(Failure) {
      let database = try restoreBeside(plan, verified.backup, toolbox)
      let writes = try completeWrites(plan, count)
      try surroundings.cancellation.check()
      try standby.seal(database)
      try journal.append(
        DeployEvent(.restored, at: surroundings.now(), identity: try standby.identity(plan.temporary)))
      counted = writes
    } catch { throw givenUp(plan, journal, error) }
    try readyToSwap(plan)
    return counted
  }

  /// The snapshot is damaged: what leads to before the deploy now is an older backup.
  private func furtherBack(_ plan: RollbackPlan, _ damage: Failure) throws(Failure) -> Failure {
    var failure = damage
    let older = try repository.listing(of: policy.name).backups.first {
      $0.state == .complete && $0.id != plan.backup.id
        && BackupMoment($0.manifest) <= BackupMoment(plan.backup.manifest)
    }
    failure.nextStep =
      older.map {
        "go further back, and see first what that loses: holdfast rollback \(policy.name) --plan --to \($0.id)"
      }
      ?? "there is no older good backup: look at what is left of this one by holdfast show \(plan.backup.id)"
    failure.details.append("\(plan.database) was not touched.")
    return failure
  }

  /// The same with a copy that is there already, was proven when it was made, and that nobody could write to since.
  private func prepareCopy(_ plan: RollbackPlan, _ journal: DeployJournal) throws(Failure) -> Counted {
    try journal.append(try began(plan))
    do throws(Failure) {
      try standby.open(plan.temporary)
      if plan.liveExists {
        try reconcileHistory(plan)
        try givePropertiesOfLive(plan)
      }
      try standby.close(plan.temporary)
      try journal.append(
        DeployEvent(.restored, at: surroundings.now(), identity: try standby.identity(plan.temporary)))
    } catch { throw givenUp(plan, journal, error) }
    try readyToSwap(plan)
    return Counted(raw: plan.lostWrites, completed: plan.lostWrites, isComplete: plan.countedAll)
  }

  /// A copy has the properties of the snapshot, or those that an interrupted rollback gave it.
  private func givePropertiesOfLive(_ plan: RollbackPlan) throws(Failure) {
    let own = try ServerReader(maintenance).properties(of: plan.temporary)
    guard own != plan.properties else { return }
    let name = SQLFragment(identifier: plan.temporary)
    try maintenance.query("BEGIN")
    for statement in plan.properties.statements(replacing: own, name: name) {
      try DatabaseLocks.give(statement, to: plan.temporary, maintenance)
    }
    try maintenance.query("COMMIT")
  }

  /// What is whole is not given up for what only keeps it from being swapped in now.
  private func readyToSwap(_ plan: RollbackPlan) throws(Failure) {
    do throws(Failure) {
      if plan.liveExists { try swap.refuseBlocked(plan.database) }
      try surroundings.cancellation.check()
    } catch {
      var failure = error.followed(by: "holdfast resume; or give it up: holdfast abandon")
      failure.details.append(
        "\(plan.database) was not touched; \(plan.temporary) is restored whole, and kept for that.")
      throw failure
    }
  }

  private func restoreBeside(
    _ plan: RollbackPlan, _ backup: Backup, _ toolbox: Toolbox
  ) throws(Failure) -> NewDatabase {
    let start = ContinuousClock.now
    let database = try NewDatabase(
      plan.database, temporaryName: plan.temporary, like: plan.properties, session: maintenance)
    let work = try RestoreWork(
      backup: backup, target: target.database(plan.temporary), toolbox: toolbox, surroundings: surroundings)
    if try work.fillAndProve(accepts) {
      try VerifyBackup(surroundings: surroundings)
        .record(restored: backup, seconds: rounded(ContinuousClock.now - start), on: maintenance)
    }
    if plan.liveExists { try reconcileHistory(plan) }
    return database
  }

  private func givenUp(_ plan: RollbackPlan, _ journal: DeployJournal, _ cause: Failure) -> Failure {
    _ = maintenance.attempt("ROLLBACK")
    var failure = cause
    do throws(Failure) {
      // Also a standby copy: once opened it is no more what was proven.
      try NewDatabase.endMaking(of: plan.temporary, session: maintenance)
      try NewDatabase.drop(plan.temporary, session: maintenance)
    } catch {
      failure.details.append("The live database was not touched; \(plan.temporary) is left: holdfast abandon drops it.")
      failure.nextStep = "when the server answers again: holdfast resume; or give it up: holdfast abandon"
      return failure
    }
    failure.details.append("The live database was not touched.")
    do throws(Failure) {
      try journal.append(DeployEvent(.abandoned, at: surroundings.now(), error: "\(cause.code): \(cause.why)"))
    } catch { failure = failure.followed(by: "holdfast abandon; or try again: holdfast resume") }
    return failure
  }

  var standby: StandbyDatabase {
    StandbyDatabase(target: target, maintenance: maintenance, surroundings: surroundings)
  }

  /// Carries over the rows of undone migrations, in the state in which Prisma applies them again.
  ///
  /// A row that is not carried over is a migration that is pending: no reason not to go back.
  private func reconcileHistory(_ plan: RollbackPlan) throws(Failure) {
    let restored = try HistoryTable(
      try surroundings.connector.connect(target.database(plan.temporary), purpose: "rollback"), schema: target.schema)
    // Without a history before the deploy there is none to carry on.
    guard restored.isThere else { return }
    do throws(Failure) {
      let known = Set(try restored.rows().map(\.id))
      let live = try surroundings.connector.connect(target, purpose: "rollback")
      for row in try HistoryTable(live, schema: target.schema).rows() where !known.contains(row.id) {
        try restored.insertRolledBack(row, by: plan.deploy)
      }
    } catch {
      try surroundings.cancellation.check()
      surroundings.log.warning(
        "the history of \(target.database) could not be carried over (\(error.why)): what was undone is pending again")
    }
  }

  // MARK: Swap

  /// A restore takes time, and somebody may have put another database in the place of the one that is to be replaced.
  private func refuseAnotherLive(_ plan: RollbackPlan) throws(Failure) {
    let found = try swap.oid(of: plan.database)
    // One that is gone meanwhile is no obstacle.
    guard let found, found != plan.situation.liveOID else { return }
    throw Failure(
      "another_database", exit: .failed, what: "rollback of \(plan.database)",
      why: "\(plan.database) is another database than when the rollback began (oid \(found), then "
        + "\(plan.situation.liveOID ?? "none"))",
      nextStep: "give that rollback up: holdfast abandon; then look which of them is to be kept")
  }

  /// What was given to, or taken from, the live database since the restore began is given to the restored one, too.
  private func followProperties(_ plan: RollbackPlan) throws(Failure) {
    guard plan.liveExists else { return }
    var now = plan
    try planner.compareProperties(&now)
    guard now.properties != plan.properties else { return }
    surroundings.log.warning("owner, privileges or settings of \(plan.database) were changed meanwhile: they are kept")
    try givePropertiesOfLive(now)
  }

  func swapIn(_ plan: RollbackPlan, _ journal: DeployJournal) throws(Failure) {
    guard let replacement = try swap.oid(of: plan.temporary) else {
      throw .internalError("the restored database \(plan.temporary) is gone")
    }
    let event = DeployEvent(
      .swapping, at: surroundings.now(), identity: replacement, keptAs: plan.liveExists ? plan.keptAs : nil)
    try note([event], journal, orElse: "\(plan.database) was not touched; \(plan.temporary) is whole, and left.")
    do throws(Failure) {
      try refuseAnotherLive(plan)
      try followProperties(plan)
    } catch {
      _ = maintenance.attempt("ROLLBACK")
      throw error.code == "another_database" ? error : error.followed(by: "holdfast resume; or holdfast abandon")
    }
    let ended = plan.sessions.reduce(0) { $0 + $1.count }
    func exchange() throws(Failure) {
      try swap.exchange(live: plan.database, keptAs: plan.keptAs, replacement: plan.temporary)
    }
    _ = try surroundings.phase(
      "swap", summary: { "\(counted(ended, "session")) ended, names exchanged" }, exchange)
    try note(
      [DeployEvent(.swapped, at: surroundings.now()), DeployEvent(.rolledBack, at: surroundings.now())], journal,
      orElse: "The names are exchanged: \(plan.database) is rolled back"
        + (plan.liveExists ? ", and the database before is \(plan.keptAs)." : "."))
  }

  /// Journals what `resume` has to know.
  ///
  /// - Parameter state: what is so where that cannot be written.
  private func note(_ events: [DeployEvent], _ journal: DeployJournal, orElse state: String) throws(Failure) {
    do throws(Failure) { for event in events { try journal.append(event) } } catch {
      var failure = error.followed(by: "holdfast resume")
      failure.details.append(state)
      throw failure
    }
  }
}
