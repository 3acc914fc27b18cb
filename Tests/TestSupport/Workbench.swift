import BackupRepository
import Diagnostics
import Foundation
import PostgresTools

/// What one test works on: a folder, a policy, databases, and the program. Everything it made goes at its end.
package final class Workbench {
  /// Absolute path of a folder of the test's own; it has a space and an umlaut in it.
  package let folder: String
  package let cluster: TestCluster
  /// The database that the policy `app` names.
  package let database: String
  private var madeDatabases: [String] = []

  package var policies: String { "\(folder)/policies" }
  package var repository: String { "\(folder)/backups" }
  /// Folder of the policy's backups.
  package var shelf: String { "\(repository)/app" }

  /// Runs a test on a bench with an empty database.
  package static func with<Result>(
    cluster: TestCluster = .shared, sql: String = "", policy: String = "", _ body: (Workbench) throws -> Result
  ) throws -> Result {
    let bench = try Workbench(cluster: cluster)
    defer { bench.clear() }
    if !sql.isEmpty { try cluster.psql(sql, database: bench.database) }
    try bench.writePolicy(more: policy)
    return try body(bench)
  }

  private init(cluster: TestCluster) throws {
    self.cluster = cluster
    let unique = String(UInt32.random(in: 0...UInt32.max), radix: 36)
    folder = "\(TestCluster.temporary)/hf bench ü \(unique)"
    database = "app_\(unique)"
    try FileManager.default.createDirectory(atPath: "\(folder)/policies", withIntermediateDirectories: true)
    try Repository.create("\(folder)/backups")
    try createDatabase(database)
  }

  private func clear() {
    for name in madeDatabases {
      _ = try? cluster.psql(
        "DROP DATABASE IF EXISTS \"\(name.replacingOccurrences(of: "\"", with: "\"\""))\" WITH (FORCE)")
    }
    try? FileManager.default.removeItem(atPath: folder)
  }

  package func createDatabase(_ name: String, options: String = "TEMPLATE template0") throws {
    try cluster.psql("CREATE DATABASE \"\(name)\" \(options)")
    madeDatabases.append(name)
  }

  /// A name for a database that the test lets Holdfast make; it is dropped at the end.
  package func newDatabaseName(_ suffix: String = "copy") -> String {
    let name = "\(database)_\(suffix)"
    madeDatabases.append(name)
    return name
  }

  /// Writes the policy `app`.
  ///
  /// - Parameter more: further YAML.
  package func writePolicy(url: String? = nil, more: String = "", name: String = "app") throws {
    let text = """
      environment: test
      database:
        url: "\(url ?? cluster.url(database))"
      repository: ../backups
      \(more)

      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(policies)/\(name).yaml"))
  }

  // MARK: The program

  /// Runs `holdfast` with this bench's policies.
  @discardableResult
  package func holdfast(_ arguments: String..., environment: [String: String] = [:]) throws -> ProgramRun {
    try ProgramRun(arguments + ["--policies", policies], environment: environment)
  }

  /// Runs `holdfast` in a folder, with nothing but what is said here.
  package func holdfast(in folder: String, _ arguments: [String], environment: [String: String] = [:]) throws
    -> ProgramRun
  {
    var command = ProgramRun.command(["-C", folder, SourceTree.program] + arguments, environment)
    command.executable = "/usr/bin/env"
    return try ProgramRun(running: command)
  }

  /// Starts `holdfast` and leaves it running.
  package func start(_ arguments: String..., environment: [String: String] = [:]) throws -> ChildProcess {
    try ChildProcess(
      starting: ProgramRun.command(arguments + ["--policies", policies], environment), capturesOutput: false)
  }

  /// Takes a backup that has to succeed.
  ///
  /// - Returns: its id.
  @discardableResult
  package func backUp(_ arguments: String...) throws -> String {
    let run = try ProgramRun(["backup", "--json"] + arguments + ["--policies", policies])
    guard run.exit == 0, let id = run.json.string("backup", "id") else {
      throw Failure.internalError("the backup failed: \(run.stdout)\(run.stderr)")
    }
    return id
  }

  package func path(of id: String) -> String { "\(shelf)/\(id)" }

  /// Everything in the policy's folder, hidden names too, but not the lock.
  package func shelfContents() -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: shelf)) ?? []).filter { $0 != ".lock" }.sorted()
  }

  /// Sessions of Holdfast on this bench's cluster.
  package func sessions() throws -> Int {
    Int(
      try cluster.psql(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'holdfast%' AND datname = '\(database)'"))
      ?? -1
  }

  /// Compares two databases by a program that knows nothing of Holdfast.
  ///
  /// - Returns: the differences, a line each; empty when there is none.
  package func differences(_ other: String) throws -> String {
    let command = ChildCommand(
      executable: "\(SourceTree.path)/scripts/lib/compare-databases", arguments: [database, other],
      environment: Toolbox.baseEnvironment().merging([
        "PGHOST": cluster.socket, "PGPORT": "\(cluster.port)", "PGUSER": "postgres",
      ]) { _, own in own })
    let run = try ProgramRun(running: command)
    return run.exit == 0 ? "" : run.stdout + run.stderr
  }
}

/// One run of a program, with what it printed.
package struct ProgramRun {
  /// 128 + the signal when it was killed.
  package let exit: Int32
  package let stdout: String
  package let stderr: String

  package init(_ arguments: [String], environment: [String: String] = [:]) throws {
    try self.init(running: Self.command(arguments, environment))
  }

  /// - Parameter seconds: a program that runs longer hangs: it is ended, and that is an error.
  package init(running command: ChildCommand, within seconds: Double = 120) throws {
    var output: [UInt8] = []
    let deadline = Cancellation()
    DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { deadline.cancel(signal: SIGTERM) }
    let end = try ChildRunner(cancellation: deadline).run(command) { output += $0 }
    stdout = String(decoding: output, as: UTF8.self)
    stderr = end.standardError
    exit = end.code
  }

  package static func command(_ arguments: [String], _ environment: [String: String] = [:]) -> ChildCommand {
    ChildCommand(
      executable: SourceTree.program, arguments: arguments,
      environment: Toolbox.baseEnvironment().merging(environment) { _, own in own })
  }

  /// What it printed as JSON.
  package var json: JSONDocument { JSONDocument(stdout) }
}

extension ChildExit {
  package var code: Int32 {
    switch status {
    case .exited(let code): code
    case .signalled(let signal): 128 + signal
    }
  }
}

/// Where the sources and the built program are.
package enum SourceTree {
  package static let path: String = {
    var url = URL(fileURLWithPath: #filePath)
    while url.path != "/", access(url.appendingPathComponent("Package.swift").path, F_OK) != 0 {
      url.deleteLastPathComponent()
    }
    return url.path
  }()

  /// Beside the test bundle, where the same build put it.
  package static let program: String = {
    let folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
    return access("\(folder)/holdfast", X_OK) == 0 ? "\(folder)/holdfast" : "\(path)/.build/debug/holdfast"
  }()
}

/// A JSON document, read by path.
package struct JSONDocument {
  private let root: Any?

  package init(_ text: String) { root = try? JSONSerialization.jsonObject(with: Data(text.utf8)) }

  package var isObject: Bool { root is [String: Any] }

  package func value(_ path: [Any]) -> Any? {
    path.reduce(root) { value, step in
      if let key = step as? String { return (value as? [String: Any])?[key] }
      if let index = step as? Int, let array = value as? [Any], array.indices.contains(index) { return array[index] }
      return nil
    }
  }

  package func string(_ path: Any...) -> String? { value(path) as? String }
  package func number(_ path: Any...) -> Int? { (value(path) as? NSNumber)?.intValue }
  package func flag(_ path: Any...) -> Bool? { (value(path) as? NSNumber)?.boolValue }
  package func array(_ path: Any...) -> [Any]? { value(path) as? [Any] }
}
