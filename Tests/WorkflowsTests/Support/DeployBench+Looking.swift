import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import PostgresTools
import TestSupport
import Testing

/// What there is: on the server, in the repository, and what there must not be.
extension DeployBench {
  /// Asks the database, or another one, on a session of our own: much quicker than psql, and asked often.
  ///
  /// - Returns: what psql would print.
  @discardableResult
  func psql(_ sql: String, database name: String? = nil) throws -> String {
    let target = try ConnectionURL.parse(Secret(cluster.url(name ?? database)))
    let session = try Connector(cancellation: Cancellation(), log: .silent)
      .connectAsClient(target, purpose: "tests")
    return try session.query(sql).map { row in row.map { $0 ?? "" }.joined(separator: "|") }.joined(separator: "\n")
  }

  /// The same on a database that no test touches.
  @discardableResult
  func maintain(_ sql: String) throws -> String { try psql(sql, database: "postgres") }

  /// Waits until a script of this database is in `pg_sleep`.
  func waitUntilAsleep() throws {
    let sleeping = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = '\(database)'"
    try waitUntil("the script sleeps") { try maintain(sleeping) == "1" }
  }

  /// The history: a row a line, as name|finished|rolled back|logs|steps.
  func history() throws -> [String] {
    try psql(
      """
      SELECT migration_name, finished_at IS NOT NULL, rolled_back_at IS NOT NULL, logs IS NOT NULL, applied_steps_count
      FROM _prisma_migrations ORDER BY started_at, migration_name
      """
    ).split(separator: "\n").map(String.init)
  }

  static let firstRow = "\(first)|t|f|f|1"

  /// The database and what stands beside it under its name.
  func databases() throws -> [String] {
    try maintain("SELECT datname FROM pg_database WHERE \(isOurs) ORDER BY 1").split(separator: "\n").map(String.init)
  }

  /// Names that begin like the database's: 63 bytes may leave no more of it.
  private var isOurs: String { "datname = '\(database)' OR datname LIKE '\(database.prefix(40))%\\_\\_%'" }

  func deploys() throws -> [DeployRecord] {
    guard access("\(bench.repository)/holdfast.json", F_OK) == 0 else { return [] }
    return try Repository.open(bench.repository).deploys(of: "app")
  }

  func backups() throws -> [String] {
    guard access("\(bench.repository)/holdfast.json", F_OK) == 0 else { return [] }
    return try Repository.open(bench.repository).listing(of: "app").backups.map(\.id)
  }

  /// Somebody else's session on the database.
  func session() throws -> Session {
    let target = try ConnectionURL.parse(Secret(cluster.url(database)))
    return try Connector(cancellation: Cancellation(), log: .silent)
      .connectAsClient(target, purpose: "writer of the tests")
  }

  /// What nobody may find after the end of a command, whatever the end was: sessions, locks, fences, databases and folders half made.
  func expectNothingLeft(_ comment: Comment? = nil, at place: SourceLocation = #_sourceLocation) throws {
    let leavings = """
      WITH ours AS (SELECT * FROM pg_database WHERE \(isOurs))
      SELECT 'session', application_name, datname, query FROM pg_stat_activity
        WHERE application_name LIKE 'holdfast%' AND datid IN (SELECT oid FROM ours) AND pid <> pg_backend_pid()
      UNION ALL SELECT 'lock', objid::text, classid::text, '' FROM pg_locks
        WHERE locktype = 'advisory' AND database IN (SELECT oid FROM ours)
      UNION ALL SELECT 'fence', datname, '', '' FROM ours
        WHERE NOT datallowconn AND datname NOT LIKE '%\\_\\_standby\\_%'
      UNION ALL SELECT 'half made', datname, '', '' FROM ours WHERE datname LIKE '%\\_\\_restore\\_%'
      """
    var left = ""
    _ = try eventually {
      left = try maintain(leavings)
      return left.isEmpty
    }
    #expect(left == "", comment, sourceLocation: place)
    #expect(bench.shelfContents().filter { $0.hasPrefix(".partial") } == [], comment, sourceLocation: place)
  }

  // MARK: Comparing

  /// A copy of the database as it is now, with what only the database itself has.
  ///
  /// - Parameter properties: statements about the database, called DATABASE in them, that were run on the source.
  func copy(_ name: String = "copy", properties: String = "") throws -> String {
    let copy = bench.newDatabaseName(name)
    try maintain("CREATE DATABASE \"\(copy)\" TEMPLATE \"\(database)\"")
    try give(properties, to: copy)
    return copy
  }

  func give(_ properties: String, to name: String) throws {
    for statement in properties.split(separator: ";") where !statement.allSatisfy(\.isWhitespace) {
      try maintain(String(statement).replacing("DATABASE_", with: "\"\(name)\""))
    }
  }

  /// The database is, but for the rows of its history, what another one is.
  func expectEqual(
    to other: String, _ name: String? = nil, at place: SourceLocation = #_sourceLocation
  ) throws {
    let found = try differences(name ?? database, from: other)
    #expect(found == [], sourceLocation: place)
  }

  /// How a database differs from another, apart from the rows of the history.
  func differences(_ name: String, from other: String) throws -> [String] {
    let command = ChildCommand(
      executable: "\(SourceTree.path)/scripts/lib/compare-databases", arguments: [name, other],
      environment: Toolbox.baseEnvironment().merging([
        "PGHOST": cluster.socket, "PGPORT": "\(cluster.port)", "PGUSER": "postgres",
      ]) { _, own in own })
    let run = try ProgramRun(running: command)
    guard run.exit <= 1 else { return [run.stdout + run.stderr] }
    return run.stdout.split(separator: "\n").map(String.init).filter { !$0.contains("_prisma_migrations\": ") }
  }
}
