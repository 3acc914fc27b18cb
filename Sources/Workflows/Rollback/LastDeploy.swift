import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import PostgresTools

/// What a rollback to before the last deploy comes to, when nobody says which deploy is meant.
package enum LastDeploy: Sendable, Equatable {
  /// It can be undone.
  case stands(DeployRecord)
  /// A snapshot that a deploy hook took since: its deploy has no journal.
  case snapshot(Backup)
  /// Undone already. The same command once more must not go one deploy further: `next` has to be named.
  case rolledBack(next: DeployRecord)
  /// Its snapshot is of another database than the live one; `next` is the last one of the live one.
  case elsewhere(DeployRecord, next: DeployRecord?)
  case none
}

/// Which database a name stands for: names are exchanged, and a restore makes another one of the same name.
struct DatabaseIdentity: Equatable {
  private let systemIdentifier: String
  private let oid: String

  /// - Parameter session: on any database of the server.
  /// - Returns: nil when no database has the name.
  static func of(_ name: String, _ session: Session) throws(Failure) -> DatabaseIdentity? {
    let rows = try session.query("SELECT oid FROM pg_catalog.pg_database WHERE datname = $1", [name])
    guard let oid = rows.first?.first ?? nil else { return nil }
    return DatabaseIdentity(systemIdentifier: try ServerReader(session).facts().systemIdentifier, oid: oid)
  }

  func isOnServer(of backup: Backup) -> Bool { backup.manifest.source.systemIdentifier == systemIdentifier }

  func isSource(of backup: Backup) -> Bool {
    isOnServer(of: backup) && String(backup.manifest.source.oid) == oid
  }
}

extension [DeployRecord] {
  /// - Parameter live: nil when there is none, or it cannot be asked: then nothing speaks against a deploy.
  func last(in listing: Listing, live: DatabaseIdentity?, now: Date) -> LastDeploy {
    if let snapshot = hookSnapshot(in: listing, live: live, now: now) { return .snapshot(snapshot) }
    let standing = standing(in: listing)
    guard let last = standing.first else { return .none }
    guard !contains(where: { $0.isRollback(after: last) }) else { return .rolledBack(next: last) }
    /// Nil: nothing speaks against it, and nothing for it.
    func isOfLive(_ record: DeployRecord) -> Bool? {
      guard let live, let backup = listing.backups.first(where: { $0.id == record.backup }) else { return nil }
      return live.isSource(of: backup)
    }
    guard isOfLive(last) == false else { return .stands(last) }
    return .elsewhere(last, next: standing.dropFirst().first { isOfLive($0) == true })
  }
}

extension [DeployRecord] {
  /// The newest good snapshot that is no deploy's, and still held, unless a deploy or a rollback has changed the database since.
  private func hookSnapshot(in listing: Listing, live: DatabaseIdentity?, now: Date) -> Backup? {
    // What was given up before it changed anything does not count.
    let last = compactMap { record -> Date? in
      if let rollback = record.rollback, record.state == .rolledBack { return rollback.at }
      return record.hasBegunNothing ? nil : record.startedAt
    }.max()
    return listing.backups.first { backup in
      let manifest = backup.manifest
      return manifest.migrations != nil && manifest.deploy == nil && manifest.reason == "pre-deploy"
        && backup.state == .complete && backup.hold?.stands(at: now) ?? false
        && live.map { $0.isSource(of: backup) } ?? true && last.map { manifest.createdAt > $0 } ?? true
    }
  }
}

extension LastDeploy {
  /// The id of the snapshot that a rollback goes back to; nil: it has to be chosen, or there is none.
  var snapshot: String? {
    switch self {
    case .stands(let record): record.backup
    case .snapshot(let backup): backup.id
    case .rolledBack, .elsewhere, .none: nil
    }
  }
}

extension DeployRecord {
  /// Rolled back, and not undone, at a time when the other deploy was there already. Ids tell what began first within a second.
  fileprivate func isRollback(after other: DeployRecord) -> Bool {
    guard state == .rolledBack, let rollback else { return false }
    return rollback.at > other.startedAt || id > other.id
  }
}

extension LastDeploy {
  /// - Throws: `already_rolled_back`, `deploy_of_another_database`.
  /// - Returns: nil when there is none.
  func chosen(of policy: String) throws(Failure) -> DeployRecord? {
    switch self {
    case .none, .snapshot: return nil
    case .stands(let record): return record
    case .rolledBack(let next):
      throw Failure(
        "already_rolled_back", exit: .notFound, what: "rollback of \(policy)",
        why: "the last deploy is rolled back already; the one before it is \(next.id)",
        nextStep: "to go further back, look first: holdfast rollback \(policy) --plan --deploy \(next.id)")
    case .elsewhere(let record, let next):
      throw Failure(
        "deploy_of_another_database", exit: .notFound, what: "rollback of \(policy)",
        why: "the last deploy, \(record.id), was to another database than \(record.database) is now",
        nextStep: "look at what it would undo: holdfast rollback \(policy) --plan --deploy \((next ?? record).id)",
        details: next.map { ["The last one to this database is \($0.id)."] } ?? [])
    }
  }
}

extension DeployRecord {
  /// A journal is not written by Holdfast alone: whoever can write to the repository can name any database in it.
  ///
  /// - Throws: `foreign_journal`.
  func refuseForeignNames() throws(Failure) {
    guard let name = foreignName else { return }
    throw Failure(
      "foreign_journal", exit: .dataDamaged, what: "deploy \(id)",
      why:
        "its journal names the database \(quoteIdentifier(name)), and Holdfast gives none such a name for this deploy",
      nextStep: "look who can write to the repository; that database was not touched")
  }

  /// What belongs to one database is not done to another that the policy names by now.
  ///
  /// - Throws: `deploy_of_another`.
  func refuseOther(than name: String) throws(Failure) {
    let own = rollback?.database ?? database
    guard !own.isEmpty, own != name else { return }
    throw Failure(
      "deploy_of_another", exit: .notFound, what: "deploy \(id)",
      why: "it is of database \(own), and database.url names \(name) now",
      nextStep: "correct database.url, then run the same command again")
  }
}
