import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Migrations
import PostgresTools
import StreamPipeline

/// What `holdfast status` shows.
package struct StatusReport: Sendable {
  package var lastGood: Backup?
  /// The newest good one of a database of the same name on another server, when there is none of this one's.
  package var lastElsewhere: Backup?
  package var damaged: Int
  /// Backups of which nothing is known, as they may not be read.
  package var unreadable: Int
  package var backups: Int
  package var storedBytes: UInt64
  package var freeBytes: UInt64
  /// Nil when the policy has no migrations, or the server cannot be asked.
  package var migrations: MigrationStatus?
  package var serverProblem: Failure?
  /// Newest first.
  package var deploys: [DeployRecord]
  /// Who is at work on it just now; nil: nobody, it was interrupted.
  package var worker: String?
  /// The deploy that a rollback would undo, if it is one that does.
  package var lastDeploy = LastDeploy.none
  /// How long that takes, by estimate; nil when its snapshot is damaged or gone.
  package var secondsBack: Double?
  /// What the role lacks to do it.
  package var lacksForRollback: MissingPrivilege?
  /// Its standby copy is there, and nobody was in it: a rollback is a rename.
  package var isCopied = false
  package var hasRepository: Bool
  /// Databases that rollbacks have kept: name, bytes, since when.
  package var kept: [KeptDatabase]

  package var openDeploy: DeployRecord? { deploys.first(where: \.isUnfinished) }

  package var needsAttention: Bool {
    lastGood == nil || damaged + unreadable > 0 || serverProblem != nil || openDeploy != nil || lacksForRollback != nil
      || !(migrations?.isClean ?? true)
  }
}

/// The workflow of `holdfast status`.
package struct ReadStatus {
  private let policy: Policy
  private let surroundings: Surroundings

  package init(policy: Policy, surroundings: Surroundings) {
    self.policy = policy
    self.surroundings = surroundings
  }

  /// - Throws: only `Failure.stopped` and what a damaged repository throws; a server that is down is a finding.
  package func run() throws(Failure) -> StatusReport {
    let repository = try Repository.openIfThere(policy.repository)
    let listing = try repository?.listing(of: policy.name) ?? Listing()
    let deploys = try repository?.deploys(of: policy.name) ?? []
    let good = listing.backups.filter { $0.state == .complete }
    // A policy whose URL was changed has backups of two: those of the other one are no way back.
    let own = good.filter { backup in policy.database.map { backup.isOf(database: $0) } ?? true }
    let damaged = listing.broken.count(where: \.isDamaged)
    var report = StatusReport(
      lastGood: own.first,
      damaged: listing.backups.count - good.count + damaged, unreadable: listing.broken.count - damaged,
      backups: listing.backups.count, storedBytes: listing.backups.reduce(0) { $0 + $1.manifest.storedBytes },
      freeBytes: freeBytes(policy.repository), deploys: deploys, hasRepository: repository != nil, kept: [])
    if let repository, report.openDeploy != nil {
      report.worker = PolicyLock.holder(of: .deploy, policy: policy.name, in: repository)
    }
    report.lastDeploy = deploys.last(in: listing, live: nil)
    if case .stands(let last) = report.lastDeploy, let snapshot = good.first(where: { $0.id == last.backup }) {
      report.secondsBack = Self.estimate(snapshot.manifest)
    }
    do throws(Failure) { try lookAtServer(own, listing, &report) } catch {
      try surroundings.cancellation.check()
      report.serverProblem = error
    }
    return report
  }

  /// - Parameter own: good backups of databases of that name.
  private func lookAtServer(_ own: [Backup], _ listing: Listing, _ report: inout StatusReport) throws(Failure) {
    let target = try ConnectionURL.parse(policy.databaseURL)
    let session = try surroundings.connector.maintenanceSession(of: target)
    report.kept = try KeptDatabase.all(of: report.deploys, session)
    let live = try DatabaseIdentity.of(target.database, session)
    report.lastDeploy = report.deploys.last(in: listing, live: live)
    guard let live else { throw noDatabase(target) }
    report.lastGood = own.first { live.isOnServer(of: $0) }
    report.lastElsewhere = report.lastGood == nil ? own.first : nil
    if case .stands = report.lastDeploy {
      report.lacksForRollback = try WayBack.needs(of: target.database, session).missing.first
    }
    if case .stands(let deploy) = report.lastDeploy, let copy = deploy.copy, copy.isWhole {
      report.isCopied = try StandbyDatabase(target: target, maintenance: session, surroundings: surroundings)
        .isUntouched(copy)
    }
    if policy.migrations.directory != nil {
      report.migrations = try MigrationBooks(policy: policy, purpose: "status", surroundings: surroundings).status()
    }
  }

  private func noDatabase(_ target: ConnectionTarget) -> Failure {
    Failure(
      "no_database", exit: .unavailable, what: "server \(target.endpoint)",
      why: "there is no database \(target.database)",
      nextStep: "correct database.url, or bring it back: holdfast rollback \(policy.name) --plan --to latest")
  }

  /// By what restores of this size take on ordinary machines; an estimate, and shown as one.
  private static func estimate(_ manifest: Manifest) -> Double { 3 + Double(manifest.rawBytes) / 25_000_000 }
}

extension Policy {
  /// The database that it is of; nil when its URL cannot be read.
  package var database: String? { (try? ConnectionURL.parse(databaseURL))?.database }
}
