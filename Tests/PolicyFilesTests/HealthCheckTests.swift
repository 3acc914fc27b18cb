import BackupModel
import Testing

@Suite struct HealthCheckTests {
  @Test func `queries and commands are read in their order`() throws {
    let read = try policy(
      adding: #"migrations: {health_checks: [{sql: "SELECT true"}, {command: [curl, -f, x]}], on_failure: rollback}"#)
    #expect(read.migrations.healthChecks == [.sql("SELECT true"), .command(["curl", "-f", "x"])])
    #expect(read.migrations.onFailure == .rollback)
  }

  @Test(arguments: [
    "[{http: x}]", "[{sql: x, command: [y]}]", "[{command: x}]", "[{command: []}]", "[{sql: [x]}]", "[x]", "x",
    "{sql: x}",
  ])
  func `anything else is refused`(value: String) throws {
    let found = try problems(of: withURL("migrations: {health_checks: \(value)}"))
    #expect(found.count == 1)
    #expect(found.first?.contains("migrations.health_checks") == true, "\(found)")
  }
}
