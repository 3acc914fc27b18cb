import Diagnostics
import Foundation
import PostgresTools

/// PgBouncer in transaction mode before a cluster, for one test. A missing pgbouncer is a failure, never a skip.
package final class Pooler {
  package let port: Int
  private let folder: String
  private let process: ChildProcess

  package init(before cluster: TestCluster) throws {
    let places = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
    guard let program = places.first(where: FileManager.default.isExecutableFile) else {
      throw Failure.internalError("pgbouncer was not found: install it")
    }
    port = Int.random(in: 30_001...32_000)
    folder = try TestCluster.makeFolder()
    let settings = """
      [databases]
      * = host=127.0.0.1 port=\(cluster.port)
      [pgbouncer]
      listen_addr = 127.0.0.1
      listen_port = \(port)
      unix_socket_dir =
      auth_type = any
      pool_mode = transaction
      ignore_startup_parameters = extra_float_digits

      """
    // `any` makes every client the one user of the database's entry.
    try settings.replacing("port=\(cluster.port)", with: "port=\(cluster.port) user=postgres")
      .write(toFile: "\(folder)/pgbouncer.ini", atomically: false, encoding: .utf8)
    process = try ChildProcess(
      starting: TestCluster.command(program, ["\(folder)/pgbouncer.ini"], dyingWithUs: true), capturesOutput: false)
    try waitUntil("pgbouncer listens") { isListening }
  }

  deinit {
    process.terminate()
    _ = process.wait()
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// The URL of a database by way of the pooler.
  package func url(_ database: String) -> String { "postgresql://postgres@127.0.0.1:\(port)/\(database)" }

  /// What another client of the pooler's sees.
  package func psql(_ sql: String, database: String) throws -> String {
    let command = ChildCommand(
      executable: "/usr/bin/psql", arguments: ["-X", "-w", "-q", "-A", "-t", "-c", sql, url(database)],
      environment: Toolbox.baseEnvironment())
    return try ChildRunner(cancellation: Cancellation()).output(of: command).trimmingCharacters(in: .newlines)
  }

  private var isListening: Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    } == 0
  }
}
