import BackupModel
import BackupRepository
import Diagnostics
import PolicyFiles
import Workflows

/// Which backups there are, and which one is meant.
extension CommandContext {
  /// Policies and their backups.
  struct Known {
    var policies: [Policy] = []
    var listing = Listing()
    /// Why others cannot be used: one that is broken is no reason not to restore by another.
    var unusable: [Failure] = []
  }

  /// Of the policy that was named, or of every one that there is.
  ///
  /// - Throws: when there is none that can be used.
  func known() throws(Failure) -> Known {
    let names = try policiesFolder.names()
    let named = invocation.value("policy") ?? invocation.operand("POLICY")
    guard named == nil, names.count > 1 else {
      let policy = try policiesFolder.load(named, reader: reader)
      return Known(policies: [policy], listing: try listing(of: policy))
    }
    var known = Known()
    for name in names {
      do throws(Failure) {
        let policy = try policiesFolder.load(name, reader: reader)
        let listing = try listing(of: policy)
        known.policies.append(policy)
        known.listing.merge(listing)
      } catch {
        var failure = error
        failure.nextStep +=
          "; or name another policy: \(invocation.command == "list" ? "holdfast list" : "--policy") NAME"
        known.unusable.append(failure)
      }
    }
    if known.policies.isEmpty, let failure = known.unusable.joined { throw failure }
    return known
  }

  /// - Throws: `no_repository`; `other_repository` when the policy names another by its id.
  func listing(of policy: Policy) throws(Failure) -> Listing {
    let repository = try Repository.open(policy.repository)
    let listing = try repository.listing(of: policy.name)
    if let failure = policy.otherRepository(repository, listing) {
      // Without its word for it, what is there may be a copy by hand, and the last way out.
      guard policy.repositoryID == nil else { throw failure }
      log.warning("\(failure.what): \(failure.why)")
    }
    return listing
  }

  /// The backup that the operand ID means, and its policy.
  ///
  /// - Parameter warnsOfPassedOver: whether somebody who asks for `latest` is told that a newer one cannot be used.
  func backup(warnsOfPassedOver: Bool = true) throws(Failure) -> (backup: Backup, policy: Policy, listing: Listing) {
    let known = try known()
    let databases = known.policies.map { ($0.name, $0.target.database) }
    let finder = BackupFinder(known.listing, databases: Dictionary(databases) { first, _ in first })
    let wanted = invocation.operand("ID") ?? "latest"
    // Of what cannot be looked at, anything but a whole id may be meant.
    if let failure = known.unusable.joined {
      guard known.listing.backups.contains(where: { $0.id == wanted }) else { throw failure }
      for failure in known.unusable { log.warning("\(failure.what) is passed over: \(failure.why)") }
    }
    let backup = try finder.find(wanted)
    found.policy = backup.manifest.policy
    if wanted == "latest", warnsOfPassedOver, let why = finder.passedOver(by: backup) {
      log.warning("\(why); this is \(backup.id)")
    }
    guard let policy = known.policies.first(where: { $0.name == backup.manifest.policy }) else {
      throw .internalError("backup \(backup.id) belongs to no policy")
    }
    return (backup, policy, known.listing)
  }
}

/// Commands that look at every policy when none is named.
extension CommandContext {
  /// Runs a look at the policy that is named, or the only one, or at all: then the documents stand together, and the worst exit code
  /// counts. A policy that cannot be used keeps nobody from the others.
  func forEachPolicy(_ look: (Policy) throws(Failure) -> CommandResult) throws(Failure) -> CommandResult {
    let names = try policiesFolder.names()
    guard invocation.operand("POLICY") == nil, names.count > 1 else { return try look(try policy()) }
    var results: [CommandResult] = []
    var failures: [Failure] = []
    for name in names {
      do throws(Failure) {
        var result = try look(try policiesFolder.load(name, reader: reader))
        result.text = result.text.map(NamedPolicy(name: name).naming)
        results.append(result)
      } catch {
        try cancellation.check()
        failures.append(error)
      }
    }
    return CommandResult(
      json: ["policies": .array(results.map { .object($0.json) })], text: Screen.separated(results.map(\.text)),
      exit: results.contains { $0.exit != .done } ? .attention : .done, failure: failures.joined)
  }
}
