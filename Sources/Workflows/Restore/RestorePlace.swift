import BackupModel
import BackupRepository
import Diagnostics
import PostgresTools

/// The new database that a backup is restored into, and how far the restore goes on without what cannot be restored.
struct RestorePlace: Sendable {
  let backup: Backup
  let surroundings: Surroundings
  /// Sessions on the new database, with the settings of a dump's rows. Nothing that its owners made runs in them.
  let pool: SessionPool
  /// Those that load rows.
  let rows: RowSessions
  let builds: PathBuilds
  /// What cannot be restored is left out and named; else it ends the restore.
  let isTolerant: Bool

  init(_ backup: Backup, _ target: ConnectionTarget, surroundings: Surroundings, isTolerant: Bool) throws(Failure) {
    self.backup = backup
    self.surroundings = surroundings
    self.isTolerant = isTolerant
    let session = try surroundings.connector.connect(target, purpose: "restore")
    let paths = try SearchPaths(try backup.properties(), schema: target.schema, session)
    let facts = try ServerReader(session).facts()
    let settings = RowLoad.settings(backup.manifest)
    pool = SessionPool(
      surroundings.connector, target, purpose: "restore", settings: settings + Self.quieting(facts))
    builds = PathBuilds(pool: pool, paths: paths)
    let logins =
      facts.superuser && !surroundings.trustsOwner
      ? OwnerLogins(target, settings: settings, surroundings: surroundings) : nil
    rows = RowSessions(ours: pool, logins: logins)
  }

  var paths: SearchPaths { builds.paths }

  func dumpSession(_ session: Session) -> DumpSession { DumpSession(session: session, builds: builds) }

  /// Settings that keep event triggers from seeing what the restore itself does. Only a superuser may set them, and only a superuser can make
  /// event triggers.
  static func quietSettings(_ facts: ServerFacts) -> [String: String] {
    guard facts.superuser else { return [:] }
    return facts.loginSettings.merging(["session_replication_role": "replica"]) { own, _ in own }
  }

  private static func quieting(_ facts: ServerFacts) -> String {
    quietSettings(facts).sorted { $0.key < $1.key }.map { "SET \($0.key) = \(quoteLiteral($0.value));" }.joined()
  }

  /// Runs what comes at the end of every restore.
  func finish(_ held: HeldStatements, after shortfalls: [Shortfall]) throws(Failure) -> RestoreResult {
    step("fill the materialized views")
    let (unfilled, more) = try RestoreEnding(pool: pool, builds: builds, surroundings: surroundings)
      .run(held, isTolerant: isTolerant)
    return RestoreResult(shortfalls: shortfalls + more, unfilled: unfilled, sequences: held.sequences)
  }
}

/// What a restore could not bring back.
struct RestoreResult: Sendable {
  var shortfalls: [Shortfall] = []
  /// Statements of materialized views that are empty.
  var unfilled: [[UInt8]] = []
  /// Statements that set sequences.
  var sequences: [[UInt8]] = []

  /// Keys of tables that lack rows.
  var leftOut: Set<[[UInt8]]> { Set(shortfalls.compactMap { $0.table?.key }) }
}
