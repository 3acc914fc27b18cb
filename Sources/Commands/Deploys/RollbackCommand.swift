import BackupModel
import BackupRepository
import CommandSyntax
import Diagnostics
import Foundation
import Workflows

struct RollbackCommand {
  let context: CommandContext

  func rollback() throws(Failure) -> CommandResult {
    let policy = try context.policy()
    let choice = try choice()
    // A plan changes nothing.
    if context.invocation.flag("plan") { return try run(policy, choice, confirmed: false) }
    return try context.audited(
      policy, { () throws(Failure) in try run(policy, choice, confirmed: false) }, subject: { $0.text(at: "deploy") })
  }

  func run(_ policy: Policy, _ choice: RollbackChoice, confirmed: Bool) throws(Failure) -> CommandResult {
    let surroundings = context.surroundings
    let work = try RollBackDeploy(policy: policy, accepts: context.schemaAcceptance, surroundings: surroundings)
    let onlyPlans = context.invocation.command == "rollback" && context.invocation.flag("plan")
    let plan = try work.plan(choice)
    let screen = text(plan, policy)
    if onlyPlans {
      return CommandResult(json: json(plan, seconds: nil), text: screen)
    }
    if !context.console.json, !confirmed { context.console.say(context.naming(screen)) }
    try context.confirm(plan.database, unless: confirmed)
    let outcome = try work.execute(plan)
    return CommandResult(json: json(outcome.plan, seconds: outcome.seconds), text: done(outcome))
  }

  /// What giving a deploy up comes to, for whoever has to confirm it.
  ///
  /// - Throws: `locked` when it still runs.
  func showPlan(_ policy: Policy, abandoning record: DeployRecord) throws(Failure) {
    let work = try RollBackDeploy(policy: policy, purpose: "abandon", surroundings: context.surroundings)
    let plan = try work.plan(abandoning: record)
    if !context.console.json { context.console.say(context.naming(text(plan, policy))) }
  }

  func undo() throws(Failure) -> CommandResult {
    let policy = try context.policy()
    return try context.audited(
      policy, { () throws(Failure) in try undo(policy) }, subject: { $0.text(at: "deploy") })
  }

  private func undo(_ policy: Policy) throws(Failure) -> CommandResult {
    let work = try UndoRollback(policy: policy, surroundings: context.surroundings)
    let plan = try work.plan(context.invocation.value("deploy"))
    if !context.console.json { context.console.say(context.naming(text(plan, policy))) }
    try context.confirm(plan.database, unless: false)
    try work.execute(plan)
    return CommandResult(
      json: [
        "deploy": .string(plan.deploy), "database": .string(plan.database), "kept_as": .string(plan.keptAs),
        "newer_deploys": .array(plan.newer.map { .string($0.id) }),
        "undoes": .strings(plan.undoes ?? []),
      ],
      text: Screen("\(plan.database) is as it was before the rollback. What was undone is kept as \(plan.keptAs)."))
  }

  private func choice() throws(Failure) -> RollbackChoice {
    let invocation = context.invocation
    let given: [RollbackChoice] = [
      invocation.value("deploy").map { .deploy($0) }, invocation.value("before").map { .before(migration: $0) },
      invocation.value("to").map { .backup($0) },
    ].compactMap { $0 }
    guard given.count <= 1 else {
      throw CommandTable.holdfast.usageFailure(
        command: "rollback", what: "rollback", why: "only one of --deploy, --before and --to may be given")
    }
    return given.first ?? .lastDeploy
  }

  // MARK: Text

  private func json(_ plan: RollbackPlan, seconds: Double?) -> JSONValue {
    [
      "deploy": .string(plan.deploy), "mode": .string(plan.mode.rawValue), "database": .string(plan.database),
      "kept_as": plan.mode == .restore && plan.liveExists ? .string(plan.keptAs) : .null,
      "seconds": seconds.map { .number($0) } ?? .null, "backup": .string(plan.backup.id),
      "undoes": .strings(plan.undoes),
      "lost_writes": .array(
        plan.lostWrites.map { write in
          [
            "schema": .string(write.schema), "name": .string(write.name),
            "inserted_or_updated": .integer(write.changed), "perhaps": .integer(write.perhaps),
            "by_migrations": .integer(write.byMigrations),
            "deleted": write.deleted.map { .integer($0) } ?? .null,
          ]
        }),
      "lost_writes_complete": .bool(plan.countedAll), "other_server": .bool(plan.isOfAnotherServer),
      "exclude_table_data": .strings(plan.backup.manifest.excludeTableData),
      "estimated_seconds": .number((plan.estimatedSeconds * 1000).rounded() / 1000),
      "properties": .array(plan.propertyDifferences.map(\.json)), "not_undone": .strings(plan.staysDone),
      "needed_bytes": .integer(plan.room.needed), "server_free_bytes": plan.room.free.map { .integer($0) } ?? .null,
    ]
  }

  private func text(_ plan: RollbackPlan, _ policy: Policy) -> Screen {
    let now = context.surroundings.now()
    let manifest = plan.backup.manifest
    let taken = "\(minuteText(manifest.createdAt)) UTC, \(ageText(manifest.createdAt, now: now)) ago"
    if plan.mode == .resolveOnly {
      let undone = plan.undoes.joined(separator: ", ")
      return Screen(
        "\(policy.name) (\(policy.environment)): nothing of \(undone) is left in \(plan.database)",
        "  \(padded("resolves", 12))its row in the history; no data is touched, nothing is lost")
    }
    var lines = ["\(policy.name) (\(policy.environment)): \(plan.database) goes back to \(taken)"]
    func add(_ word: String, _ text: String) { lines.append("  \(padded(word, 12))\(text)") }
    if !plan.undoes.isEmpty { add("undoes", plan.undoes.joined(separator: ", ")) }
    if let copy = plan.copy {
      add("renames", "\(copy.name), the standby copy of \(plan.backup.id)")
    } else {
      add("restores", "\(plan.backup.id), \(sizeText(manifest.rawBytes)), \(plan.backup.proofText(now: now))")
    }
    if plan.isOfAnotherServer {
      add("taken on", "ANOTHER SERVER, \(manifest.source.host): is this the database that is meant?")
    }
    if let lack = manifest.lackText { add("lacks rows", lack) }
    if let missing = manifest.missing, !missing.isEmpty { add("lacks", missing.summaries.joined(separator: "; ")) }
    add("takes", plan.timeText)
    if plan.copy == nil {
      add("needs", plan.room.text)
      if plan.room.isShort { add("", "THE DISK MAY FILL UP: that stops the server, with every database on it") }
    }
    for (index, line) in plan.lossLines.enumerated() { add(index == 0 ? "you lose" : "", line) }
    for (index, difference) in plan.propertyDifferences.enumerated() {
      add(index == 0 ? "properties" : "", difference.text)
    }
    for (index, line) in plan.staysDone.enumerated() {
      add(index == 0 ? "stays done" : "", "\(line): no rollback of a database takes that back")
    }
    add("interrupts", sessionsText(plan.sessions))
    if let sessions = plan.unstoppable, !sessions.isEmpty {
      add("blocked by", "sessions of \(sessions.all.joined(separator: ", ")), which this role may not end")
      for remedy in sessions.remedies { add("", "as a superuser: \(remedy)") }
    }
    if plan.liveExists { add("keeps", "the current database as \(plan.keptAs) (holdfast undo)") }
    if !plan.staying.isEmpty { add("stays there", plan.staying.joined(separator: ", ")) }
    return Screen(lines)
  }

  private func text(_ plan: UndoRollback.Plan, _ policy: Policy) -> Screen {
    let ago = ageText(plan.since, now: context.surroundings.now())
    var lines = [
      "\(policy.name) (\(policy.environment)): \(plan.database) is to become what it was before the rollback of "
        + "\(minuteText(plan.since)) UTC, \(ago) ago"
    ]
    func add(_ word: String, _ text: String) { lines.append("  \(padded(word, 12))\(text)") }
    add("renames", "\(plan.brings), the database that the rollback replaced")
    for deploy in plan.newer {
      let done = deploy.applied.isEmpty ? "" : ": \(deploy.applied.joined(separator: ", "))"
      add("takes away", "deploy \(deploy.id), \(deploy.state.rawValue) since the rollback\(done)")
    }
    if let undoes = plan.undoes, !undoes.isEmpty { add("undoes", undoes.joined(separator: ", ")) }
    if let back = plan.bringsBack, !back.isEmpty { add("brings back", back.joined(separator: ", ")) }
    add("you lose", "whatever was written since the rollback")
    add("interrupts", sessionsText(plan.sessions))
    add("keeps", "the database of now as \(plan.keptAs), with those writes")
    return Screen(lines)
  }

  private func sessionsText(_ sessions: [(application: String, count: Int)]) -> String {
    let total = sessions.reduce(0) { $0 + $1.count }
    let names = sessions.prefix(4).map { "\($0.application) \($0.count)" }.joined(separator: ", ")
    return total == 0 ? "no session" : "\(counted(total, "session")) (\(names)) for a moment"
  }

  private func done(_ outcome: RollBackDeploy.Outcome) -> Screen {
    let plan = outcome.plan
    if plan.mode == .resolveOnly {
      return Screen("\(plan.undoes.joined(separator: ", ")) is marked as rolled back; fix it, then: holdfast deploy")
    }
    let kept = plan.liveExists ? " The database before is kept as \(plan.keptAs)." : ""
    let moment = minuteText(plan.backup.manifest.createdAt)
    return Screen(
      ["\(plan.database) is back at \(moment) UTC, in \(secondsText(outcome.seconds)).\(kept)"]
        + plan.lostLines + next(plan))
  }

  /// What only came with the one that failed needs no fix.
  private func next(_ plan: RollbackPlan) -> [String] {
    if let failed = plan.failed { return ["next: fix \(failed), then: holdfast deploy"] }
    return plan.undoes.isEmpty ? [] : ["next: what was undone is pending again, and holdfast deploy applies it"]
  }
}

extension CommandContext {
  /// Lets nobody swap a database by accident: its name has to be given, or typed on a terminal.
  ///
  /// - Throws: `not_confirmed`.
  func confirm(_ database: String, unless already: Bool) throws(Failure) {
    if already { return }
    var given = invocation.value("confirm")
    if given == nil, isatty(0) == 1, !console.json {
      console.raw("Type the database name to continue: ")
      do throws(Failure) { given = try console.typedLine(cancellation) } catch {
        console.raw("\n")
        var failure = error
        failure.why = "nothing was done"
        throw failure
      }
    }
    guard given == database else {
      throw Failure(
        "not_confirmed", exit: .usage, what: invocation.command,
        why: given.map { "'\($0)' is not the name of the database" } ?? notAsked,
        nextStep: "add --confirm \(shellWord(database))")
    }
  }

  /// Why nobody was asked for the name.
  private var notAsked: String {
    if isatty(0) != 1 { return "there is no terminal to confirm on" }
    return console.json ? "with --json nothing is asked" : "no name was typed"
  }

  /// What becomes of a restored schema that differs from its backup's in words only: `--accept-schema-text`, or a question on a terminal.
  var schemaAcceptance: SchemaAcceptance {
    if invocation.flag("accept-schema-text") { return .accepts }
    guard isatty(0) == 1, !console.json else { return .refuses }
    let (console, cancellation) = (console, cancellation)
    return .asks { (lines) throws(Failure) in
      console.say("")
      console.say("Rows, sequences and large objects are equal. The schema differs:")
      for line in lines { console.say("  \(line)") }
      console.raw("Type yes to go on with the restored schema: ")
      return try console.typedLine(cancellation) == "yes"
    }
  }
}
