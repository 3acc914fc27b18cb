import BackupModel
import Diagnostics
import Foundation
import Planning
import PostgresTools
import TestSupport
import Testing

@Suite struct ToolboxTests {
  private let runner = ChildRunner(cancellation: Cancellation())
  private var toolbox: Toolbox {
    Toolbox(
      installation: ClientInstallation(
        directory: LoginServer.shared.binaries, version: ClientVersion(major: 0, minor: 0)))
  }

  @Test func `finds the programs of this machine with their versions`() throws {
    let found = try Toolbox.installed(demanded: ToolSettings(), runner: runner)
    let folders = found.map { URL(fileURLWithPath: $0.directory).resolvingSymlinksInPath().path }
    #expect(folders.contains(URL(fileURLWithPath: LoginServer.shared.binaries).resolvingSymlinksInPath().path))
    #expect(Set(folders).count == folders.count)
    #expect(found.allSatisfy { $0.version.major >= 9 })
  }

  @Test func `looks at no other folder than the demanded one`() throws {
    #expect(try Toolbox.installed(demanded: ToolSettings(directory: "/nonexistent"), runner: runner) == [])
    #expect(
      try Toolbox.installed(demanded: ToolSettings(directory: LoginServer.shared.binaries), runner: runner).count == 1)
  }

  @Test(arguments: [
    "postgres://x", "a=b", "it's", "back\\slash", " sp ace ", "ü'\u{301}", "host=elsewhere dbname=x", "-d",
  ])
  func `connects a tool to a database of any name`(name: String) throws {
    try Workbench.with(cluster: LoginServer.shared) { bench in
      try bench.createDatabase(name)
      #expect(try psql("SELECT current_database()", on: LoginServer.target(name)) == name)
    }
  }

  @Test func `hands a password over by a file, never by arguments or environment`() throws {
    let password = "se:cr\\et ü:\u{301}'\""
    let server = try TestCluster()
    let literal = quoteLiteral(password)
    try server.psql("CREATE ROLE locked LOGIN PASSWORD \(literal)")
    var target = LoginServer.target(user: "locked", password: password)
    target.parameters["port"] = "\(server.port)"
    let work = try WorkFolder()
    let file = try #require(try work.passwordFile(for: target))
    let command = toolbox.command(
      "psql", ["-XAtc", "SELECT current_user"], on: target, purpose: "test", passwordFile: file, settings: [:])
    #expect(try runner.output(of: command) == "locked\n")
    let shown = command.arguments + command.environment.flatMap { [$0.key, $0.value] }
    #expect(!shown.contains { $0.contains("se:cr") })
    target.password = Secret("wrong")
    let other = try WorkFolder()
    let wrong = toolbox.command(
      "psql", ["-c", "SELECT 1"], on: target, purpose: "test", passwordFile: try other.passwordFile(for: target),
      settings: [:])
    #expect(throws: Failure.self) { try runner.output(of: wrong) }
  }

  @Test func `a tool's own settings win over the database's and the URL's`() throws {
    try Workbench.with(cluster: LoginServer.shared) { bench in
      try bench.cluster.psql("ALTER DATABASE \"\(bench.database)\" SET timezone = 'Asia/Kathmandu'")
      var target = LoginServer.target(bench.database)
      target.parameters["options"] = "-c timezone=Europe/Berlin -c work_mem=5MB"
      let shown = "SELECT current_setting('timezone'), current_setting('work_mem'), current_setting('application_name')"
      #expect(try psql(shown, on: target, settings: Toolbox.dumpSettings) == "UTC|5MB|holdfast test")
      #expect(try psql(shown, on: target) == "Europe/Berlin|5MB|holdfast test")
    }
  }

  @Test func `passes what libpq has no variable for in the connection string`() throws {
    var target = LoginServer.target()
    target.parameters["keepalives_idle"] = "7"
    let command = toolbox.command("psql", [], on: target, purpose: "test", passwordFile: nil, settings: [:])
    #expect(command.arguments == ["-w", "-d", "dbname='postgres' keepalives_idle='7'"])
    #expect(command.environment["PGHOST"] == "127.0.0.1")
    #expect(command.environment["PGPASSWORD"] == nil)
    #expect(Toolbox.baseEnvironment().keys.allSatisfy { !$0.hasPrefix("PG") })
  }

  private func psql(_ sql: String, on target: ConnectionTarget, settings: [String: String] = [:]) throws -> String {
    let command = toolbox.command(
      "psql", ["-XAtc", sql], on: target, purpose: "test", passwordFile: nil, settings: settings)
    return String(try runner.output(of: command).dropLast())
  }
}
