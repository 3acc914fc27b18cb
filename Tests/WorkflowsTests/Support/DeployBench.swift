import Diagnostics
import Foundation
import PostgresTools
import TestSupport
import Testing

/// A workbench with a migrations folder, and a database whose history already has its first migration.
final class DeployBench {
  let bench: Workbench
  /// The database that the policy names; the bench's own, unless a test moved to another.
  private(set) var database: String
  var cluster: TestCluster { bench.cluster }
  var migrations: String { "\(bench.folder)/migrations" }
  private var settings: [String]

  static let first = "20240101000000_init"

  /// What the first migration makes, and some rows.
  static let sql = """
    CREATE TABLE customers (id serial PRIMARY KEY, name text NOT NULL);
    INSERT INTO customers (name) SELECT 'customer ' || n FROM generate_series(1, 40) n;
    CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers, note text);
    INSERT INTO orders SELECT n, 1 + n % 40, repeat('x', n % 7) FROM generate_series(1, 200) n;
    CREATE VIEW busy AS SELECT customer, count(*) FROM orders GROUP BY customer;
    """

  /// - Parameters:
  ///   - settings: keys below `migrations`.
  ///   - managed: give the database a history that says that the first migration is applied.
  static func with<Result>(
    cluster: TestCluster = .shared, sql: String = sql, settings: [String] = [], managed: Bool = true,
    _ body: (DeployBench) throws -> Result
  ) throws -> Result {
    try Workbench.with(cluster: cluster, sql: sql) { bench in
      let deploy = try DeployBench(bench, settings: settings)
      defer { deploy.dropCopies() }
      if managed { try deploy.cluster.psql(historySQL, database: deploy.database) }
      return try body(deploy)
    }
  }

  private init(_ bench: Workbench, settings: [String]) throws {
    self.bench = bench
    self.settings = settings
    database = bench.database
    try writePolicy()
    try migration(Self.first, "-- made before\n")
  }

  /// As Prisma leaves it.
  private static let historySQL = """
    CREATE TABLE _prisma_migrations (
      id varchar(36) PRIMARY KEY NOT NULL, checksum varchar(64) NOT NULL, finished_at timestamptz,
      migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz,
      started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0);
    INSERT INTO _prisma_migrations (id, checksum, started_at, finished_at, migration_name, applied_steps_count)
    VALUES (gen_random_uuid(), encode(sha256('-- made before\n'), 'hex'), now(), now(), '\(first)', 1);
    """

  /// Everything that Holdfast made beside the database.
  func dropCopies() {
    let names = (try? databases()) ?? []
    for name in names where name != bench.database {
      _ = try? maintain("DROP DATABASE IF EXISTS \"\(name)\" WITH (FORCE)")
    }
  }

  // MARK: Set-up

  /// - Parameter more: further YAML.
  func writePolicy(url: String? = nil, more: String = "") throws {
    let keys = ["directory: ../migrations"] + settings
    // Quicker, and of no matter here.
    let backup = more.contains("backup:") ? "" : "backup: {jobs: 1, globals: false}\n"
    let yaml = "migrations:\n" + keys.map { "  \($0)\n" }.joined() + backup + more
    try bench.writePolicy(url: url ?? cluster.url(database), more: yaml)
  }

  /// Has the policy name another database, which has to go away by itself.
  func move(to name: String) throws {
    database = name
    try writePolicy()
  }

  func set(_ settings: [String]) throws {
    self.settings = settings
    try writePolicy()
  }

  func migration(_ name: String, _ script: String) throws {
    try FileManager.default.createDirectory(atPath: "\(migrations)/\(name)", withIntermediateDirectories: true)
    try Data(script.utf8).write(to: URL(fileURLWithPath: "\(migrations)/\(name)/migration.sql"))
  }

  // MARK: Runs

  @discardableResult
  func run(_ arguments: String..., environment: [String: String] = [:]) throws -> ProgramRun {
    try ProgramRun(running: command(arguments, environment), within: 120)
  }

  /// Runs a command with another one after `--`, the last of the arguments.
  func run(_ arguments: String..., program: [String]) throws -> ProgramRun {
    try ProgramRun(running: command(arguments + ["--"] + program), within: 120)
  }

  /// Runs a command that swaps databases, confirmed, with JSON.
  @discardableResult
  func confirmed(_ arguments: String...) throws -> ProgramRun {
    try ProgramRun(running: command(arguments + ["--json", "--confirm", database]), within: 120)
  }

  func start(_ arguments: String..., program: [String] = []) throws -> ChildProcess {
    let end = program.isEmpty ? [] : ["--"] + program
    return try ChildProcess(starting: command(arguments + end), capturesOutput: false)
  }

  func command(_ arguments: [String], _ environment: [String: String] = [:]) -> ChildCommand {
    // Options go before what follows `--`.
    let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
    return ProgramRun.command(
      arguments[..<end] + ["--policies", bench.policies] + arguments[end...], environment)
  }

  /// For a shell: runs SQL on the database, as a program in the migrations' place would.
  func psqlCommand(_ sql: String) -> String {
    "'\(cluster.binaries)/psql' -Xq -h '\(cluster.socket)' -p \(cluster.port) -U postgres -d \(database) -c \"\(sql)\""
  }

  /// A program for the migrations' place that only notes that it was run.
  var spy: [String] { ["/bin/sh", "-c", ": > '\(bench.folder)/spy'"] }
  var spyWasRun: Bool { access("\(bench.folder)/spy", F_OK) == 0 }

  /// Deploys one more migration, which has to succeed.
  ///
  /// - Returns: the deploy's id.
  @discardableResult
  func deploy(_ name: String, _ script: String, at place: SourceLocation = #_sourceLocation) throws -> String {
    try migration(name, script)
    let run = try run("deploy", "--json")
    try #require(run.exit == 0, "\(run.stdout)\(run.stderr)", sourceLocation: place)
    return try #require(run.json.string("deploy"), sourceLocation: place)
  }
}
