import BackupModel
import Diagnostics
import PostgresTools
import StreamPipeline

/// A database with a schema alone: made, dumped, and dropped.
///
/// The server words some expressions in another way once it has read them; read once more they stay as they are. So what a restored database
/// has to equal is the dump of a second one that the server has made of the same statements.
struct SchemaReplica {
  /// The live database, or the restored one: its server and role are used, and a name of its form.
  let target: ConnectionTarget
  let toolbox: Toolbox
  let surroundings: Surroundings
  /// The database whose schema it is has no schema `public`.
  var lacksPublicSchema = false

  /// What the server makes of a schema.
  struct Made {
    /// As a dump of it has them.
    var statements: [SchemaStatement]
    /// What could not be made, and why.
    var failed: [(statement: [UInt8], failure: Failure)]
    var uses: ResolvedUses
    var extensions: InstalledExtensions
  }

  /// Makes a database, runs the statements in it, and dumps that.
  ///
  /// - Parameters:
  ///   - schema: the statements of a dump, in its order; those that are no part of a schema are passed over.
  ///   - changes: run after them.
  ///   - publish: gives the database what belongs to it but not to its content, in a transaction that is open.
  /// - Throws: what keeps the database from being made, connected to or dumped. Nothing of it is left.
  func make(
    _ schema: [[UInt8]], like properties: DatabaseProperties, changes: [[UInt8]] = [],
    publish: Bool = false
  ) throws(Failure) -> Made {
    let maintenance = try surroundings.connector.maintenanceSession(of: target, renames: true)
    let suffix = String(UInt32.random(in: 0x1000_0000...UInt32.max), radix: 16)
    let name = NewDatabase.name(target.database, suffix: suffix)
    do throws(Failure) {
      let database = try NewDatabase(
        target.database, temporaryName: name, like: properties, session: maintenance)
      let made = try fill(target.database(name), schema, properties, changes)
      if publish {
        try tryLogins(target.database(name))
        try publishTrial(database, maintenance)
      }
      try NewDatabase.drop(name, session: maintenance)
      return made
    } catch {
      throw NewDatabase.dropped(name, of: target, after: error, log: surroundings.log)
    }
  }

  /// A restore that does not trust the owners of tables logs in with the rights of each.
  private func tryLogins(_ database: ConnectionTarget) throws(Failure) {
    guard !surroundings.trustsOwner else { return }
    let session = try surroundings.connector.connect(database, purpose: "restore")
    guard try ServerReader(session).facts().superuser else { return }
    let owners = try session.query(
      """
      SELECT DISTINCT r.rolname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
      WHERE c.relkind IN ('r', 'p') AND NOT r.rolsuper
      """
    ).compactMap { $0.first ?? nil }
    let logins = OwnerLogins(database, settings: "", surroundings: surroundings)
    defer { logins.end() }
    for owner in owners { _ = try logins.pool(of: owner) }
  }

  /// Undone at once: it stays marked as a database that may go.
  private func publishTrial(_ database: NewDatabase, _ maintenance: Session) throws(Failure) {
    try maintenance.query("BEGIN")
    try database.giveProperties()
    try maintenance.query("ROLLBACK")
  }

  private func fill(
    _ target: ConnectionTarget, _ schema: [[UInt8]], _ properties: DatabaseProperties, _ changes: [[UInt8]]
  ) throws(Failure) -> Made {
    let session = try surroundings.connector.connect(target, purpose: "restore")
    let paths = try SearchPaths(properties, schema: target.schema, session)
    let facts = try ServerReader(session).facts()
    if facts.superuser, !surroundings.trustsOwner { try FencedDefinitions.check(schema, session) }
    let quiet = RestorePlace.quietSettings(facts)
    for (name, value) in quiet { try session.query("SET \(name) = \(quoteLiteral(value))") }
    PublicSchema(
      dumpedBy: toolbox.installation.version.major, server: facts.major, isAbsent: lacksPublicSchema
    ).prepare(session, surroundings.log)
    let pool = SessionPool(surroundings.connector, target, purpose: "restore")
    let dump = DumpSession(session: session, builds: PathBuilds(pool: pool, paths: paths))
    let replay = DumpReplay(dump)
    for statement in schema {
      guard Self.isMade(statement) else { continue }
      try surroundings.cancellation.check()
      try replay.take(statement)
    }
    try replay.settle()
    var failed = replay.failed
    for statement in changes + replay.held.eventTriggers {
      if let failure = try dump.run(statement) { failed.append((statement, failure)) }
    }
    let found = try SchemaDump(target: target, toolbox: toolbox, surroundings: surroundings)
      .read(encoding: properties.dumpEncoding, settings: quiet)
    return Made(
      statements: found.definitions, failed: failed, uses: try ResolvedUses(session),
      extensions: try InstalledExtensions(session))
  }

  private static func isMade(_ statement: [UInt8]) -> Bool {
    switch RestorePhase(statement) {
    case .session, .context, .eventTrigger: true
    case .main: SchemaStatement(dumped: statement).isDefinition
    case .transaction, .largeObject, .rows, .sequence, .refresh: false
    }
  }
}
