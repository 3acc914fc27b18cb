import Diagnostics
import Foundation
import PostgresTools

extension TestCluster {
  /// Runs `body` while another session holds a transaction open in which some SQL was run.
  package func holding<Result>(
    _ sql: String, database: String = "postgres", user: String = "postgres", _ body: () throws -> Result
  ) throws -> Result {
    let name = "other-\(UInt32.random(in: 0...UInt32.max))"
    let command = ChildCommand(
      executable: "\(binaries)/psql",
      arguments: ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", socket, "-p", "\(port)", "-U", user, "-d", database]
        + ["-c", "BEGIN", "-c", sql, "-c", "SELECT pg_sleep(600)"],
      environment: Toolbox.baseEnvironment().merging(["PGAPPNAME": name]) { _, own in own })
    let other = try ChildProcess(starting: command, capturesOutput: false)
    defer {
      other.terminate()
      _ = try? psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '\(name)'")
      _ = other.wait()
    }
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE application_name = '\(name)' AND wait_event = 'PgSleep'"
    guard try eventually({ try psql(sleeping) == "1" }) else {
      throw Failure.internalError("the other session does not hold its transaction")
    }
    return try body()
  }
}
