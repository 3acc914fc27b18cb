import BackupModel
import BackupRepository
import Diagnostics
import Planning
import Workflows

struct PruneCommand {
  let context: CommandContext

  func run() throws(Failure) -> CommandResult {
    let policy = try context.policy()
    let work = PruneBackups(policy: policy, surroundings: context.surroundings)
    let kept = Kept(databases: try work.databasesToOffer(), policy: policy)
    guard context.invocation.flag("confirm") else { return result(try work.plan(), kept, isDry: true) }
    return try context.audited(
      policy, { () throws(Failure) in result(try work.run(), kept, isDry: false) }, subject: { _ in nil })
  }

  private struct Kept {
    var databases: [KeptDatabase]
    var policy: Policy
  }

  private func result(_ outcome: PruneBackups.Outcome, _ kept: Kept, isDry: Bool) -> CommandResult {
    CommandResult(
      json: [
        "keep": json(outcome.plan.keep), "remove": json(outcome.plan.remove),
        "removed": .strings(outcome.removed), "in_use": .strings(outcome.inUse),
        "held_meanwhile": .strings(outcome.heldMeanwhile),
        "kept_databases": .array(
          kept.databases.map { ["database": .string($0.name), "bytes": .integer($0.bytes), "since": .time($0.since)] }),
      ], text: text(outcome, kept.policy.name, isDry: isDry) + offer(kept))
  }

  /// Holdfast drops no database: whoever does knows better than a rule whether the way forward is still wanted.
  private func offer(_ kept: Kept) -> Screen {
    guard !kept.databases.isEmpty else { return .nothing }
    let rows = kept.databases.map {
      [dropText($0.name, kept.policy), sizeText($0.bytes), "kept since \(minuteText($0.since)) UTC"]
    }
    return Screen("Kept by a rollback for longer than migrations.hold_for; when nobody wants them back:")
      + Screen.table(rows, rightAligned: [1])
  }

  private func json(_ decisions: [RetentionPlan.Decision]) -> JSONValue {
    .array(decisions.map { ["id": .string($0.id), "reasons": .array($0.reasons.map { .string($0) })] })
  }

  private func text(_ outcome: PruneBackups.Outcome, _ policy: String, isDry: Bool) -> Screen {
    let plan = outcome.plan
    guard !(plan.keep + plan.remove).isEmpty else { return Screen("There is no backup yet.") }
    let removed = Set(outcome.removed)
    // The rules count each database's backups apart.
    let several = Set(outcome.databases.values.map { Array($0.utf8) }).count > 1
    func row(_ word: String, _ decision: RetentionPlan.Decision) -> [String] {
      [word, decision.id] + (several ? [outcome.databases[decision.id] ?? ""] : [])
        + [decision.reasons.joined(separator: ", ")]
    }
    let held = Set(outcome.heldMeanwhile)
    let going = plan.remove.map {
      row(isDry ? "goes" : removed.contains($0.id) ? "removed" : held.contains($0.id) ? "held" : "in use", $0)
    }
    let rows = plan.keep.map { row("stays", $0) } + going
    let end =
      switch (isDry, plan.remove.isEmpty) {
      case (_, true): "Nothing is to be removed."
      case (true, false): "Nothing was removed: this is what would be. holdfast prune \(policy) --confirm removes it."
      case (false, false): "\(counted(removed.count, "backup")) removed, \(plan.keep.count) kept."
      }
    return Screen.table(rows) + Screen(end)
  }
}
