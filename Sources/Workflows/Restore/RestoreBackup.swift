import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// How a restored database is compared with its backup.
package enum RestoreProof: String, Sendable, CaseIterable { case none, rows, digest }

/// The workflow of `holdfast restore --into`: a backup becomes a new database, or nothing does.
package struct RestoreBackup {
  private let target: ConnectionTarget
  private let policy: Policy
  private let surroundings: Surroundings

  package init(policy: Policy, surroundings: Surroundings) throws(Failure) {
    target = policy.target
    self.policy = policy
    self.surroundings = surroundings
  }

  package struct Outcome: Sendable {
    package var backup: Backup
    package var database: String
    package var seconds: Double
    package var proof: RestoreProof
    /// When not the whole backup was restored.
    package var tables: TableSelection?
    /// What its own rows, or the server, did not allow to be restored.
    package var shortfalls: [Shortfall]
    /// The whole content was compared, and is equal.
    package var isWhole: Bool
  }

  /// Restores a backup into a new database.
  ///
  /// - Parameter tables: names; none: the whole backup.
  /// - Throws: `backup_damaged`, `database_exists`, `restore_needs`, `newer_source`, `no_such_table`, `table_needs`, `child_failed`,
  ///   `restored_differs`; but for `not_renamed` nothing that it made exists afterwards.
  package func run(
    _ backup: Backup, tables: [String] = [], into name: String, proof: RestoreProof, analyze: Bool,
    accepts: SchemaAcceptance = .refuses
  ) throws(Failure) -> Outcome {
    let start = ContinuousClock.now
    // From here on no pruning takes it away.
    let use = try BackupUse.reading(backup)
    defer { withExtendedLifetime(use) {} }
    try refuseDamaged(backup)

    // A server that is fit for it, and rid of what killed runs left.
    let maintenance = try surroundings.connector.maintenanceSession(of: target)
    let target = self.target.at(maintenance)
    let facts = try ServerReader(maintenance).facts()
    try check(facts, for: backup)
    let source = backup.manifest.source
    if source.systemIdentifier != facts.systemIdentifier {
      surroundings.log.warning("\(backup.id) is a backup of \(source.database) on another server, \(source.host)")
    }
    try refuseWithoutRight(maintenance, name)
    let surroundings = try surroundings.limited(by: policy, on: maintenance)
    try NewDatabase.refuseExisting(name, maintenance)
    for left in try NewDatabase.sweep(maintenance, log: surroundings.log) {
      surroundings.log.info("dropped \(left), left by a killed run")
    }
    try tables.isEmpty ? RestoreNeeds.check(backup, maintenance) : RestoreNeeds.checkServer(backup, maintenance)
    let toolbox = try surroundings.toolbox(forMajor: requiredMajor(backup, facts), demanded: policy.tools)
    try TableRestore.refuseUnknown(tables, of: backup, toolbox: toolbox, surroundings: surroundings)
    surroundings.reporter.headline(
      "\(tables.isEmpty ? "" : "\(counted(tables.count, "table")) of ")\(backup.id) into \(name) on \(target.endpoint) · PostgreSQL \(facts.version)"
    )

    // Hashes before any parser, also when the backup was verified long ago.
    let verified = try VerifyBackup(surroundings: surroundings).run(backup, level: .checksum, toolbox: toolbox)

    let chosen: TableRestore? =
      tables.isEmpty
      ? nil : try TableRestore(tables, of: verified.backup, toolbox: toolbox, surroundings: surroundings)
    if let chosen, let refusal = RestoreNeeds.exchange(by: backup, tables: chosen.tableNames) { throw refusal }

    let suffix = String(backup.id.suffix(6)) + String(UInt16.random(in: 0x1000...0xFFFF), radix: 16)
    var shortfalls: [Shortfall] = []
    var isWhole = false
    do throws(Failure) {
      let database = try NewDatabase(
        name, like: try backup.properties(), suffix: suffix, session: maintenance)
      let work = try RestoreWork(
        backup: backup, target: target.database(database.temporaryName), toolbox: toolbox, surroundings: surroundings,
        tables: chosen)
      let result = try work.fill(isTolerant: true)
      isWhole = try work.prove(proof, analyze: analyze, after: result, accepts: accepts)
      shortfalls = result.shortfalls
      try surroundings.cancellation.check()
      try database.publish(surroundings.cancellation)
    } catch {
      if error.code == NewDatabase.notRenamed { throw error }
      let cause = chosen == nil ? error : error.ofSingleTables
      throw NewDatabase.dropped(NewDatabase.name(name, suffix: suffix), of: target, after: cause, log: surroundings.log)
    }
    let seconds = ((ContinuousClock.now - start).seconds * 1000).rounded() / 1000
    if isWhole, chosen == nil {
      try VerifyBackup(surroundings: surroundings)
        .record(restored: verified.backup, seconds: seconds, on: maintenance)
    }
    return Outcome(
      backup: verified.backup, database: name, seconds: seconds, proof: proof,
      tables: chosen?.selection, shortfalls: shortfalls, isWhole: isWhole)
  }

  // MARK: Before

  private func refuseDamaged(_ backup: Backup) throws(Failure) {
    guard backup.state == .damaged else { return }
    throw Failure(
      "backup_damaged", exit: .dataDamaged, what: "restore of \(backup.id)",
      why: "the backup is damaged: \(backup.verification?.problems.first?.sentence ?? "a verification failed")",
      nextStep: "choose another one from holdfast list")
  }

  /// Before the files are verified, which may take an hour.
  private func refuseWithoutRight(_ maintenance: Session, _ name: String) throws(Failure) {
    // Of the maintenance database: the policy's own may be what is lost.
    let needs = try WayBack.needs(of: maintenance.target.database, maintenance)
    guard let need = needs.toCreate else { return }
    throw Failure(
      "missing_privileges", exit: .noPermission, what: "restore into \(name)",
      why: "role \(needs.role) cannot create databases",
      nextStep: "run as a superuser: \(need.fix); then the same command again")
  }

  private func check(_ facts: ServerFacts, for backup: Backup) throws(Failure) {
    if let refusal = facts.poolerRefusal(endpoint: target.endpoint) { throw refusal }
    guard !facts.standby else {
      throw Failure(
        "standby", exit: .configuration, what: "restore on \(target.endpoint)",
        why: "the server is a standby: it takes no writes",
        nextStep: "give the primary's host in database.url")
    }
    let major = backup.manifest.sourceMajor
    guard facts.major >= major else {
      throw Failure(
        "newer_source", exit: .configuration, what: "restore of \(backup.id)",
        why: "it comes from PostgreSQL \(major), and the server is the older \(facts.major)",
        nextStep: "restore it into a server of major \(major) or newer")
    }
  }

  private func requiredMajor(_ backup: Backup, _ facts: ServerFacts) -> Int {
    max(facts.major, backup.manifest.dumpMajor)
  }
}

extension Failure {
  /// What the tables' own checks and functions read may not have been asked for.
  fileprivate var ofSingleTables: Failure {
    guard let state = server?.sqlState, ["42P01", "42883", "3F000"].contains(state) else { return self }
    var failure = self
    failure.nextStep =
      "a check or a function of the tables needs more than was asked for: add what the server names by --table, "
      + "or restore the whole backup: holdfast restore ID --into NAME"
    return failure
  }
}
