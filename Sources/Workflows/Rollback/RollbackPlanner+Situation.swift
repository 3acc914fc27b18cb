import BackupModel
import BackupRepository
import Diagnostics
import PostgresTools

/// What belongs to the database, and whether a plan is still one of what there is.
extension RollbackPlanner {
  /// The live database's properties stay, but for what the undone migrations have changed of them.
  func compareProperties(_ plan: inout RollbackPlan) throws(Failure) {
    let reader = ServerReader(maintenance)
    let live = try reader.properties(of: plan.database)
    let changed = try reader.propertiesChanged(of: plan.database, by: plan.writers)
    // What keeps everybody out of a database must not come along.
    let undone = plan.unreadable == nil ? changed : live.allParts(with: plan.backedUpProperties)
    (plan.properties, plan.propertyDifferences) = live.afterRollback(to: plan.backedUpProperties, undoing: undone)
  }

  /// What the backup knows of the database. A copy does without the values of its settings.
  func properties(of backup: Backup, isCopied: Bool) throws(Failure) -> DatabaseProperties {
    do throws(Failure) { return try backup.properties() } catch {
      guard isCopied else { throw error }
      surroundings.log.warning("settings that were changed since the snapshot stay as they are: \(error.why)")
      return backup.manifest.source.properties.withoutSettings
    }
  }

  /// Whether what a plan was made of is still so.
  ///
  /// - Throws: `plan_changed`.
  func refuseChanged(_ plan: RollbackPlan) throws(Failure) {
    guard plan.liveExists else {
      guard try DatabaseSwap(session: maintenance, cancellation: surroundings.cancellation).exists(plan.database)
      else { return }
      throw changed(plan, "there is a database of that name now")
    }
    var now = plan
    let target = policy.target
    let swap = DatabaseSwap(session: maintenance, cancellation: surroundings.cancellation)
    let deploys = try repository.deploys(of: policy.name)
    now.situation.liveOID = try swap.oid(of: target.database)
    now.situation.lastDeploy = deploys.first?.id
    if plan.unreadable == nil { _ = try look(into: target, deploys, &now) }
    if plan.mode == .restore { now.situation.undoes = now.undoes }
    try compareProperties(&now)
    now.situation.propertyDifferences = now.propertyDifferences.filter { !$0.isOfRole }
    guard now.situation != plan.situation else { return }
    throw changed(plan, change(plan.situation, now.situation))
  }

  private func changed(_ plan: RollbackPlan, _ how: String) -> Failure {
    Failure(
      "plan_changed", exit: .failed, what: "rollback of \(plan.database)",
      why: "the database was changed since the plan was shown: \(how)",
      nextStep: "look at the new plan, then run the same command again: holdfast rollback --plan")
  }

  func change(_ before: RollbackPlan.Situation, _ now: RollbackPlan.Situation) -> String {
    if before.liveOID != now.liveOID { return "another database has its name" }
    if before.lastDeploy != now.lastDeploy { return "there was another deploy or rollback" }
    if before.undoes != now.undoes { return "other migrations would be undone" }
    return "its owner, privileges or settings differ"
  }
}
