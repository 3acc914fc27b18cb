import BackupModel
import Diagnostics

/// Finds the backup that a person means by an id, a part of one, or `latest`.
package struct BackupFinder {
  private let listing: Listing
  private let databases: [String: String?]

  /// - Parameter databases: of each policy, as its URL names it now: `latest` is one of those.
  package init(_ listing: Listing, databases: [String: String?] = [:]) {
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
        "no_such_backup", exit: .notFound, what: "backup \(wanted)", why: "no backup's id begins so",
        nextStep: nextStep)
    }
    throw Failure(
      "ambiguous_backup", exit: .notFound, what: "backup \(wanted)",
      why: "\(backups.count + broken.count) ids begin so", nextStep: "give more of the id",
      details: backups.map(\.id) + broken.map(\.id))
  }

  private var nextStep: String {
    guard !listing.backups.isEmpty else { return "there is no backup yet: holdfast backup" }
    let good = listing.backups.first { $0.state == .complete }
    return "holdfast list shows them; " + (good.map { "the newest good one is \($0.id)" } ?? "none of them is good")
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
      throw Failure(
        "no_such_backup", exit: .notFound, what: "backup latest",
        why: listing.backups.isEmpty && listing.broken.isEmpty ? "there is no backup yet" : "every backup is damaged",
        nextStep: "holdfast backup takes one")
    }
    guard let database = databases[newest.manifest.policy] ?? nil else { return newest }
    guard let own = good.first(where: { $0.isOf(database: database) }) else {
      throw Failure(
        "no_such_backup", exit: .notFound, what: "backup latest", why: "no good one is of database \(database)",
        nextStep: "the newest good one is of \(newest.manifest.source.database): give its id, \(newest.id)")
    }
    return own
  }
}
