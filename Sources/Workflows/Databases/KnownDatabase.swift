import BackupModel
import BackupRepository
import Diagnostics
import PostgresTools

/// Whether a policy's database is the one of its earlier backups: a `DATABASE_URL` that was left over from elsewhere names another.
struct KnownDatabase {
  /// The newest backup that is of the policy's database, else the oldest.
  private let known: Backup?
  private let policy: String

  /// - Parameter listing: of the policy's backups.
  init(_ listing: Listing, policy: String) {
    // One that was not accepted says nothing: else a wrong one, once taken, would be right from then on.
    known = listing.backups.first { $0.manifest.newDatabase != false } ?? listing.backups.last
    self.policy = policy
  }

  var isFirst: Bool { known == nil }

  /// - Returns: `other_database`; nil when it is the same one, or the first.
  func change(to target: ConnectionTarget, systemIdentifier: String) -> Failure? {
    guard let known else { return nil }
    let source = known.manifest.source
    let isSameServer = source.systemIdentifier == systemIdentifier
    guard !isSameServer || !known.isOf(database: target.database) else { return nil }
    let server = isSameServer ? "" : " (another server)"
    return Failure(
      "other_database", exit: .configuration, what: "policy \(policy)",
      why: "database.url names \(target.database) on \(target.endpoint)\(server), and the backups of \(policy) are of "
        + "\(source.database) on \(source.host) (\(known.id))",
      nextStep: "correct database.url. If this is the new database, run once: holdfast backup --new-database")
  }
}
