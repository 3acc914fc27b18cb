import BackupModel
import Diagnostics

/// Finds the backup that a person means by an id, a part of one, or `latest`.
package struct BackupFinder {
  private let listing: Listing
  private let databases: [String: String]

  /// - Parameter databases: of each policy, as its URL names it now: `latest` is one of those.
  package init(_ listing: Listing, databases: [String: String] = [:]) {
    self.listing = listing
    self.databases = databases
  }

  /// - Throws: `no_such_backup`, `ambiguous_backup`; what is wrong with it when the id names a broken one.
  package func find(_ wanted: String) throws(Failure) -> Backup {
    if wanted == "latest" { return try latest() }
    let backups = listing.backups.filter { $0.id.hasPrefix(wanted) }
    let broken = listing.broken.filter { $0.id.hasPrefix(wanted) }
    if let exact = backups.first(where: { $0.id == wanted }) { return exact }
    if backups.count == 1, broken.isEmpty, let backup = backups.first { return backup }
    if backups.isEmpty, broken.count == 1, let broken = broken.first { throw broken.failure }
    if backups.isEmpty, broken.isEmpty {
      throw Failure(
        "no_such_backup", exit: .notFound, what: "backup \(wanted)", why: "no backup id starts with \"\(wanted)\"",
        nextStep: nextStep)
    }
    throw Failure(
      "ambiguous_backup", exit: .notFound, what: "backup \(wanted)",
      why: "\(backups.count + broken.count) backup ids start with \"\(wanted)\"", nextStep: "give more of the id",
      details: backups.map(\.id) + broken.map(\.id))
  }

  /// The backup that a journal names: the whole id, and no other that begins so.
  ///
  /// - Throws: `no_such_backup`; what is wrong with it when it is broken.
  package func find(named id: String?) throws(Failure) -> Backup {
    if let backup = listing.backups.first(where: { $0.id == id }) { return backup }
    if let broken = listing.broken.first(where: { $0.id == id }) { throw broken.failure }
    throw Failure(
      "no_such_backup", exit: .notFound, what: "backup \(id ?? "without an id")", why: "it is gone", nextStep: nextStep)
  }

  private var nextStep: String {
    guard let newest = listing.backups.first else { return "there is no backup yet: holdfast backup" }
    guard let good = listing.backups.first(where: { $0.state == .complete }) else {
      return "holdfast list shows them; none of them is good"
    }
    // Of several databases or policies, nobody knows which was meant.
    return "holdfast list shows them"
      + (listing.backups.allSatisfy { $0.isLike(newest) } ? "; the newest good one is \(good.id)" : "")
  }

  /// Why somebody who asks for `latest` gets none that is newer; nil when there is none.
  package func passedOver(by found: Backup) -> String? {
    let own = listing.backups.first {
      $0.manifest.policy == found.manifest.policy && $0.isOf(database: found.manifest.source.database)
    }
    if let newest = own, newest.state == .damaged {
      return "the newest backup, \(newest.id), is damaged"
    }
    let broken = listing.broken.first { $0.policy == found.manifest.policy && $0.id > found.id }
    return broken.map {
      "what is newer by its name, \($0.id), \($0.isDamaged ? "is damaged" : "cannot be read"): \($0.failure.why)"
    }
  }

  /// The newest that is not damaged, and of no other database.
  private func latest() throws(Failure) -> Backup {
    let good = listing.backups.filter { $0.state == .complete }
    let policies = Set(good.map(\.manifest.policy)).sorted()
    guard policies.count <= 1 else {
      throw Failure(
        "ambiguous_backup", exit: .usage, what: "backup latest", why: "\(policies.count) policies have backups",
        nextStep: "say which: --policy \(policies[0])", details: policies)
    }
    guard let newest = good.first else {
      // Nothing is known of what may not be read.
      if let unread = listing.broken.first(where: { !$0.isDamaged }) { throw unread.failure }
      throw Failure(
        "no_such_backup", exit: .notFound, what: "backup latest",
        why: listing.backups.isEmpty && listing.broken.isEmpty ? "there is no backup yet" : "every backup is damaged",
        nextStep: "holdfast backup takes one")
    }
    guard let database = databases[newest.manifest.policy] else { return newest }
    guard let own = good.first(where: { $0.isOf(database: database) }) else {
      throw Failure(
        "no_such_backup", exit: .notFound, what: "backup latest", why: "no good one is of database \(database)",
        nextStep: "correct database.url; or use the newest good one, of \(newest.manifest.source.database), "
          + "beside: holdfast restore \(newest.id) --into NAME")
    }
    return own
  }
}
