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
        command: "restore", what: "restore", why: "exactly one of --into NAME and --swap must be given")
    }
    try refuseIgnored(swaps)
    if !context.invocation.isGiven("table"), let stray = tables.first {
      throw CommandTable.holdfast.usageFailure(
        command: "restore", what: stray, why: "only with --table something may follow the backup's ID")
    }
    // Which one is the latest of the live database, only its server tells.
    let (backup, policy, _) = try context.backup(warnsOfPassedOver: !swaps)
    func restore() throws(Failure) -> CommandResult {
      do throws(Failure) { return swaps ? try swap(backup, policy) : try beside(backup, policy) } catch {
        throw try withTheNewestGood(error, instead: backup, policy)
      }
    }
    return try context.audited(policy, restore, subject: { $0.text(at: "backup") ?? backup.id })
  }

  /// An option that would be ignored is one that somebody relies on.
  private func refuseIgnored(_ swaps: Bool) throws(Failure) {
    let ignored = swaps ? ["verify", "no-analyze", "table"] : ["confirm"]
    guard let name = ignored.first(where: { context.invocation.isGiven($0) }) else { return }
    throw CommandTable.holdfast.usageFailure(
      command: "restore", what: "--\(name)",
      why: swaps
        ? name == "table"
          ? "single tables are restored next to the live database, with --into; copying rows back into it is up to you"
          : "with --swap every digest is compared and the statistics are made, always"
        : "it goes with --swap only: --into replaces nothing")
  }

  /// Whoever restores needs a backup now, not the advice to take one.
  private func withTheNewestGood(
    _ failure: Failure, instead damaged: Backup, _ policy: Policy
  ) throws(Failure) -> Failure {
    guard failure.code == "backup_damaged" else { return failure }
    var failure = failure
    let good = try context.listing(of: policy).newestGood(insteadOf: damaged)
    failure.nextStep =
      good.map { "it is not used until it verifies again; the newest good one is \($0.id)" }
      ?? "there is no other good one; holdfast list shows what there is"
    return failure
  }

  /// A rollback to a backup, told in the words of a restore.
  private func swap(_ backup: Backup, _ policy: Policy) throws(Failure) -> CommandResult {
    let latest = ["latest", nil].contains(context.invocation.operand("ID"))
    var result = try RollbackCommand(context: context).run(
      policy, .backup(latest ? "latest" : backup.id), confirmed: false)
    result.json += JSONValue.members(["verification": ["level": "digest", "ok": .bool(true)]])
    return result
  }

  private func beside(_ backup: Backup, _ policy: Policy) throws(Failure) -> CommandResult {
    let invocation = context.invocation
    let proof = RestoreProof(rawValue: invocation.value("verify") ?? "") ?? .digest
    let outcome = try RestoreBackup(policy: policy, surroundings: context.surroundings)
      .run(
        backup, tables: tables, into: invocation.value("into") ?? "", proof: proof,
        analyze: !invocation.flag("no-analyze"), accepts: context.schemaAcceptance)
    var result = CommandResult(
      json: [
        "backup": .string(outcome.backup.id), "database": .string(outcome.database),
        "seconds": .number(outcome.seconds),
        "verification": [
          "level": .string(outcome.proof.rawValue),
          "ok": outcome.proof == .none ? .null : .bool(!outcome.shortfalls.contains(where: \.isOfRows)),
        ],
        "kept_as": .null,
      ],
      text: text(outcome), failure: shortfall(outcome))
    result.json += tableMembers(outcome)
    if !outcome.shortfalls.isEmpty {
      result.json += JSONValue.members(["not_restored": .strings(outcome.shortfalls.map(\.sentence))])
    }
    return result
  }

  private func text(_ outcome: RestoreBackup.Outcome) -> Screen {
    let proof =
      switch outcome.proof {
      case .none: "It was not compared with the backup."
      case _ where outcome.shortfalls.contains(where: \.isOfRows):
        "It lacks rows of the backup; what is there was compared."
      case .rows: "Verified: as many rows per table as the backup."
      case .digest where outcome.tables != nil: "Verified: the rows of the tables are the backup's."
      case .digest where !outcome.shortfalls.isEmpty: "Its rows are the backup's, but its schema is not whole."
      case .digest where !outcome.isWhole: "Verified: its rows, sequences and large objects are the backup's."
      case .digest: "Verified: identical to the backup."
      }
    return Screen(
      ["Restored \(outcome.database) from \(outcome.backup.id) in \(secondsText(outcome.seconds)). \(proof)"]
        + lackLines(outcome) + tableLines(outcome))
  }

  /// Everything else is there, and stays.
  private func shortfall(_ outcome: RestoreBackup.Outcome) -> Failure? {
    guard let first = outcome.shortfalls.first else { return nil }
    return Failure(
      "unrestorable_object", exit: .failed, what: "restore into \(outcome.database)", why: first.sentence,
      nextStep: outcome.tables != nil && outcome.shortfalls.contains(where: \.needsTable)
        ? "a check of the table reads another one: restore both, by a further --table with the one that the server names"
        : outcome.shortfalls.contains(where: \.isOfRows)
          ? "holdfast export \(outcome.backup.id) has the rows: fix what the server names, then load them by hand"
          : "the rows are there: fix what the server names, then add what is missing by hand",
      details: outcome.shortfalls.dropFirst().map(\.sentence))
  }

  private func lackLines(_ outcome: RestoreBackup.Outcome) -> [String] {
    guard outcome.tables == nil else { return [] }
    let manifest = outcome.backup.manifest
    let missing = (manifest.missing ?? []).summaries.joined(separator: "; ")
    return (manifest.lackText.map { ["It lacks rows \($0)."] } ?? [])
      + (missing.isEmpty ? [] : ["The backup was incomplete, and so it lacks \(missing)."])
  }

  // MARK: Single tables

  /// Those behind `--table`: one for each time it is given, and those that follow.
  private var tables: [String] { context.invocation.values("table") + context.invocation.operands("TABLE") }

  private func tableMembers(_ outcome: RestoreBackup.Outcome) -> [JSONValue.Member] {
    guard let selection = outcome.tables else { return [] }
    let shown = outcome.backup.manifest.nameEncoding.shown
    return JSONValue.members([
      "tables": .strings(selection.tables.map { shown($0.description) }),
      "with": .strings(selection.companions.map(shown)), "left_out": .strings(selection.leftOut.map(shown)),
    ])
  }

  private func tableLines(_ outcome: RestoreBackup.Outcome) -> [String] {
    guard let selection = outcome.tables else { return [] }
    let shown = outcome.backup.manifest.nameEncoding.shown
    let lines =
      ["tables: \(selection.tables.map { shown($0.description) }.joined(separator: ", "))"]
      + (selection.companions.isEmpty ? [] : ["with: \(selection.companions.map(shown).joined(separator: ", "))"])
      + selection.leftOut.map { "left out: \(shown($0))" }
    return lines.map { "  \($0)" }
  }
}
