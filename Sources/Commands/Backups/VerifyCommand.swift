import BackupModel
import BackupRepository
import CommandSyntax
import Diagnostics
import Foundation
import Workflows

struct VerifyCommand {
  let context: CommandContext

  func run() throws(Failure) -> CommandResult {
    let level = VerificationLevel(rawValue: context.invocation.value("level") ?? "") ?? .archive
    guard context.invocation.flag("all") else { return try one(level) }
    guard context.invocation.operand("ID") == nil else {
      throw CommandTable.holdfast.usageFailure(
        command: "verify", what: "--all", why: "it stands for every backup, so no ID goes with it")
    }
    return try all(level)
  }

  private func one(_ level: VerificationLevel) throws(Failure) -> CommandResult {
    let (backup, policy, listing) = try context.backup()
    let outcome = try VerifyBackup(surroundings: context.surroundings)
      .examine(backup, level: level, tools: policy.tools)
    let good = listing.newestGood(insteadOf: backup)
    noteDamage([outcome], [policy])
    return CommandResult(
      json: json(outcome), text: outcome.verification.ok ? Screen(goodText(outcome)) : .nothing,
      failure: outcome.damage(insteadUse: good))
  }

  private func all(_ level: VerificationLevel) throws(Failure) -> CommandResult {
    let known = try context.known()
    let (policies, listing, unusable) = (known.policies, known.listing, known.unusable)
    guard !listing.backups.isEmpty || !listing.broken.isEmpty else {
      if let failure = unusable.joined { throw failure }
      throw Failure(
        "no_such_backup", exit: .notFound, what: "verify --all", why: "there is no backup yet: nothing was verified",
        nextStep: "holdfast backup takes one; if there should be some, check `repository` in the policy")
    }
    let tools = Dictionary(policies.map { ($0.name, $0.tools) }) { first, _ in first }
    var outcomes: [VerifyBackup.Outcome] = []
    var unread = listing.broken.filter { !$0.isDamaged }.map { (id: $0.id, failure: $0.failure) }
    // One for all of them: what it warns of is told once.
    let surroundings = context.surroundings
    for backup in listing.backups {
      do throws(Failure) {
        surroundings.reporter.headline(backup.id)
        outcomes.append(
          try VerifyBackup(surroundings: surroundings)
            .examine(backup, level: level, tools: tools[backup.manifest.policy] ?? ToolSettings()))
      } catch {
        try surroundings.cancellation.check()
        // Retention may remove one before its turn comes.
        if error.code != "no_such_backup" { unread.append((backup.id, error)) }
      }
    }
    let broken = listing.broken.filter(\.isDamaged)
    noteDamage(outcomes, policies)
    return CommandResult(
      json: [
        "ok": .bool(outcomes.allSatisfy(\.verification.ok) && broken.isEmpty && unread.isEmpty && unusable.isEmpty),
        "results": .array(outcomes.map(json)),
        "broken": .array(broken.map(\.json)),
        "not_verified": .array(unread.map { ["backup": .string($0.id), "why": .string($0.failure.why)] }),
      ],
      text: Screen(outcomes.map { $0.verification.ok ? goodText($0) : "\($0.backup.id) is DAMAGED." }),
      failure: ([failure(outcomes, broken, unread) ?? failure(unread)].compactMap { $0 } + unusable).joined)
  }

  /// A damaged backup is not used from then on: that is a change, and has its audit line.
  private func noteDamage(_ outcomes: [VerifyBackup.Outcome], _ policies: [Policy]) {
    for outcome in outcomes where !outcome.verification.ok {
      guard let policy = policies.first(where: { $0.name == outcome.backup.manifest.policy }) else { continue }
      context.note(policy, outcome: "backup_damaged", subject: outcome.backup.id)
    }
  }

  /// Nothing is known of those.
  private func failure(_ unread: [(id: String, failure: Failure)]) -> Failure? {
    guard var failure = unread.first?.failure else { return nil }
    failure.details += lines(Array(unread.dropFirst()))
    return failure
  }

  private func failure(
    _ outcomes: [VerifyBackup.Outcome], _ broken: [Listing.Broken], _ unread: [(id: String, failure: Failure)]
  ) -> Failure? {
    let bad = outcomes.filter { !$0.verification.ok }
    guard !bad.isEmpty || !broken.isEmpty else { return nil }
    let good = outcomes.first { $0.verification.ok }?.backup
    // Where they are of several databases, one cannot stand in for all.
    let instead = good.map { good in
      outcomes.allSatisfy { $0.backup.isLike(good) }
        ? "the newest good one is \(good.id)" : "holdfast list shows the good ones"
    }
    let (damaged, all) = (bad.count + broken.count, outcomes.count + broken.count + unread.count)
    return Failure(
      "backup_damaged", exit: .dataDamaged, what: "verify --all",
      why: "\(damaged) of \(all) backups \(damaged == 1 ? "is" : "are") damaged"
        + (unread.isEmpty ? "" : ", \(unread.count) not verified"),
      nextStep: instead.map { "they are not used until they verify again; \($0)" } ?? "take a new one: holdfast backup",
      details: bad.flatMap { outcome in
        outcome.verification.problems.prefix(3).map { "\(outcome.backup.id): \($0.sentence)" }
      } + broken.map { "\($0.id): \($0.failure.why)" } + lines(unread))
  }

  private func lines(_ unread: [(id: String, failure: Failure)]) -> [String] {
    unread.map { "\($0.id): not verified: \($0.failure.what): \($0.failure.why)" }
  }

  private func goodText(_ outcome: VerifyBackup.Outcome) -> String {
    "\(outcome.backup.id) is good (\(outcome.verification.level.rawValue), \(secondsText(outcome.verification.seconds)))."
  }

  private func json(_ outcome: VerifyBackup.Outcome) -> JSONValue {
    [
      "backup": .string(outcome.backup.id), "level": .string(outcome.verification.level.rawValue),
      "ok": .bool(outcome.verification.ok), "seconds": .number(outcome.verification.seconds),
      "problems": .array(outcome.verification.problems.map(\.json)), "warnings": .strings(outcome.warnings),
    ]
  }
}
