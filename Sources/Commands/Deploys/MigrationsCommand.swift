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
    let needed = try books.baselineNeeded()
    let next =
      if let needed { ["next: \(needed.nextStep)"] } else {
        nextSteps(status, books.folder, try books.worker(), try interrupted(policy))
      }
    return CommandResult(
      json: status.json,
      text: text(status, rows, books.folder, next),
      exit: status.isClean ? .done : .attention)
  }

  /// A deploy that has no end yet.
  private func interrupted(_ policy: Policy) throws(Failure) -> DeployRecord? {
    try Repository.openIfThere(policy.repository)?.deploys(of: policy.name).first(where: \.isUnfinished)
  }

  /// More often a wrong path than a project without migrations.
  private static let nothingAtAll = Screen(
    "No migrations: the folder has none, and the database has no history.",
    "next: look at migrations.directory in the policy")

  private func text(
    _ status: MigrationStatus, _ rows: [HistoryRow], _ folder: MigrationFolder, _ next: [String]
  ) -> Screen {
    let groups = [
      ("running", status.running), ("failed", status.failed), ("pending", status.pending), ("edited", status.edited),
      ("missing", status.missing), ("rolled back", status.rolledBack),
    ]
    var lines = [
      "\(counted(status.applied.count, "migration")) applied" + (status.isClean ? "; nothing is pending." : ".")
    ]
    for (word, names) in groups {
      for name in names {
        let lack = word == "pending" && folder.isWithoutScript(name) ? ": it has no migration.sql" : ""
        lines.append("  \(padded(word, 12))\(name)\(lack)")
        guard word == "failed", let row = rows.last(where: { $0.name == name && $0.isFailed }) else { continue }
        lines.append("              began \(row.startedAt.prefix(16)) UTC")
        lines += (row.logs ?? "").split(whereSeparator: \.isNewline).prefix(12).map {
          "              \(harmless(String($0)))"
        }
      }
    }
    return Screen(lines + next)
  }

  private func nextSteps(
    _ status: MigrationStatus, _ folder: MigrationFolder, _ worker: String?, _ interrupted: DeployRecord?
  ) -> [String] {
    if !status.running.isEmpty, let worker { return ["next: wait; a session holds the migration lock: \(worker)"] }
    if !status.failed.isEmpty || !status.running.isEmpty, let interrupted {
      return ["next: deploy \(interrupted.id) was interrupted: holdfast resume, or holdfast abandon"]
    }
    if let name = status.failed.first {
      return [
        "next: if nothing of it is left:     holdfast resolve \(shellWord(name)) --rolled-back",
        "      if you completed it by hand:  holdfast resolve \(shellWord(name)) --applied",
      ]
    }
    if let name = status.edited.first {
      return ["next: put \(name) back as it was applied (git log -- its folder): a deploy does not run it again"]
    }
    if let name = status.missing.first { return ["next: put the folder \(name) back: the database has what it makes"] }
    if let name = status.pending.first(where: folder.isWithoutScript) {
      return ["next: restore the file migration.sql, or delete the folder \(name)"]
    }
    return status.pending.isEmpty ? [] : ["next: holdfast deploy"]
  }
}

extension MigrationFolder {
  /// A folder of that name is there, and no `migration.sql` in it.
  fileprivate func isWithoutScript(_ name: String) -> Bool { migration(name).map { $0.text == nil } ?? false }
}

extension MigrationStatus {
  /// Each with its state, for whoever picks one of them.
  private var named: [(name: String, state: String)] {
    [
      ("pending", pending), ("applied", applied), ("running", running), ("failed", failed), ("rolled-back", rolledBack),
      ("missing", missing),
    ].flatMap { state, names in names.map { ($0, state) } }
  }

  var json: JSONValue {
    [
      "pending": .strings(pending), "applied": .strings(applied), "running": .strings(running),
      "failed": .strings(failed), "rolled_back": .strings(rolledBack), "edited": .strings(edited),
      "missing": .strings(missing),
      "migrations": .array(named.map { ["name": .string($0.name), "state": .string($0.state)] }),
    ]
  }
}
