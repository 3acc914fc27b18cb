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
  /// How far that was tried; nil: not at all.
  package var proof: RollbackProof?
  /// What the role lacks to do it.
  package var lacksForRollback: MissingPrivilege?
  /// What the server lacks of what the snapshot refers to, and the fix.
  package var missingForRollback: (what: String, fix: String)?
  /// Its standby copy is there, and nobody was in it: a rollback is a rename.
  package var isCopied = false
  /// What the newest good backup lacks and the policy does not accept.
  package var lacks: [CensusEntry] = []
  package var hasRepository: Bool
  /// Why the repository is another one than the policy's.
  package var otherRepository: Failure?
  /// Databases that rollbacks have kept: name, bytes, since when.
  package var kept: [KeptDatabase]

  /// When it was made.
  package var now: Date
  /// How long a deploy's snapshot is kept.
  package var holdFor: Duration
  package var freshness: Freshness
  /// Why the database is another one than that of the earlier backups.
  package var otherDatabase: Failure?
  /// Backups without a hold, whether it was released or there never was one. A hold that has come to its end is none of these.
  package var releasedSnapshots: Set<String>

  package var openDeploy: DeployRecord? { deploys.first(where: \.isUnfinished) }
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
    let own = good.filter { $0.isOf(database: policy.target.database) }
    let damaged = listing.broken.count(where: \.isDamaged)
    let otherRepository = repository.flatMap { policy.otherRepository($0, listing) }
    var report = StatusReport(
      lastGood: own.first,
      damaged: listing.backups.count - good.count + damaged, unreadable: listing.broken.count - damaged,
      backups: listing.backups.count, storedBytes: listing.backups.reduce(0) { $0 + $1.manifest.storedBytes },
      freeBytes: freeBytes(policy.repository), deploys: deploys, hasRepository: repository != nil,
      otherRepository: otherRepository, kept: [],
      now: surroundings.now(), holdFor: policy.migrations.holdFor,
      freshness: Freshness(
        taken: own.map(\.manifest.createdAt), now: surroundings.now(), maxAge: policy.backup.maxAge),
      releasedSnapshots: Set(listing.backups.filter { $0.hold == nil }.map(\.id)))
    if let repository, report.openDeploy != nil {
      report.worker = PolicyLock.holder(of: .deploy, policy: policy.name, in: repository)
    }
    report.lastDeploy = deploys.last(in: listing, live: nil, now: surroundings.now())
    do throws(Failure) { try lookAtServer(own, listing, &report) } catch {
      try surroundings.cancellation.check()
      report.serverProblem = error
    }
    if let snapshot = good.first(where: { $0.id == report.lastDeploy.snapshot }) {
      report.proof = RollbackProof(of: snapshot, among: good)
      report.secondsBack = report.proof?.seconds ?? snapshot.manifest.restoreSeconds
    }
    report.lacks = (report.lastGood?.manifest.missing ?? []).beyond(policy.backup.acceptMissing)
    return report
  }

  /// - Parameter own: good backups of databases of that name.
  private func lookAtServer(_ own: [Backup], _ listing: Listing, _ report: inout StatusReport) throws(Failure) {
    let target = policy.target
    let session = try surroundings.connector.maintenanceSession(of: target)
    report.kept = try KeptDatabase.all(of: report.deploys, session)
    report.otherDatabase = KnownDatabase(listing, policy: policy.name)
      .change(to: target, systemIdentifier: try ServerReader(session).facts().systemIdentifier)
    let live = try DatabaseIdentity.of(target.database, session)
    report.lastDeploy = report.deploys.last(in: listing, live: live, now: surroundings.now())
    guard let live else { throw noDatabase(target) }
    report.lastGood = own.first { live.isOnServer(of: $0) }
    report.lastElsewhere = report.lastGood == nil ? own.first : nil
    if report.lastDeploy.snapshot != nil {
      report.lacksForRollback = try WayBack.needs(of: target.database, session).missing.first
      let snapshot = own.first { $0.id == report.lastDeploy.snapshot }
      report.missingForRollback = try snapshot.flatMap { (snapshot) throws(Failure) in
        try ServerReader(session).missing(of: snapshot.manifest.needs).first
      }
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
      nextStep: "correct database.url, or bring it back: holdfast restore latest --into \(shellWord(target.database))")
  }
}
