import BackupModel
import CommandSyntax
import Diagnostics
import Migrations
import Workflows

struct ResolveCommand {
  let context: CommandContext

  func resolve() throws(Failure) -> CommandResult {
    let invocation = context.invocation
    let name = invocation.operand("NAME") ?? ""
    let applied = invocation.flag("applied")
    guard applied != invocation.flag("rolled-back") else {
      throw CommandTable.holdfast.usageFailure(
        command: "resolve", what: "resolve", why: "exactly one of --applied and --rolled-back must be given")
    }
    let policy = try policy()
    var left: String?
    func marked() throws(Failure) -> CommandResult {
      let books = try books(policy)
      let hasChanged = try books.resolving { (history) throws(Failure) in
        if !applied { left = try LeftStatements(try books.history.rows(), policy: policy).warning(of: name) }
        if applied { try history.markApplied(name) } else { return try history.markRolledBack(name) }
        return true
      }
      guard hasChanged else {
        return CommandResult(
          json: ["migration": .string(name), "state": .string("unchanged")],
          text: Screen("Nothing was changed: no failed row of \(name) is left. holdfast migrations tells its state."))
      }
      if let left { context.log.warning(context.naming(left)) }
      let state = applied ? "applied" : "rolled back"
      return CommandResult(
        json: [
          "migration": .string(name), "state": .string(applied ? "applied" : "rolled-back"),
          "warnings": context.warnings.json,
        ],
        text: Screen("Migration \(name) marked as \(state)."))
    }
    return try context.audited(policy, marked, subject: { _ in name })
  }

  func policy() throws(Failure) -> Policy {
    try context.policiesFolder.load(
      context.invocation.value("policy") ?? context.invocation.operand("POLICY"), reader: context.reader)
  }

  func books(_ policy: Policy) throws(Failure) -> MigrationBooks {
    try MigrationBooks(policy: policy, purpose: "resolve", surroundings: context.surroundings)
  }
}
