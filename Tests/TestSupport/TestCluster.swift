import Diagnostics
import Foundation
import PostgresTools

/// A throwaway PostgreSQL for one test process: on a unix socket and a loopback port, with password logins.
///
/// A missing server is a failure, never a skip.
package final class TestCluster: @unchecked Sendable {
  /// Started with the first test that needs it, stopped when the process ends.
  package static let shared: TestCluster = {
    do { return try TestCluster() } catch {
      FileHandle.standardError.write(Data("the tests need a PostgreSQL server: \(error)\n".utf8))
      exit(69)
    }
  }()

  package let folder: String
  package let binaries: String
  private let program: String
  package let port: Int
  package var socket: String { "\(folder)/s" }
  private var server: ChildProcess?

  /// A cluster of its own, for tests that stop or kill it, or give it extensions.
  package convenience init(
    settings: [String] = [], encoding: [String] = ["--encoding=UTF8", "--locale=C.UTF-8"],
    extensions: [ExtraExtension] = []
  ) throws {
    try self.init(settings: settings, extensions: extensions) { binaries, data in
      ("\(binaries)/initdb", ["-N", "-A", "trust", "-U", "postgres", "-D", data] + encoding)
    }
  }

  /// A streaming standby of another cluster.
  package convenience init(standbyOf primary: TestCluster, settings: [String] = []) throws {
    let source = "primary_conninfo=host=\(primary.socket) port=\(primary.port) user=postgres"
    try self.init(settings: [source] + settings) {
      ("\($0)/pg_basebackup", ["-N", "-c", "fast", "-d", primary.replicationTarget, "-D", $1])
    }
  }

  /// - Parameter make: the command that makes the data folder.
  private init(
    settings: [String], extensions: [ExtraExtension] = [],
    make: (_ binaries: String, _ data: String) -> (String, [String])
  ) throws {
    binaries = try Self.findBinaries()
    port = Int.random(in: 20_000...30_000)
    folder = try Self.makeFolder()
    program =
      extensions.isEmpty ? "\(binaries)/postgres" : try ServerCopy(of: binaries, in: folder, extensions).program
    let data = "\(folder)/d"
    let (tool, arguments) = make(binaries, data)
    _ = try ChildRunner(cancellation: Cancellation()).output(of: Self.command(tool, arguments))
    let access = """
      local all all trust
      local replication all trust
      host all locked 127.0.0.1/32 scram-sha-256
      host all all 127.0.0.1/32 trust

      """
    try write(access, to: "\(data)/pg_hba.conf")
    let all =
      [
        "listen_addresses=127.0.0.1", "port=\(port)", "unix_socket_directories=\(socket)", "fsync=off",
        "max_connections=100", "wal_level=logical", "max_prepared_transactions=4", "shared_buffers=64MB",
      ] + settings
    try write(all.map(Self.settingLine).joined(), to: "\(data)/postgresql.auto.conf")
    if tool.hasSuffix("pg_basebackup") { try write("", to: "\(data)/standby.signal") }
    try start()
    atexitFolders.add(self)
  }

  private static func settingLine(_ setting: String) -> String {
    let parts = setting.split(separator: "=", maxSplits: 1)
    return "\(parts.first ?? "") = '\(parts.last ?? "")'\n"
  }

  private var replicationTarget: String { "host=\(socket) port=\(port) user=postgres" }

  deinit { stop() }

  package func start() throws {
    server = try ChildProcess(
      starting: Self.command(program, ["-D", "\(folder)/d"], dyingWithUs: true), capturesOutput: false)
    try waitUntil("the test server answers") { (try? psql("SELECT 1")) == "1" }
  }

  /// Ends the server at once, as a crash would.
  package func kill() {
    guard let server else { return }
    Foundation.kill(server.pid, SIGKILL)
    _ = server.wait()
    self.server = nil
    // Its children notice the death of the postmaster within a moment.
    usleep(300_000)
  }

  /// Runs `body` while every process of the server stands still: connections stay open, and nobody answers.
  package func freeze<Result>(_ body: () throws -> Result) throws -> Result {
    let text = try String(
      contentsOfFile: "/proc/\(server?.pid ?? 0)/task/\(server?.pid ?? 0)/children", encoding: .utf8)
    // setpriv has become the server itself; the backends are its children.
    let processes = [server?.pid].compactMap { $0 } + text.split(separator: " ").compactMap { pid_t($0) }
    for process in processes { Foundation.kill(process, SIGSTOP) }
    defer { for process in processes { Foundation.kill(process, SIGCONT) } }
    return try body()
  }

  package func stop() {
    if let server {
      Foundation.kill(server.pid, SIGQUIT)
      _ = server.wait()
    }
    server = nil
    try? FileManager.default.removeItem(atPath: folder)
  }

  // MARK: SQL

  /// Runs SQL by psql and returns what it prints, without alignment.
  @discardableResult
  package func psql(_ sql: String, database: String = "postgres", user: String = "postgres") throws -> String {
    try output(ofPsql: ["-c", sql], database: database, user: user)
  }

  package func psql(file: String, database: String) throws {
    try output(ofPsql: ["-f", file], database: database, user: "postgres")
  }

  @discardableResult
  private func output(ofPsql arguments: [String], database: String, user: String) throws -> String {
    let target = ["-h", socket, "-p", "\(port)", "-U", user, "-d", database]
    let command = ChildCommand(
      executable: "\(binaries)/psql",
      arguments: ["-X", "-w", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"] + target + arguments,
      environment: Toolbox.baseEnvironment())
    return try ChildRunner(cancellation: Cancellation()).output(of: command).trimmingCharacters(in: .newlines)
  }

  /// The database's URL as a policy has it.
  package func url(_ database: String, user: String = "postgres", password: String? = nil) -> String {
    let name = database.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? database
    return "postgresql://\(user)\(password.map { ":\($0)" } ?? "")@127.0.0.1:\(port)/\(name)"
  }

  /// Names of the databases that are not the server's own.
  package func databases() throws -> [String] {
    try psql("SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY 1")
      .split(separator: "\n").map(String.init)
  }

  // MARK: Set-up

  /// PostgreSQL's server refuses to run as root: then it, and what goes with it, runs as an ordinary user.
  static func command(_ program: String, _ arguments: [String], dyingWithUs: Bool = false) -> ChildCommand {
    guard getuid() == 0 else {
      return ChildCommand(executable: program, arguments: arguments, environment: Toolbox.baseEnvironment())
    }
    let user = serverUser
    return ChildCommand(
      executable: "/usr/bin/setpriv",
      arguments: ["--reuid=\(user)", "--regid=\(group(of: user))", "--clear-groups"]
        + (dyingWithUs ? ["--pdeathsig", "QUIT"] : []) + [program] + arguments,
      environment: Toolbox.baseEnvironment())
  }

  private static var serverUser: String { getpwnam("postgres") != nil ? "postgres" : "nobody" }
  private static func group(of user: String) -> Int { getpwnam(user).map { Int($0.pointee.pw_gid) } ?? 65_534 }

  /// Those that CLUSTER_BIN names, as for the scripts; else the newest.
  private static func findBinaries() throws -> String {
    if let named = ProcessInfo.processInfo.environment["CLUSTER_BIN"] { return named }
    let majors = ((try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? [])
      .compactMap { Int($0) }.sorted(by: >)
    let candidates = majors.map { "/usr/lib/postgresql/\($0)/bin" } + ["/usr/local/pgsql/bin", "/usr/bin"]
    guard let found = candidates.first(where: { access("\($0)/initdb", X_OK) == 0 }) else {
      throw Failure.internalError("initdb was not found: install a PostgreSQL server")
    }
    return found
  }

  /// Where tests put what they make; `scripts/test` names a folder that it removes.
  package static let temporary = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"

  /// Short, since a socket's path may have 107 bytes.
  static func makeFolder() throws -> String {
    var template = Array("\(temporary)/hf-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure.internalError("no temporary folder") }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    try FileManager.default.createDirectory(atPath: "\(path)/s", withIntermediateDirectories: false)
    chmod("\(path)/s", 0o755)
    guard getuid() == 0, let user = getpwnam(serverUser) else { return path }
    for folder in [path, "\(path)/s"] { chown(folder, user.pointee.pw_uid, user.pointee.pw_gid) }
    return path
  }

  private func write(_ text: String, to path: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
  }
}

/// Clusters to stop when the process ends.
private final class Clusters: @unchecked Sendable {
  private let lock = NSLock()
  private var clusters: [Weak] = []
  private struct Weak { weak var cluster: TestCluster? }

  init() {
    atexit {
      atexitFolders.stopAll()
    }
  }

  func add(_ cluster: TestCluster) { lock.withLock { clusters.append(Weak(cluster: cluster)) } }
  func stopAll() { for entry in lock.withLock({ clusters }) { entry.cluster?.stop() } }
}

private let atexitFolders = Clusters()
