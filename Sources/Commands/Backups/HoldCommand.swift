import BackupModel
import BackupRepository
import Diagnostics

struct HoldCommand {
  let context: CommandContext

  func hold() throws(Failure) -> CommandResult {
    let given = context.invocation.value("reason")
    return try change { (backup, _) throws(Failure) in
      // Held again, for longer or by hand, it is for the same reason.
      let reason = given ?? backup.hold?.reason ?? "held by hand"
      try backup.place(Hold(reason: reason, at: context.surroundings.now()))
      return "\(backup.id) is held: \(reason)"
    }
  }

  func release() throws(Failure) -> CommandResult {
    try change { (backup, policy) throws(Failure) in
      let held = backup.hold != nil
      try warnOfWayBack(backup, policy)
      try backup.release()
      return "\(backup.id) is \(held ? "released" : "not held")."
    }
  }

  /// Without its hold the next prune may remove it.
  private func warnOfWayBack(_ backup: Backup, _ policy: Policy) throws(Failure) {
    let deploys = try Repository.open(policy.repository).deploys(of: policy.name)
    guard let deploy = deploys.first(where: { $0.backup == backup.id && $0.canBeRolledBack }) else { return }
    context.log.warning(
      "deploy \(deploy.id) may still be rolled back, and \(backup.id) is its way back: the next prune may remove it. "
        + "To keep it after all: holdfast hold \(backup.id)")
  }

  private func change(
    _ body: (inout Backup, Policy) throws(Failure) -> String
  ) throws(Failure) -> CommandResult {
    let (found, policy, _) = try context.backup()
    func changed() throws(Failure) -> CommandResult {
      var backup = found
      let text = try body(&backup, policy)
      return CommandResult(json: ["backup": backup.json, "warnings": context.warnings.json], text: Screen(text))
    }
    return try context.audited(policy, changed, subject: { _ in found.id })
  }
}
