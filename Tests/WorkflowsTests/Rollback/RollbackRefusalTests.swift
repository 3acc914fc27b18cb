import BackupModel
import Foundation
import TestSupport
import Testing

/// What keeps a rollback from its end leaves the live database as it was.
@Suite struct RollbackRefusalTests {
  private static let name = "20240201000000_more"

  /// - Parameter goesWell: whether to try that the next one does.
  private func withDeploy(next goesWell: Bool = false, _ body: (DeployBench) throws -> Void) throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      try body(bench)
      try bench.expectNothingLeft()
      guard goesWell else { return }
      let rollback = try bench.confirmed("rollback")
      #expect(rollback.exit == 0, "the next one goes well: \(rollback.stdout)")
      #expect(try bench.psql("SELECT to_regclass('more')").isEmpty)
    }
  }

  /// Nothing was swapped, and the deploy stands.
  private func expectUntouched(_ bench: DeployBench) throws {
    #expect(try bench.psql("SELECT to_regclass('more')") == "more")
    #expect(try bench.databases() == [bench.database])
    #expect(try bench.deploys().first?.state == .applied)
  }

  @Test func `a prepared transaction is named, and has to be ended first`() throws {
    try withDeploy { bench in
      let gid = "gid of \(bench.database)"
      try bench.psql("BEGIN; INSERT INTO more VALUES (1); PREPARE TRANSACTION '\(gid)'")
      defer { _ = try? bench.psql("ROLLBACK PREPARED '\(gid)'") }
      for arguments in [["--plan"], ["--confirm", bench.database]] {
        let run = try ProgramRun(running: bench.command(["rollback", "--json"] + arguments))
        #expect(run.exit == 1)
        #expect(run.json.string("error", "code") == "swap_blocked")
        #expect(run.json.string("error", "why")?.contains(gid) == true, "\(run.stdout)")
      }
      try expectUntouched(bench)
    }
  }

  @Test func `slots and subscriptions are named, and stay with the old database`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      let name = "s_\(bench.database)"
      try bench.psql("SELECT pg_create_logical_replication_slot('\(name)', 'pgoutput')")
      defer { _ = try? bench.maintain("SELECT pg_drop_replication_slot('\(name)')") }
      try bench.psql("CREATE SUBSCRIPTION \(name) CONNECTION 'dbname=none' PUBLICATION p WITH (connect = false)")
      let plan = try bench.run("rollback", "--plan").stdout
      #expect(plan.contains("stays there replication slot \(name), subscription \(name)"), "\(plan)")
      let run = try bench.confirmed("rollback")
      #expect(run.exit == 0, "\(run.stdout)")
      let kept = try #require(run.json.string("kept_as"))
      let where_ = "SELECT database FROM pg_replication_slots WHERE slot_name = '\(name)'"
      #expect(try bench.maintain(where_) == kept)
      try bench.psql(
        "ALTER SUBSCRIPTION \(name) SET (slot_name = NONE); DROP SUBSCRIPTION \(name)", database: kept)
    }
  }

  @Test func `a damaged snapshot is noticed before anything is done`() throws {
    try DeployBench.with { bench in
      let older = try bench.bench.backUp()
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      let snapshot = try #require(try bench.deploys().first?.backup)
      let data = "\(bench.bench.path(of: snapshot))/data"
      let file = try #require(
        try FileManager.default.contentsOfDirectory(atPath: data).sorted().first { $0.hasSuffix(".zst") })
      let url = URL(fileURLWithPath: "\(data)/\(file)")
      var bytes = try Data(contentsOf: url)
      bytes[bytes.count / 2] ^= 1
      try bytes.write(to: url)
      for isFirst in [true, false] {
        let run = try bench.confirmed("rollback")
        #expect(run.exit == 65)
        #expect(run.json.string("error", "code") == "backup_damaged", "\(run.stdout)")
        #expect(!isFirst || run.json.string("error", "next_step")?.hasSuffix("--plan --to \(older)") == true)
        try expectUntouched(bench)
      }
      try bench.expectNothingLeft()
    }
  }

  /// A tool, and what it does in place of its work.
  static let failing: [(tool: String, script: String, code: String)] = [
    ("pg_restore", "case \"$*\" in *' -f '*|'-l '*) exec \"$real\" \"$@\";; esac; kill -9 $$", "child_failed"),
    ("pg_dump", plantingDump, "restored_differs"),
  ]

  @Test(arguments: failing) func `a restore beside that fails, or gives another database, is dropped`(
    tool: String, script: String, code: String
  ) throws {
    try withDeploy(next: true) { bench in
      let tools = try StoppableTools(in: "\(bench.bench.folder)/tools", real: bench.cluster.binaries)
      try tools.replace(tool, script)
      try bench.writePolicy(more: "tools: {directory: \"\(tools.folder)\"}")
      let run = try bench.confirmed("rollback")
      #expect(run.exit == (code == "restored_differs" ? 65 : 1), "\(run.stdout)")
      #expect(run.json.string("error", "code") == code, "\(run.stdout)")
      let details = run.json.array("error", "details") as? [String] ?? []
      #expect(details.contains("The live database was not touched."))
      try expectUntouched(bench)
      try tools.restore(tool)
    }
  }

  /// Another row in the dump of the restored database.
  private static let plantingDump = """
    "$real" "$@" | sed 's/^1\\tcustomer 1$/&\\n41\\tcustomer 41/'
    """

  @Test(arguments: ["pg_restore.half", "pg_dump.end"]) func `a rollback that is stopped leaves nothing`(
    moment: String
  ) throws {
    try withDeploy(next: true) { bench in
      let tools = try StoppableTools(in: "\(bench.bench.folder)/tools", real: bench.cluster.binaries)
      try bench.writePolicy(more: "tools: {directory: \"\(tools.folder)\"}")
      try tools.arm(StoppableTools.Moment(moment))
      let rollback = try bench.start("rollback", "--confirm", bench.database)
      try tools.reach(StoppableTools.Moment(moment))
      #expect(try rollback.end(bySending: SIGTERM).exit.code == 143)
      tools.disarm(StoppableTools.Moment(moment))
      try expectUntouched(bench)
    }
  }

  @Test func `what the role may not do is said before anything is restored`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      let role = "roller_\(bench.database)"
      try bench.maintain("CREATE ROLE \(role) LOGIN CREATEDB")
      defer { _ = try? bench.maintain("DROP ROLE \(role)") }
      try bench.psql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO \(role)")
      try bench.maintain("ALTER DATABASE \(bench.database) OWNER TO \(role)")
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: role))
      try bench.cluster.holding("SELECT 1", database: bench.database) {
        let plan = try bench.run("rollback", "--plan")
        #expect(plan.stdout.contains(/blocked by +sessions of "postgres"/), "\(plan.stdout)\(plan.stderr)")
      }
      try bench.maintain("ALTER DATABASE \(bench.database) OWNER TO postgres")
      let run = try bench.confirmed("rollback")
      #expect(run.exit == 77)
      #expect(run.json.string("error", "code") == "no_way_back", "\(run.stdout)")
      try bench.writePolicy()
      try bench.psql("DROP OWNED BY \(role)")
      try bench.expectNothingLeft()
    }
  }
}
