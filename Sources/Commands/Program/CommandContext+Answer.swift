import CommandSyntax
import Diagnostics

/// From the command's name to what it does.
extension CommandContext {
  /// What the command comes to, in words that can be typed.
  func answer() throws(Failure) -> CommandResult {
    do throws(Failure) {
      var result = try execute()
      if Self.telling.contains(invocation.command) { result.text = naming(result.text) }
      if let failure = result.failure { result.failure = naming(failure) }
      return result
    } catch {
      throw naming(error)
    }
  }

  private func naming(_ failure: Failure) -> Failure {
    var failure = failure
    failure.nextStep = naming(failure.nextStep)
    return failure
  }

  /// Those whose text tells what to type. That of others may have words of its user's in it.
  private static let telling: Set<String> = [
    "abandon", "backup", "check", "deploy", "migrations", "prune", "resume", "rollback", "status", "undo",
  ]

  private func execute() throws(Failure) -> CommandResult {
    switch invocation.command {
    case "init": try InitCommand(context: self).run()
    case "check": try CheckCommand(context: self).run()
    case "backup": try BackupCommand(context: self).run()
    case "list": try ListCommand(context: self).run()
    case "show": try ShowCommand(context: self).run()
    case "verify": try VerifyCommand(context: self).run()
    case "restore": try RestoreCommand(context: self).run()
    case "export": try ExportCommand(context: self).run()
    case "hold": try HoldCommand(context: self).hold()
    case "migrations": try MigrationsCommand(context: self).run()
    case "resolve": try ResolveCommand(context: self).resolve()
    case "baseline": try BaselineCommand(context: self).run()
    case "snapshot": try DeployCommand(context: self).snapshot()
    case "deploy": try DeployCommand(context: self).deploy()
    case "rollback": try RollbackCommand(context: self).rollback()
    case "undo": try RollbackCommand(context: self).undo()
    case "resume": try DeployCommand(context: self).resume()
    case "abandon": try DeployCommand(context: self).abandon()
    case "remove": try RemoveCommand(context: self).run()
    case "prune": try PruneCommand(context: self).run()
    case "status": try StatusCommand(context: self).run()
    case "release": try HoldCommand(context: self).release()
    case "completions": try InstallingCommands(context: self).completions()
    case "man": InstallingCommands(context: self).man()
    default: throw .internalError("the command \(invocation.command) is in the table but not built")
    }
  }
}
