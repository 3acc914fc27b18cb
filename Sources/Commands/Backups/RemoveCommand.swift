import BackupModel
import BackupRepository
import Diagnostics
import Workflows

/// `holdfast remove`: shows what would go; only `--confirm` removes it.
struct RemoveCommand {
  let context: CommandContext

  func run() throws(Failure) -> CommandResult {
    if let (broken, policy) = try broken() { return try remove(broken, policy) }
    let (backup, policy, listing) = try context.backup()
    let work = RemoveOneBackup(policy: policy, surroundings: context.surroundings)
    let about =
      "\(backup.id), taken \(minuteText(backup.manifest.createdAt)) UTC of \(backup.manifest.source.database), "
      + sizeText(backup.manifest.storedBytes)
    if listing.newestGood(insteadOf: backup) == nil, backup.state == .complete {
      context.log.warning("\(backup.id) is the only good backup of \(backup.manifest.source.database)")
    }
    if let refusal = try work.refusal(of: backup) { throw refusal }
    guard context.invocation.flag("confirm") else { return dry(backup.id, about, policy) }
    return try context.audited(
      policy,
      { () throws(Failure) in
        try work.run(backup)
        return done(backup.id, about)
      }, subject: { _ in backup.id })
  }

  /// What its id, whole, names, and cannot be read as a backup.
  private func broken() throws(Failure) -> (Listing.Broken, Policy)? {
    let known = try context.known()
    guard let id = context.invocation.operand("ID"),
      let broken = known.listing.broken.first(where: { $0.id == id && $0.isDamaged }),
      let policy = known.policies.first(where: { $0.name == broken.policy })
    else { return nil }
    return (broken, policy)
  }

  private func remove(_ broken: Listing.Broken, _ policy: Policy) throws(Failure) -> CommandResult {
    let about = "\(broken.id), which is no usable backup: \(broken.failure.why)"
    guard context.invocation.flag("confirm") else { return dry(broken.id, about, policy) }
    return try context.audited(
      policy,
      { () throws(Failure) in
        try RemoveOneBackup(policy: policy, surroundings: context.surroundings).run(broken)
        return done(broken.id, about)
      }, subject: { _ in broken.id })
  }

  private func dry(_ id: String, _ about: String, _ policy: Policy) -> CommandResult {
    CommandResult(
      json: ["remove": .string(id), "removed": .null, "warnings": context.warnings.json],
      text: Screen(
        "Would remove \(about).",
        "Nothing was removed: holdfast remove \(id) --policy \(policy.name) --confirm removes it."))
  }

  private func done(_ id: String, _ about: String) -> CommandResult {
    CommandResult(
      json: ["remove": .string(id), "removed": .string(id), "warnings": context.warnings.json],
      text: Screen("Removed \(about)."))
  }
}
