import BackupModel
import Diagnostics
import Migrations
import PostgresTools

/// The folder and the history of a database during a deploy.
///
/// Its session is not cancelled with the run: what was done has to be written down even then.
struct DeployBooks {
  let target: ConnectionTarget
  let folder: MigrationFolder
  let history: HistoryTable
  private let policy: Policy
  private let facts: ServerFacts

  var session: Session { history.session }

  /// - Throws: `no_migrations_folder`, connection failures, `pooler`, `standby`.
  init(policy: Policy, surroundings: Surroundings) throws(Failure) {
    self.policy = policy
    folder = try MigrationBooks.folder(of: policy)
    let wanted = policy.target
    let session = try Connector(cancellation: Cancellation(), log: surroundings.log).connect(wanted, purpose: "deploy")
    target = wanted.at(session)
    facts = try ServerReader(session).facts()
    if let refusal = facts.poolerRefusal(endpoint: target.endpoint) { throw refusal }
    guard !facts.standby else {
      throw Failure(
        "standby", exit: .configuration, what: "deploy on \(target.endpoint)",
        why: "the server is a standby: it takes no writes", nextStep: "give the primary's host in database.url")
    }
    history = try HistoryTable(session, schema: target.schema)
  }

  func headline(_ pending: Int) -> String {
    "\(policy.name) (\(policy.environment)): \(target.database) on \(target.endpoint) · \(counted(pending, "migration")) pending"
  }

  /// The status of a database that may be deployed to.
  ///
  /// - Throws: `P3019`, `P3009`, `P3005`.
  func readyStatus() throws(Failure) -> MigrationStatus {
    try folder.checkProvider()
    let rows = try history.rows()
    if let failed = rows.first(where: \.isFailed) { throw refusal(failed) }
    try history.refuseUnmanaged()
    return try MigrationStatus(folder: folder, rows: rows)
  }

  /// Before anything is dumped or applied, and also for another program: Prisma applies bytes that are no UTF-8 as U+FFFD.
  ///
  /// - Throws: `P3015`, `migration_not_utf8`.
  func refuseUnusableScripts(_ pending: [String]) throws(Failure) {
    for name in pending {
      if var refusal = folder.migration(name)?.refusal {
        refusal.details.append("No migration was run, and no snapshot was taken.")
        throw refusal
      }
    }
  }

  /// Begins an empty history where there is none and nothing to apply either, as Prisma does.
  func beginHistory(_ cancellation: Cancellation) throws(Failure) {
    guard !history.isThere else { return }
    try AdvisoryLock.prisma.take(session, waiting: 10, cancellation: cancellation)
    try history.create()
    try AdvisoryLock.prisma.release(session)
  }

  private func refusal(_ row: HistoryRow) -> Failure {
    Failure(
      "P3009", exit: .failed, what: "deploy of \(policy.name)",
      why: "migration \(row.name), begun \(row.startedAt), has failed before; no other is applied over it",
      nextStep:
        "if nothing of it is left: holdfast resolve \(shellWord(row.name)) --rolled-back; if it was completed by hand: --applied",
      details: (row.logs ?? "").split(separator: "\n").prefix(20).map(String.init))
  }

  /// - Returns: `other_database` when it is not the one of the policy's earlier backups.
  func change(from known: KnownDatabase) -> Failure? {
    guard var change = known.change(to: target, systemIdentifier: facts.systemIdentifier) else { return nil }
    change.nextStep.replace("holdfast backup --new-database", with: "holdfast deploy --new-database")
    return change
  }

  func isOnServer(of snapshot: Backup) -> Bool {
    snapshot.manifest.source.systemIdentifier == facts.systemIdentifier
  }

  /// What a snapshot by this role would lack. A deploy leaves no rows out of it.
  func census() throws(Failure) -> Census {
    try session.query("BEGIN READ ONLY")
    defer { _ = session.attempt("ROLLBACK") }
    return try TakeCensus(session: session, policy: policy, facts: facts, excluded: nil).foresee()
  }

  /// The snapshot is one of the very database that is deployed to.
  ///
  /// - Throws: `snapshot_of_another`.
  func checkIdentity(of snapshot: Backup) throws(Failure) {
    let source = snapshot.manifest.source
    let oid = try ServerReader(session).database().oid
    guard source.systemIdentifier == facts.systemIdentifier, source.oid == oid else {
      throw Failure(
        "snapshot_of_another", exit: .failed, what: "snapshot \(snapshot.id)",
        why: "it is of another server or database than the one that is deployed to",
        nextStep: "check database.url: does its host name lead to several servers?")
    }
  }
}
