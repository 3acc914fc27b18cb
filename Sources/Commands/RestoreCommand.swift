import BackupModel
import CommandSyntax
import Diagnostics
import Workflows

struct RestoreCommand {
  let context: CommandContext

  func run() throws(Failure) -> CommandResult {
    let swaps = context.invocation.flag("swap")
    guard swaps != (context.invocation.value("into") != nil) else {
      throw CommandTable.holdfast.usageFailure(
        command: "restore", what: "restore", why: "one of --into NAME and --swap must be given")
    }
    let (backup, policy, _) = try context.backup()
    return try context.audited(
      policy, { () throws(Failure) in swaps ? try swap(backup, policy) : try beside(backup, policy) },
      subject: { _ in backup.id })
  }

  /// A rollback to a backup, told in the words of a restore.
  private func swap(_ backup: Backup, _ policy: Policy) throws(Failure) -> CommandResult {
    var result = try RollbackCommand(context: context).run(policy, .backup(backup.id), confirmed: false)
    result.json += JSONValue.members(["verification": ["level": "digest", "ok": .bool(true)]])
    return result
  }

  private func beside(_ backup: Backup, _ policy: Policy) throws(Failure) -> CommandResult {
    let invocation = context.invocation
    let proof = RestoreProof(rawValue: invocation.value("verify") ?? "") ?? .digest
    let outcome = try RestoreBackup(policy: policy, surroundings: context.surroundings)
      .run(backup, into: invocation.value("into") ?? "", proof: proof, analyze: !invocation.flag("no-analyze"))
    return CommandResult(
      json: [
        "backup": .string(outcome.backup.id), "database": .string(outcome.database),
        "seconds": .number(outcome.seconds),
        "verification": ["level": .string(outcome.proof.rawValue), "ok": outcome.proof == .none ? .null : .bool(true)],
        "kept_as": .null,
      ],
      text: text(outcome))
  }

  private func text(_ outcome: RestoreBackup.Outcome) -> String {
    let proof =
      switch outcome.proof {
      case .none: "It was not compared with the backup."
      case .rows: "Its rows per table are the backup's."
      case .digest: "Its content is the backup's."
      }
    return "\(outcome.database) is restored from \(outcome.backup.id) in \(secondsText(outcome.seconds)). \(proof)\n"
  }
}
