import BackupModel
import Diagnostics
import PostgresTools
import StreamPipeline

/// Counting what a rollback loses: next to the restore, and once more what was written until the fence.
extension RollBackDeploy {
  /// What is lost, as counted before the fence.
  struct Counted {
    /// As the live database alone tells.
    var raw: [TableWrites]
    /// With what the restored one tells, too.
    var completed: [TableWrites]
    var isComplete: Bool
    /// The server's counters of writes when the count began; nil: it was not made by itself.
    var activity: Manifest.Activity?
  }

  /// The exact count of what is lost, next to the restore; nil where the plan has it, or nobody can tell.
  func exactCount(_ plan: RollbackPlan) -> WriteCount? {
    guard plan.liveExists, plan.unreadable == nil, !plan.countedAll else { return nil }
    let (target, manifest, writers) = (target, plan.backup.manifest, plan.writers)
    return WriteCount(surroundings) { (surroundings) throws(Failure) in
      try LostWrites(live: target, manifest: manifest, migrations: writers, surroundings: surroundings)
    }
  }

  /// Fills in what needs the restored database. A restored database is not thrown away for a number.
  func completeWrites(_ plan: RollbackPlan, _ count: WriteCount?) throws(Failure) -> Counted {
    var counted = Counted(raw: plan.lostWrites, completed: plan.lostWrites, isComplete: plan.countedAll)
    guard plan.liveExists else { return counted }
    do throws(Failure) {
      if let found = try count?.found() {
        counted = Counted(
          raw: found.writes, completed: found.writes, isComplete: found.isComplete, activity: found.activity)
      }
      let lost = try LostWrites(
        live: target, manifest: plan.backup.manifest, migrations: plan.writers, surroundings: surroundings)
      counted.completed = try lost.completed(counted.raw, restored: target.database(plan.temporary))
    } catch {
      try surroundings.cancellation.check()
      surroundings.log.warning("what is lost could not be compared with the backup: \(error.why)")
      counted.isComplete = false
    }
    return counted
  }

  /// Adds what was written until the fence: in the kept database nobody writes any more. Only what was written to since is counted again.
  func atTheFence(_ plan: RollbackPlan, _ counted: Counted) -> (writes: [TableWrites], isComplete: Bool) {
    guard plan.liveExists, counted.isComplete else { return (counted.completed, counted.isComplete) }
    do throws(Failure) {
      let kept = try LostWrites(
        live: target.database(plan.keptAs), manifest: plan.backup.manifest, moment: plan.copy?.snapshot,
        migrations: plan.writers, surroundings: surroundings)
      if let before = counted.activity, try kept.countsWrites(), let growth = before.growth(to: try kept.activity()) {
        let written = Set(growth.filter { $0.value > 0 }.keys)
        let (raw, isComplete) = try kept.count(only: written)
        let others = { (writes: [TableWrites]) in writes.filter { !written.contains($0.key) } }
        let mine = { (writes: [TableWrites]) in writes.filter { written.contains($0.key) } }
        let advanced = LostWrites.advanced(mine(counted.completed), from: mine(counted.raw), to: raw)
        return (others(counted.completed) + advanced, isComplete)
      }
      let (raw, isComplete) = try kept.count(within: plan.copy == nil ? nil : RollbackPlanner.secondsToCount)
      return (LostWrites.advanced(counted.completed, from: counted.raw, to: raw), isComplete)
    } catch {
      // The rollback itself is done.
      guard surroundings.cancellation.signal == nil else {
        surroundings.log.warning("the rollback is done; what was written until its end was not counted: it was to stop")
        return (counted.completed, false)
      }
      surroundings.log.warning("what was written until the end could not be counted: \(error.why)")
      return (counted.completed, false)
    }
  }
}
