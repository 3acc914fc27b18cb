import BackupModel
import CommandSyntax
import Diagnostics
import Workflows

struct DeployCommand {
  let context: CommandContext

  func deploy() throws(Failure) -> CommandResult {
    let policy = try context.policy()
    let work = DeployMigrations(
      policy: policy, command: context.invocation.trailing, surroundings: context.surroundings,
      acceptsNewDatabase: context.invocation.flag("new-database"))
    func deploy() throws(Failure) -> CommandResult {
      try context.createRepositoryIfAsked(policy)
      return try work.run().result
    }
    return try context.audited(policy, deploy, subject: { $0.text(at: "deploy") })
  }

  func snapshot() throws(Failure) -> CommandResult {
    let policy = try context.policy()
    func take() throws(Failure) -> CommandResult {
      let start = ContinuousClock.now
      try context.createRepositoryIfAsked(policy)
      let outcome = try TakeSnapshot(
        policy: policy, surroundings: context.surroundings,
        acceptsNewDatabase: context.invocation.flag("new-database")
      ).run()
      let failure = outcome.damage(insteadUse: nil) ?? SnapshotGate(policy).refusal(of: outcome.backup)
      return CommandResult(
        json: context.json(of: outcome.backup, since: start),
        text: failure == nil ? Screen(outcome.backup.id) : .nothing,
        failure: failure)
    }
    return try context.audited(policy, take, subject: { $0.text(at: "backup", "id") })
  }

  func resume() throws(Failure) -> CommandResult {
    let policy = try context.policy()
    return try context.audited(
      policy, { () throws(Failure) in try resume(policy) }, subject: { $0.text(at: "deploy") })
  }

  private func resume(_ policy: Policy) throws(Failure) -> CommandResult {
    let work = ResumeDeploy(
      policy: policy, command: context.invocation.trailing, accepts: context.schemaAcceptance,
      surroundings: context.surroundings)
    let record = try work.interrupted()
    let isOpen = record.state == .open
    if !isOpen, !context.console.json { context.console.say(record.resumeText(of: policy)) }
    try context.confirm(record.database, unless: isOpen)
    switch try work.resume() {
    case .deploy(let outcome): return outcome.result
    case .rolledBack(let kept):
      let keeps = kept.map { " The database before is kept as \($0)." } ?? ""
      return CommandResult(
        json: ["deploy": .string(record.id), "state": .string("rolled-back"), "kept_as": .optional(kept)],
        text: Screen("The rollback of \(record.id) is done.\(keeps)"))
    case .undone:
      return CommandResult(
        json: ["deploy": .string(record.id), "state": .string("undone")],
        text: Screen("The rollback of \(record.id) is undone."))
    }
  }

  func abandon() throws(Failure) -> CommandResult {
    let policy = try context.policy()
    return try context.audited(
      policy, { () throws(Failure) in try abandon(policy) }, subject: { $0.text(at: "deploy") })
  }

  private func abandon(_ policy: Policy) throws(Failure) -> CommandResult {
    let work = ResumeDeploy(policy: policy, surroundings: context.surroundings)
    let open = try work.interrupted()
    let changedNothing = open.state == .open && open.applied.isEmpty
    if !changedNothing, !context.console.json { context.console.say(open.abandonText(of: policy)) }
    if open.state == .open, !changedNothing {
      do throws(Failure) { try RollbackCommand(context: context).showPlan(policy, abandoning: open) } catch {
        // To give up is right also where the rollback has to wait for something.
        try context.cancellation.check()
        guard error.exit != .locked else { throw error }
        context.console.say("  that rollback cannot be planned yet: \(error.what): \(error.why)")
      }
    }
    try context.confirm(open.database, unless: changedNothing)
    let (record, ending) = try work.abandon { () throws(Failure) in
      // What the interrupted script left is known only now.
      if changedNothing { try context.confirm(open.database, unless: false) }
    }
    guard ending == .needsRollback else {
      let state =
        ending == .asBefore
        ? "the database is as it was before"
        : "\(record.database) is another database now than it was deployed to, and was left as it is"
      return CommandResult(
        json: ["deploy": .string(record.id), "state": .string("abandoned")],
        text: Screen("\(record.id) is given up; \(state)."))
    }
    return try RollbackCommand(context: context).run(policy, .deploy(record.id), confirmed: true)
  }
}

extension DeployMigrations.Outcome {
  var result: CommandResult {
    CommandResult(
      json: [
        "deploy": .optional(deploy), "snapshot": .optional(snapshot), "state": .string(state.rawValue),
        "applied": .strings(applied), "failed": .optional(failed), "rehearsal": .null,
        "rolled_back": .bool(state == .rolledBack),
      ],
      text: text, failure: told)
  }

  /// With what the rollback lost.
  private var told: Failure? {
    guard var failure, let rollback, rollback.mode != .resolveOnly else { return failure }
    failure.details += rollback.lostLines
    return failure
  }

  private var text: Screen {
    switch state {
    case .nothingToDo: Screen("Nothing to apply: the database is up to date.")
    case .failed, .rolledBack: .nothing
    case .applied:
      Screen(
        "\(counted(applied.count, "migration")) applied. The way back: holdfast rollback (snapshot \(snapshot ?? "none"))."
      )
    }
  }
}
