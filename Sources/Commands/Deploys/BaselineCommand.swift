import BackupModel
import CommandSyntax
import Diagnostics
import Migrations
import Workflows

/// `holdfast baseline`: what it records is shown before it is recorded, and can be taken back.
struct BaselineCommand {
  let context: CommandContext

  func run() throws(Failure) -> CommandResult {
    let policy = try context.policy()
    let last = context.invocation.value("to")
    if context.invocation.flag("undo") {
      try refuse(last != nil || context.invocation.flag("all"), "--undo", "it takes back the last baseline as a whole")
      return try context.audited(policy, { () throws(Failure) in try undo(policy) }, subject: { _ in "undo" })
    }
    try refuse(last != nil && context.invocation.flag("all"), "--all", "--to NAME says where it ends")
    guard last != nil || context.invocation.flag("all") else { throw try choiceNeeded(policy) }
    return try context.audited(
      policy, { () throws(Failure) in try record(policy, upTo: last) }, subject: { _ in last ?? "all" })
  }

  private func record(_ policy: Policy, upTo last: String?) throws(Failure) -> CommandResult {
    let books = try MigrationBooks(policy: policy, purpose: "resolve", surroundings: context.surroundings)
    let migrations = try ResolveHistory.baseline(of: books.folder, upTo: last)
    try books.resolving { (history) throws(Failure) in try history.refuseManaged() }
    let names = migrations.map(\.name)
    let rest = books.folder.migrations.map(\.name).dropFirst(names.count)
    show("records as applied, without running it", names)
    show("stays pending", Array(rest))
    try context.agree("Record \(counted(names.count, "migration")) as applied to \(policy.target.database)?")
    try books.resolving { (history) throws(Failure) in try history.record(migrations) }
    return CommandResult(
      json: ["applied": .strings(names), "pending": .strings(Array(rest))],
      text: Screen(
        names.map { "\($0) marked as applied." } + [
          "\(counted(names.count, "migration")) recorded, none was run. To take that back: holdfast baseline --undo"
        ]))
  }

  private func undo(_ policy: Policy) throws(Failure) -> CommandResult {
    let books = try MigrationBooks(policy: policy, purpose: "resolve", surroundings: context.surroundings)
    let shown = try books.resolving { (history) throws(Failure) in try history.lastBaseline() }
    show("takes out of the history, and runs nothing", shown.map(\.name))
    try context.agree("Take \(counted(shown.count, "migration")) out of the history of \(policy.target.database)?")
    let names = try books.resolving { (history) throws(Failure) in
      let rows = try history.lastBaseline()
      try history.undo(rows)
      return rows.map(\.name)
    }
    return CommandResult(
      json: ["removed": .strings(names)],
      text: Screen(
        "\(counted(names.count, "migration")) taken out of the history; the database is otherwise as it was."))
  }

  /// On stderr: before it is done, also where nobody is asked.
  private func show(_ word: String, _ names: [String]) {
    guard !context.console.json, !context.invocation.flag("quiet"), !names.isEmpty else { return }
    context.console.say(word + ":")
    for name in names { context.console.say("  \(name)") }
  }

  private func refuse(_ isWrong: Bool, _ what: String, _ why: String) throws(Failure) {
    if isWrong { throw CommandTable.holdfast.usageFailure(command: "baseline", what: what, why: why) }
  }

  /// All of them would be recorded as applied where somebody only followed a hint.
  private func choiceNeeded(_ policy: Policy) throws(Failure) -> Failure {
    let books = try MigrationBooks(policy: policy, purpose: "resolve", surroundings: context.surroundings)
    let names = try ResolveHistory.baseline(of: books.folder, upTo: nil).map(\.name)
    var failure = CommandTable.holdfast.usageFailure(
      command: "baseline", what: "baseline",
      why: "say which is the last migration that the database has: --to NAME; or --all, which records these",
      details: names)
    failure.nextStep = "holdfast baseline --to NAME"
    return failure
  }
}
