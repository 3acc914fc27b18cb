import BackupModel
import BackupRepository
import CommandSyntax
import Diagnostics
import Migrations
import Workflows

struct MigrationsCommand {
  let context: CommandContext

  func run() throws(Failure) -> CommandResult {
    let policy = try context.policy()
    let books = try MigrationBooks(policy: policy, purpose: "migrations", surroundings: context.surroundings)
    let status = try books.status()
    guard books.history.isThere || !books.folder.migrations.isEmpty else {
      return CommandResult(json: status.json, text: Self.nothingAtAll, exit: .attention)
    }
    let rows = try books.history.rows()
    return CommandResult(
      json: status.json, text: text(status, rows, nextSteps(status, try books.worker(), try interrupted(policy))),
      exit: status.isClean ? .done : .attention)
  }

  /// A deploy that has no end yet.
  private func interrupted(_ policy: Policy) throws(Failure) -> DeployRecord? {
    try Repository.openIfThere(policy.repository)?.deploys(of: policy.name).first(where: \.isUnfinished)
  }

  /// More often a wrong path than a project without migrations.
  private static let nothingAtAll = """
    No migrations: the folder has none, and the database has no history.
    next: look at migrations.directory in the policy

    """

  private func text(_ status: MigrationStatus, _ rows: [HistoryRow], _ next: [String]) -> String {
    let groups = [
      ("running", status.running), ("failed", status.failed), ("pending", status.pending), ("edited", status.edited),
      ("missing", status.missing), ("rolled back", status.rolledBack),
    ]
    var lines = ["\(counted(status.applied.count, "migration")) applied" + (status.isClean ? "; nothing pends." : ".")]
    for (word, names) in groups {
      for name in names {
        lines.append("  \(padded(word, 12))\(name)")
        guard word == "failed", let row = rows.last(where: { $0.name == name && $0.isFailed }) else { continue }
        lines.append("              began \(row.startedAt)")
        lines += (row.logs ?? "").split(whereSeparator: \.isNewline).prefix(12).map { "              \($0)" }
      }
    }
    return (lines + next).joined(separator: "\n") + "\n"
  }

  private func nextSteps(_ status: MigrationStatus, _ worker: String?, _ interrupted: DeployRecord?) -> [String] {
    if !status.running.isEmpty, let worker { return ["next: wait; a session holds the migration lock: \(worker)"] }
    if !status.failed.isEmpty, let interrupted {
      return ["next: deploy \(interrupted.id) was interrupted: holdfast resume, or holdfast abandon"]
    }
    if let name = status.failed.first {
      return [
        "next: if nothing of it is left:     holdfast resolve \(name) --rolled-back",
        "      if you completed it by hand:  holdfast resolve \(name) --applied",
      ]
    }
    return []
  }
}

extension MigrationStatus {
  var json: JSONValue {
    [
      "pending": .strings(pending), "applied": .strings(applied), "running": .strings(running),
      "failed": .strings(failed), "rolled_back": .strings(rolledBack), "edited": .strings(edited),
      "missing": .strings(missing),
    ]
  }
}

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
    func marked() throws(Failure) -> CommandResult {
      let hasChanged = try books(policy).resolving { (history) throws(Failure) in
        if applied { try history.markApplied(name) } else { return try history.markRolledBack(name) }
        return true
      }
      guard hasChanged else {
        return CommandResult(
          json: ["migration": .string(name), "state": .string("unchanged")],
          text: "Nothing was changed: no failed row of \(name) is left. holdfast migrations tells its state.\n")
      }
      let state = applied ? "applied" : "rolled back"
      return CommandResult(
        json: ["migration": .string(name), "state": .string(applied ? "applied" : "rolled-back")],
        text: "Migration \(name) marked as \(state).\n")
    }
    return try context.audited(policy, marked, subject: { _ in name })
  }

  func baseline() throws(Failure) -> CommandResult {
    let last = context.invocation.value("to")
    let policy = try policy()
    func marked() throws(Failure) -> CommandResult {
      let names = try books(policy).resolving { (history) throws(Failure) in try history.baseline(upTo: last) }
      return CommandResult(
        json: ["applied": .strings(names)],
        text: names.map { "\($0) marked as applied.\n" }.joined()
          + "\(counted(names.count, "migration")) recorded, none was run.\n")
    }
    return try context.audited(policy, marked, subject: { _ in last })
  }

  private func policy() throws(Failure) -> Policy {
    try context.policiesFolder.load(
      context.invocation.value("policy") ?? context.invocation.operand("POLICY"), reader: context.reader)
  }

  private func books(_ policy: Policy) throws(Failure) -> MigrationBooks {
    try MigrationBooks(policy: policy, purpose: "resolve", surroundings: context.surroundings)
  }
}
