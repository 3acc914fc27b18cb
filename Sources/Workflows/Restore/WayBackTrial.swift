import BackupModel
import Diagnostics
import PostgresTools
import StreamPipeline

/// Tries the way back before it is needed: a database is made as a rollback would make it, connected to, given the schema and the properties
/// of the live one, compared, and dropped.
struct WayBackTrial {
  let target: ConnectionTarget
  private let tools: ToolSettings
  private let surroundings: Surroundings

  init(_ policy: Policy, target: ConnectionTarget, surroundings: Surroundings) {
    self.target = target
    tools = policy.tools
    self.surroundings = surroundings.trusting(policy)
  }

  /// What was tried with success.
  struct Proof: Sendable {
    var record: Manifest.WayBack
    /// The schema that it was tried with.
    var definitions: CountedDigest
    var statements: Int
    /// What is another after a rollback without being lost: a sentence each.
    var notes: [String]
  }

  /// - Parameter live: a session on the live database.
  /// - Throws: `no_way_back` with the object that does not come back; what keeps the schema from being read.
  func run(_ live: Session) throws(Failure) -> Proof {
    do throws(Failure) {
      let proof = try surroundings.phase(
        "way back", summary: { "tried: \(counted($0.statements, "statement")) restored and compared" }
      ) { () throws(Failure) in try attempt(live) }.value
      for note in proof.notes { surroundings.log.warning("after a rollback, \(note)") }
      return proof
    } catch {
      guard error.exit == .noPermission else { throw error }
      var failure = error
      failure.details += try WayBack.unrestorable(live).map { "the role lacks a privilege \($0.problem): \($0.fix)" }
      throw failure
    }
  }

  private func attempt(_ live: Session) throws(Failure) -> Proof {
    let start = ContinuousClock.now
    let reader = ServerReader(live)
    let facts = try reader.facts()
    let properties = try reader.properties()
    let toolbox = try surroundings.toolbox(forMajor: facts.major, demanded: tools)
    try refuseLockedTables()
    let before = try ResolvedUses(live)
    let schema = try SchemaDump(target: target, toolbox: toolbox, surroundings: surroundings)
      .read(encoding: properties.dumpEncoding, settings: RestorePlace.quietSettings(facts))
    // Before and after the dump: what others change meanwhile is in one of them only.
    let uses = [before, try ResolvedUses(live)]
    NewDatabase.sweepLeftovers(of: target, surroundings)
    step("try the way back")
    let lacksPublicSchema = try live.query("SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public'").isEmpty
    let made = try restored(
      schema.statements, properties, toolbox, largeObjects: try ownersOfLargeObjects(live),
      lacksPublicSchema: lacksPublicSchema)
    let client = toolbox.installation.version.major
    try refuse(made.failed, client: client > facts.major ? client : nil, server: facts.major)
    try refuse(SchemaDifference.between(schema.definitions, made.statements))
    try refuse(uses: uses, made.uses)
    let record = Manifest.WayBack(
      at: surroundings.now(), seconds: ((ContinuousClock.now - start).seconds * 1000).rounded() / 1000)
    return Proof(
      record: record, definitions: SchemaStatement.digest(schema.definitions), statements: schema.definitions.count,
      notes: try InstalledExtensions(live).changes(to: made.extensions))
  }

  /// pg_dump would only say that it has waited.
  ///
  /// - Throws: `table_locked`, `tables_change`.
  private func refuseLockedTables() throws(Failure) {
    let session = try surroundings.connector.connect(target, purpose: "way back")
    let locks = TableLocks(session, waitingAtMost: .seconds(5), log: surroundings.log)
    try locks.take()
    locks.release()
  }

  private func restored(
    _ statements: [[UInt8]], _ properties: DatabaseProperties, _ toolbox: Toolbox, largeObjects: [[UInt8]],
    lacksPublicSchema: Bool
  ) throws(Failure) -> SchemaReplica.Made {
    do throws(Failure) {
      return try SchemaReplica(
        target: target, toolbox: toolbox, surroundings: surroundings, lacksPublicSchema: lacksPublicSchema
      )
      .make(statements, like: properties, changes: largeObjects, publish: true)
    } catch {
      try surroundings.cancellation.check()
      // A server without a free connection, or without room, says nothing of the way back.
      let isRefusal = error.isOfStatement || [.noPermission, .configuration].contains(error.exit)
      let isClosed = ["login_refused", "wrong_password", "no_such_database", "database_closed"].contains(error.code)
      throw isRefusal || isClosed ? noWayBack(error) : error
    }
  }

  /// A dump of the schema has no large objects: one of each owner stands for all.
  private func ownersOfLargeObjects(_ live: Session) throws(Failure) -> [[UInt8]] {
    let owners = try live.query(
      "SELECT DISTINCT pg_catalog.pg_get_userbyid(lomowner) FROM pg_catalog.pg_largeobject_metadata ORDER BY 1"
    ).compactMap { $0.first ?? nil }
    return owners.enumerated().flatMap { index, owner in
      [
        "SELECT pg_catalog.lo_create('\(index + 1)')",
        "ALTER LARGE OBJECT \(index + 1) OWNER TO \(quoteIdentifier(owner))",
      ].map { Array($0.utf8) }
    }
  }

  // MARK: Refusals

  /// - Parameter client: a major newer than the server's, whose pg_dump may write what only its own server reads.
  private func refuse(
    _ failed: [(statement: [UInt8], failure: Failure)], client: Int?, server: Int
  ) throws(Failure) {
    guard let first = failed.first else { return }
    var failure = noWayBack(first.failure)
    if let client, failure.exit != .noPermission {
      failure.nextStep =
        "use the programs of the server's own major: install postgresql-client-\(server), or name their folder in tools.directory "
        + "(pg_dump \(client) has written this); or \(failure.nextStep)"
    }
    failure.details = first.failure.details
    for other in failed.dropFirst().prefix(20) {
      failure.details.append("\(DumpedStatement.line(of: other.statement)): \(other.failure.why)")
    }
    throw failure
  }

  /// Wording is the server's own business; what is missing, or is there besides, would be missing after a rollback.
  private func refuse(_ differences: [SchemaDifference]) throws(Failure) {
    let real = differences.filter { !$0.isWording && !$0.isOfStorage && !($0.expected?.isOfBuiltInLanguage ?? false) }
    guard let first = real.first else { return }
    throw Failure(
      "no_way_back", exit: .configuration, what: "way back of \(target.database)",
      why: "a restored schema would differ in \(counted(real.count, "statement")), the first: "
        + (first.lines.first ?? "unknown"),
      nextStep: "let a role that may restore it (a superuser, or the owners' member) deploy; "
        + "or change what the statement names", details: real.prefix(20).flatMap(\.lines))
  }

  private func refuse(uses live: [ResolvedUses], _ made: ResolvedUses) throws(Failure) {
    let lost = live.reduce(live.first?.lines ?? []) { $0.intersection($1.lines) }.subtracting(made.lines)
    let new = live.reduce(made.lines) { $0.subtracting($1.lines) }
    guard let first = lost.union(new).sorted().first else { return }
    throw Failure(
      "no_way_back", exit: .configuration, what: "way back of \(target.database)",
      why: "after a restore the server would use other functions or operators than now: "
        + (lost.contains(first) ? "now \(first)" : "then \(first)"),
      nextStep: "\(ResolvedUses.remedy); or keep a copy of the database: migrations.standby_copy: cloned",
      details: lost.sorted().prefix(10).map { "now: \($0)" } + new.sorted().prefix(10).map { "restored: \($0)" })
  }

  private func noWayBack(_ cause: Failure) -> Failure {
    let lacksPrivilege = cause.exit == .noPermission
    return Failure(
      "no_way_back", exit: lacksPrivilege ? .noPermission : .configuration, what: "way back of \(target.database)",
      why: "a rollback of this schema would fail: \(cause.what): \(cause.why)",
      nextStep: lacksPrivilege
        ? "give the role that privilege, or let a role deploy that has it; or keep a copy: migrations.standby_copy: cloned"
        : "change what the server names; or keep a copy of the database: migrations.standby_copy: cloned",
      details: cause.details)
  }
}

extension SchemaStatement {
  /// A digest of definitions that does not depend on their order, or on settings that are left over from statements before.
  static func digest(_ definitions: [SchemaStatement]) -> CountedDigest {
    var sum = MultisetHash()
    for statement in definitions { statement.bytes.withUnsafeBytes { sum.insert($0) } }
    return CountedDigest(sum)
  }
}
