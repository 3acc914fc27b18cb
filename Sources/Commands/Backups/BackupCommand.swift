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
      text: failure == nil
        ? Screen("\(backup.id) is \(praise(backup.manifest)).\(lack(backup.manifest))") : .nothing,
      failure: failure)
  }

  /// What is whole is not yet complete.
  private func praise(_ manifest: Manifest) -> String {
    let missing = manifest.missing ?? []
    return missing.isEmpty
      ? "good" : "intact, but incomplete: it lacks \(missing.summaries.joined(separator: "; "))"
  }

  private func lack(_ manifest: Manifest) -> String {
    manifest.excludeTableData.isEmpty
      ? "" : " The rows \(manifest.lackText ?? "") were left out."
  }
}
