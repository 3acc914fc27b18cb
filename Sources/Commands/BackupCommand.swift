import BackupModel
import Diagnostics
import Workflows

struct BackupCommand {
  let context: CommandContext

  func run() throws(Failure) -> CommandResult {
    let policy = try context.policy()
    return try context.audited(
      policy, { () throws(Failure) in try run(policy) }, subject: { $0.text(at: "backup", "id") })
  }

  private func run(_ policy: Policy) throws(Failure) -> CommandResult {
    let reason = context.invocation.value("reason") ?? "manual"
    let start = ContinuousClock.now
    try context.createRepositoryIfAsked(policy)
    let outcome = try TakeBackup(
      policy: policy, surroundings: context.surroundings, acceptsNewDatabase: context.invocation.flag("new-database")
    )
    .run(reason: reason, hold: context.invocation.flag("hold"))
    let backup = outcome.backup
    let failure = outcome.damage(insteadUse: nil)
    return CommandResult(
      json: context.json(of: backup, since: start),
      text: failure == nil ? "\(backup.id) is good.\(lack(backup.manifest))" : "",
      failure: failure)
  }

  private func lack(_ manifest: Manifest) -> String {
    manifest.excludeTableData.isEmpty
      ? "" : " It has no rows of \(oneLine(manifest.excludeTableData.joined(separator: ", "))), as the policy says."
  }
}
