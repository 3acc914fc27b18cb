import BackupModel
import BackupRepository
import Diagnostics
import PostgresTools

/// Which deploy and which backup a rollback goes back to.
extension RollbackPlanner {
  /// - Throws: `no_such_backup`.
  func snapshot(of record: DeployRecord, _ listing: Listing) throws(Failure) -> Backup {
    do throws(Failure) { return try BackupFinder(listing).find(named: record.backup) } catch {
      throw Failure(
        error.code, exit: error.exit, what: "rollback of \(policy.name)",
        why: "snapshot \(record.backup ?? "") of deploy \(record.id) is gone"
          + (hasBackup(listing) ? "" : ", and there is no other backup"),
        nextStep: hasBackup(listing)
          ? "go back to another backup: holdfast list, then holdfast rollback \(policy.name) --plan --to ID"
          : Self.noBackup)
    }
  }

  /// Whether there is one that a rollback could go back to.
  private func hasBackup(_ listing: Listing) -> Bool { listing.backups.contains { $0.state == .complete } }

  private static let noBackup =
    "bring the backup's folder back into the repository, if there is a copy of it; the database is left as it is"

  func choose(
    _ choice: RollbackChoice, _ records: [DeployRecord], _ listing: Listing
  ) throws(Failure) -> (DeployRecord?, Backup) {
    do throws(Failure) { return try chosen(choice, records, listing) } catch {
      guard ["already_rolled_back", "no_such_deploy"].contains(error.code), hasBackup(listing) else { throw error }
      let name = policy.target.database
      guard try DatabaseIdentity.of(name, maintenance) == nil,
        listing.backups.contains(where: { $0.state == .complete && $0.isOf(database: name) })
      else { throw error }
      var failure = error
      failure.why += "; and there is no database \(name)"
      failure.nextStep = "bring it back from the newest backup: holdfast restore latest --into \(shellWord(name))"
      throw failure
    }
  }

  private func chosen(
    _ choice: RollbackChoice, _ records: [DeployRecord], _ listing: Listing
  ) throws(Failure) -> (DeployRecord?, Backup) {
    if case .backup(let id) = choice {
      let backup = try id == "latest" ? latest(listing) : BackupFinder(listing).find(id)
      try refuseAnother(backup)
      return (nil, backup)
    }
    if choice == .lastDeploy, case .snapshot(let backup) = try last(records, listing) {
      try refuseAnother(backup)
      return (nil, backup)
    }
    let standing = records.standing(in: listing)
    let chosen: DeployRecord? =
      switch choice {
      case .lastDeploy, .backup: try lastDeploy(records, listing)
      case .deploy(let id): try named(id, records.filter(\.canBeRolledBack))
      case .before(let migration):
        standing.last { $0.applied.contains(migration) } ?? standing.last { $0.failed == migration }
      }
    if let chosen { try refuseAnother(chosen) }
    guard let chosen, chosen.backup != nil else { throw noSuchDeploy(choice, records, listing) }
    return (chosen, try snapshot(of: chosen, listing))
  }

  /// The newest of this server's, where there are any: on a new server the old one's are what there is.
  func latest(_ listing: Listing) throws(Failure) -> Backup {
    let server = try ServerReader(maintenance).facts().systemIdentifier
    var own = listing
    own.backups.removeAll { $0.manifest.source.systemIdentifier != server }
    let name = policy.target.database
    let newest = listing.backups.first { $0.state == .complete }
    // Nobody knows where a broken one is from.
    let isNew =
      !own.backups.contains { $0.isOf(database: name) }
      && !own.broken.contains { $0.id > newest?.id ?? "" }
    let finder = BackupFinder(isNew ? listing : own, databases: [policy.name: name])
    do throws(Failure) {
      let backup = try finder.find("latest")
      if let why = finder.passedOver(by: backup) { surroundings.log.warning("\(why); this is \(backup.id)") }
      return backup
    } catch {
      guard let other = newest, !isNew, !own.backups.contains(where: { $0.state == .complete }) else { throw error }
      var failure = error
      failure.why = "none of this server's can be used"
      failure.nextStep =
        "the newest good one is of another server, \(other.manifest.source.host): to use that, give its id, \(other.id)"
      throw failure
    }
  }

  /// - Returns: nil for a migration that some deploy applied.
  func noSuchMigration(_ choice: RollbackChoice, _ records: [DeployRecord]) -> Failure? {
    let known = records.flatMap { $0.applied + [$0.failed].compactMap { $0 } }
    guard case .before(let name) = choice, !known.contains(name) else { return nil }
    let begun = Set(known.filter { $0.hasPrefix(name) })
    let near = begun.count == 1 ? begun.first : nearest(to: name, among: Set(known).sorted())
    return Failure(
      "no_such_deploy", exit: .notFound, what: "rollback of \(policy.name)",
      why: "no deploy has applied a migration \(name)",
      nextStep: near.map { "did you mean \($0)?" }
        ?? "holdfast migrations lists them; or go back to a backup: holdfast list")
  }

  func noSuchDeploy(_ choice: RollbackChoice, _ records: [DeployRecord], _ listing: Listing) -> Failure {
    if let failure = noSuchMigration(choice, records) { return failure }
    if choice == .lastDeploy, let last = records.first(where: { !$0.pending.isEmpty }), last.state == .rolledBack {
      return Failure(
        "already_rolled_back", exit: .notFound, what: "rollback of \(policy.name)",
        why: "the last deploy, \(last.id), is rolled back already, and there is none before it",
        nextStep: "nothing is left to do (holdfast status); for an older backup: holdfast rollback --plan --to ID")
    }
    return Failure(
      "no_such_deploy", exit: .notFound, what: "rollback of \(policy.name)",
      why: (records.isEmpty ? "there was no deploy yet" : "no deploy that can be undone fits")
        + (hasBackup(listing) ? "" : ", and there is no backup"),
      nextStep: hasBackup(listing)
        ? "go back to a backup instead: holdfast rollback --to ID; holdfast list shows them"
        : records.isEmpty && listing.backups.isEmpty
          ? "holdfast backup takes the first one; holdfast deploy takes one before it runs a migration" : Self.noBackup)
  }

  /// - Throws: `deploy_of_another`.
  func refuseAnother(_ record: DeployRecord) throws(Failure) {
    let name = policy.target.database
    guard !record.database.utf8.elementsEqual(name.utf8) else { return }
    throw Failure(
      "deploy_of_another", exit: .notFound, what: "rollback of deploy \(record.id)",
      why: "it was a deploy of \(record.database), and database.url names \(name) now",
      nextStep: "correct database.url; or restore that state beside: "
        + "holdfast restore \(record.backup ?? "") --policy \(policy.name) --into NAME")
  }

  func refuseAnother(_ backup: Backup) throws(Failure) {
    let (name, own) = (policy.target.database, backup.manifest.source.database)
    guard !backup.isOf(database: name) else { return }
    throw Failure(
      "backup_of_another", exit: .notFound, what: "rollback of \(policy.name)",
      why: "backup \(backup.id) is one of database \(own), and database.url names \(name)",
      nextStep: "correct database.url; or restore it beside: "
        + "holdfast restore \(backup.id) --policy \(policy.name) --into NAME")
  }

  func lastDeploy(_ records: [DeployRecord], _ listing: Listing) throws(Failure) -> DeployRecord? {
    try last(records, listing).chosen(of: policy.name)
  }

  func last(_ records: [DeployRecord], _ listing: Listing) throws(Failure) -> LastDeploy {
    let name = policy.target.database
    return records.last(in: listing, live: try DatabaseIdentity.of(name, maintenance), now: surroundings.now())
  }

  /// By its id, or enough of its beginning or end.
  func named(_ id: String, _ records: [DeployRecord]) throws(Failure) -> DeployRecord? {
    let matches = records.filter { $0.id.hasPrefix(id) || $0.id.hasSuffix(id) }
    guard matches.count > 1 else { return matches.first }
    throw Failure(
      "ambiguous_deploy", exit: .notFound, what: "deploy \(id)", why: "\(matches.count) ids begin or end so",
      nextStep: "give more of the id", details: matches.map(\.id))
  }

  func unfinished(_ record: DeployRecord) -> Failure {
    Failure(
      "deploy_interrupted", exit: .failed, what: "rollback of \(policy.name)",
      why: "deploy \(record.id) is \(record.state.rawValue): it runs, or was interrupted",
      nextStep: "finish it: holdfast resume; or give it up: holdfast abandon")
  }
}
