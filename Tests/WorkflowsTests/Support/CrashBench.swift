import Foundation
import PostgresTools
import TestSupport
import Testing

/// A workbench whose runs are broken off: with tools that stop where a test says, a temporary folder of its own, and an eye for
/// everything that may be left behind.
final class CrashBench {
  let bench: Workbench
  let tools: StoppableTools
  var cluster: TestCluster { bench.cluster }
  var temporary: String { "\(bench.folder)/tmp" }

  /// Six tables, two large objects, a sequence.
  static let sql = """
    CREATE TABLE customers (id serial PRIMARY KEY, name text);
    INSERT INTO customers (name) SELECT 'customer ' || i FROM generate_series(1, 500) i;
    CREATE TABLE orders AS SELECT i id, i % 500 customer, repeat(md5(i::text), 20) note FROM generate_series(1, 3000) i;
    CREATE TABLE a AS SELECT 1 x; CREATE TABLE b AS SELECT 2 x; CREATE TABLE c AS SELECT 3 x; CREATE TABLE d (x int);
    CREATE INDEX ON orders (customer);
    SELECT lo_from_bytea(0, 'one'), lo_from_bytea(0, 'two');
    """

  static func with(
    sql: String = sql, policy: String = "", cluster: TestCluster = .shared, _ body: (CrashBench) throws -> Void
  ) throws {
    try Workbench.with(cluster: cluster, sql: sql) { bench in
      let crash = try CrashBench(bench)
      try crash.writePolicy(policy)
      try body(crash)
    }
  }

  private init(_ bench: Workbench) throws {
    self.bench = bench
    // The policy with the true tools, for runs beside one that stands still.
    try FileManager.default.copyItem(atPath: bench.policies, toPath: "\(bench.folder)/plain")
    tools = try StoppableTools(in: "\(bench.folder)/tools", real: bench.cluster.binaries)
    try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true)
  }

  func writePolicy(_ more: String = "", name: String = "app") throws {
    try bench.writePolicy(more: "tools:\n  directory: \"\(tools.folder)\"\n\(more)", name: name)
  }

  // MARK: Runs

  private var environment: [String: String] { ["TMPDIR": temporary] }

  func command(_ arguments: [String]) -> ChildCommand {
    ProgramRun.command(arguments + ["--policies", bench.policies], environment)
  }

  func start(_ arguments: String...) throws -> ChildProcess {
    try ChildProcess(starting: command(arguments), capturesOutput: false)
  }

  /// Runs a command with the true tools, whatever the fake ones are up to.
  func runPlainly(_ arguments: String...) throws -> ProgramRun {
    try ProgramRun(running: ProgramRun.command(arguments + ["--policies", "\(bench.folder)/plain"], environment))
  }

  @discardableResult
  func run(_ arguments: String..., within seconds: Double = 60) throws -> ProgramRun {
    try ProgramRun(running: command(arguments), within: seconds)
  }

  /// Takes a backup that has to succeed.
  ///
  /// - Returns: its id.
  @discardableResult
  func backUp(at place: SourceLocation = #_sourceLocation) throws -> String {
    let backup = try run("backup", "--json")
    try #require(backup.exit == 0, "\(backup.stdout)\(backup.stderr)", sourceLocation: place)
    return try #require(backup.json.string("backup", "id"), sourceLocation: place)
  }

  /// Starts a command and lets it come to a moment of a tool.
  func start(_ arguments: String..., until moment: StoppableTools.Moment) throws -> ChildProcess {
    try tools.arm(moment)
    let child = try ChildProcess(starting: command(arguments), capturesOutput: false)
    try tools.reach(moment)
    return child
  }

  // MARK: What there is

  /// Ids of the listed backups, newest first.
  func listed() throws -> [String] {
    let list = try run("list", "--json").json
    return (list.array("backups") ?? []).indices.compactMap { list.string("backups", $0, "id") }
  }

  /// What of a run's is not in its place: `.partial-*`, temporary folders.
  func leavings() -> [String] {
    let temporary = (try? FileManager.default.contentsOfDirectory(atPath: temporary)) ?? []
    return bench.shelfContents().filter { $0.hasPrefix(".") } + temporary
  }

  /// Databases besides the source: `app_…_copy`, and those being made under such a name.
  func databases() throws -> [String] {
    try cluster.psql("SELECT datname FROM pg_database WHERE starts_with(datname, '\(bench.database)_') ORDER BY 1")
      .split(separator: "\n").map(String.init)
  }

  /// What the tables hold, as text that differs when anything of them does; nil when there is no such database.
  func content(of database: String) throws -> String? {
    guard try databases().contains(database) || database == bench.database else { return nil }
    let names = ["customers", "orders", "a", "b", "c", "d"]
    let tables = names.map { "(SELECT count(*) || ':' || coalesce(sum(hashtext(t::text)), 0) FROM \($0) t)" }
    return try cluster.psql(
      """
      SELECT \(tables.joined(separator: ", ")), (SELECT count(*) FROM pg_index WHERE indrelid > 16383),
        (SELECT string_agg(convert_from(lo_get(oid), 'UTF8'), ',' ORDER BY oid) FROM pg_largeobject_metadata)
      """, database: database)
  }

  /// Sessions of Holdfast and its tools on the source and its copies.
  func sessions() throws -> [String] {
    try cluster.psql(
      """
      SELECT application_name, state, query FROM pg_stat_activity
      WHERE starts_with(datname, '\(bench.database)') AND application_name LIKE 'holdfast%'
      """
    ).split(separator: "\n").map(String.init)
  }

  /// Processes that this bench's runs started, known by their temporary folder.
  func processes() -> [String] {
    let mark = Data("TMPDIR=\(temporary)\0".utf8)
    return ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { entry in
      guard Int(entry) != nil, let environment = FileManager.default.contents(atPath: "/proc/\(entry)/environ"),
        environment.range(of: mark) != nil
      else { return nil }
      let words = FileManager.default.contents(atPath: "/proc/\(entry)/cmdline") ?? Data()
      return "\(entry) \(String(decoding: words, as: UTF8.self).replacing("\0", with: " "))"
    }
  }

  // MARK: What has to hold

  /// After any end whatever: only whole backups are listed, and neither process nor session remains.
  func expectOnlyWholeStates(_ comment: Comment? = nil, at place: SourceLocation = #_sourceLocation) throws {
    #expect(eventually { processes().isEmpty }, "still there: \(processes())", sourceLocation: place)
    var open: [String] = []
    let closed = try eventually {
      open = try sessions()
      return open.isEmpty
    }
    #expect(closed, "still there: \(open)", sourceLocation: place)
    let list = try run("list", "--json").json
    let backups = try #require(list.array("backups"), sourceLocation: place)
    #expect(list.array("broken")?.isEmpty == true, comment, sourceLocation: place)
    for index in backups.indices {
      #expect(list.string("backups", index, "state") == "complete", comment, sourceLocation: place)
    }
    let folders = bench.shelfContents().filter { !$0.hasPrefix(".") }
    #expect(folders.count == backups.count, comment, sourceLocation: place)
  }

  /// Every listed backup proves by its own content.
  func expectAllProven(at place: SourceLocation = #_sourceLocation) throws {
    // To verify every backup of none is an error.
    if try listed().isEmpty { return }
    let verify = try run("verify", "--all", "--level", "archive", "--json")
    #expect(verify.exit == 0, "\(verify.stdout)\(verify.stderr)", sourceLocation: place)
    #expect(verify.json.flag("ok") == true, sourceLocation: place)
  }

  /// After an end that could clean up: nothing of the run remains.
  func expectNothingLeft(_ comment: Comment? = nil, at place: SourceLocation = #_sourceLocation) throws {
    try expectOnlyWholeStates(comment, at: place)
    #expect(leavings().isEmpty, comment, sourceLocation: place)
    #expect(try databases().isEmpty, comment, sourceLocation: place)
  }

  /// The next backup gets the lock, succeeds, and sweeps what killed runs left.
  func expectNextBackupSucceeds(at place: SourceLocation = #_sourceLocation) throws {
    let before = try listed().count
    try backUp(at: place)
    #expect(leavings().isEmpty, sourceLocation: place)
    #expect(try listed().count == before + 1, sourceLocation: place)
  }
}

extension StoppableTools.Moment: CustomTestStringConvertible {
  public var testDescription: String { description }
}
