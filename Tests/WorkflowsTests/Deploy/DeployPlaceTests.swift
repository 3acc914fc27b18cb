import BackupModel
import Foundation
import TestSupport
import Testing

/// Who else is there, and where the database is: runs beside others, roles without rights, poolers and standbys.
@Suite struct DeployPlaceTests {
  private static let name = "20240201000000_more"

  private func withDeploy(on cluster: TestCluster = .shared, _ body: (DeployBench) throws -> Void) throws {
    try DeployBench.with(cluster: cluster) { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      try body(bench)
      #expect(try bench.psql("SELECT to_regclass('more')") == "more")
      #expect(try bench.databases() == [bench.database])
      #expect(try bench.deploys().contains { $0.state == .applied })
      try bench.expectNothingLeft()
    }
  }

  @Test func `two at once, and one beside a deploy, are told who holds the lock`() throws {
    try withDeploy { bench in
      let tools = try StoppableTools(in: "\(bench.bench.folder)/tools", real: bench.cluster.binaries)
      try bench.writePolicy(more: "tools: {directory: \"\(tools.folder)\"}")
      let moment = StoppableTools.Moment("pg_dump.start")
      try tools.arm(moment)
      try bench.migration("20240301000000_later", "CREATE TABLE later (a int);")
      let deploy = try bench.start("deploy")
      try tools.reach(moment)
      for command in ["rollback", "undo", "resume", "abandon", "deploy"] {
        let run = try command == "deploy" ? bench.run(command, "--json") : bench.confirmed(command)
        #expect(run.exit == 75, "\(command): \(run.stdout)")
        #expect(run.json.string("error", "why")?.contains("pid \(deploy.pid)") == true, "\(run.stdout)")
      }
      #expect(try deploy.end(bySending: SIGTERM).exit.code == 143)
      tools.disarm(moment)
    }
  }

  /// What a role with no right but to connect can do to keep others out.
  private static let locks = [
    "SELECT pg_advisory_lock(1751084132, 1)", "SELECT pg_advisory_lock_shared(1751084132, 1)",
  ]

  @Test(arguments: locks + ["turn"]) func `a lock that anybody took keeps nobody from deploying or going back`(
    lock: String
  ) throws {
    try DeployBench.with { bench in
      let role = "stranger_to_\(bench.database)"
      try bench.maintain("CREATE ROLE \(role) LOGIN")
      defer { _ = try? bench.maintain("DROP ROLE \(role)") }
      let turn = "SELECT pg_advisory_lock(1937203568, hashtext('\(bench.database)'))"
      let (sql, database) = lock == "turn" ? (turn, "postgres") : (lock, bench.database)
      try bench.migration("20240301000000_later", "CREATE TABLE later (a int);")
      try bench.cluster.holding(sql, database: database, user: role) {
        let deploy = try bench.run("deploy")
        #expect(deploy.exit == 0, "\(deploy.stderr)")
        #expect(
          lock == "turn" || deploy.stderr.contains(/ended pid [0-9]+ \(other-[0-9]+\), role "stranger/),
          "\(deploy.stderr)")
      }
      try bench.cluster.holding(sql, database: database, user: role) {
        let back = try bench.confirmed("rollback")
        #expect(back.exit == 0, "\(back.stdout)\(back.stderr)")
        #expect(back.stderr.contains(/ended pid [0-9]+ \(other-[0-9]+\), role "stranger/), "\(back.stderr)")
      }
    }
  }

  @Test func `the lock of one who may deploy is waited for, and told with the way out`() throws {
    try withDeploy { bench in
      try bench.migration("20240301000000_later", "CREATE TABLE later (a int);")
      for (sql, database) in [
        (Self.locks[0], bench.database),
        ("SELECT pg_advisory_lock(1937203568, hashtext('\(bench.database)'))", "postgres"),
      ] {
        try bench.cluster.holding(sql, database: database) {
          let run = try bench.confirmed("rollback")
          #expect(run.exit == 75, "\(run.stdout)")
          let why = try #require(run.json.string("error", "why"))
          #expect(why.contains(/pid [0-9]+ \(other-[0-9]+\), role "postgres"/), "\(why)")
          let hint = try #require(run.json.string("error", "next_step"))
          #expect(hint.contains(/SELECT pg_terminate_backend\([0-9]+\)/), "\(hint)")
        }
      }
    }
  }

  @Test func `a role that may not create databases is told so, and nothing is begun`() throws {
    try withDeploy { bench in
      let role = "reader_of_\(bench.database)"
      try bench.psql("CREATE ROLE \(role) LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO \(role)")
      defer { _ = try? bench.psql("DROP OWNED BY \(role); DROP ROLE \(role)") }
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: role))
      let run = try bench.confirmed("rollback")
      #expect(run.exit == 77, "\(run.stdout)")
    }
  }

  @Test func `a pooler is refused`() throws {
    try withDeploy { bench in
      let pooler = try Pooler(before: bench.cluster)
      try bench.writePolicy(url: pooler.url(bench.database))
      for command in ["deploy", "rollback", "undo"] {
        let run = try command == "deploy" ? bench.run(command, "--json") : bench.confirmed(command)
        #expect(run.exit == 78, "\(command): \(run.stdout)")
        #expect(run.json.string("error", "code") == "pooler")
      }
    }
  }

  @Test func `a standby is refused`() throws {
    let primary = try TestCluster()
    defer { primary.stop() }
    try withDeploy(on: primary) { bench in
      let standby = try TestCluster(standbyOf: primary)
      defer { standby.stop() }
      try bench.writePolicy(url: standby.url(bench.database))
      for command in ["deploy", "rollback"] {
        let run = try command == "deploy" ? bench.run(command, "--json") : bench.confirmed(command)
        #expect(run.exit == 78, "\(command): \(run.stdout)")
        #expect(run.json.string("error", "code") == "standby")
      }
    }
  }

  @Test func `neither resume nor abandon touches a script that runs`() throws {
    try DeployBench.with { bench in
      let go = "SELECT 1 FROM customers WHERE name = 'go'"
      try bench.migration(
        Self.name,
        "DO $$ BEGIN FOR i IN 1..2000 LOOP EXIT WHEN EXISTS (\(go)); PERFORM pg_sleep(0.01); END LOOP; END $$;")
      let deploy = try bench.start("deploy", "--json")
      try bench.waitUntilAsleep()
      for command in ["resume", "abandon"] {
        #expect(try bench.confirmed(command).exit == 75)
      }
      // On another machine the file's lock is not seen, but the session's is.
      let path = "\(bench.bench.shelf)/.deploy.lock"
      try FileManager.default.moveItem(atPath: path, toPath: "\(path).elsewhere")
      for command in ["resume", "abandon"] {
        let run = try bench.confirmed(command)
        #expect(run.exit == 75, "\(run.stdout)")
        #expect(run.json.string("error", "why")?.contains("holdfast deploy") == true)
      }
      try bench.psql("UPDATE customers SET name = 'go' WHERE id = 1")
      #expect(try deploy.end().succeeded)
      #expect(try bench.deploys().first?.state == .applied)
    }
  }
}
