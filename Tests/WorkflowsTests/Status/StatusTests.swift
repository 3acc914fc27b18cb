import Foundation
import TestSupport
import Testing

/// What `status` and `migrations` say while a deploy runs, and after one was killed.
@Suite struct StatusTests {
  @Test func `a database that is not there is worth attention`() throws {
    try DeployBench.with { bench in
      #expect(try bench.run("backup").exit == 0)
      #expect(try bench.run("status").exit == 0)
      let first = bench.database
      try bench.move(to: "\(first)_gone")
      let run = try bench.run("status")
      #expect(run.exit == 2)
      #expect(run.stdout.contains("there is no database \(first)_gone"), "\(run.stdout)")
      #expect(run.stdout.contains("no good backup of this database yet"), "\(run.stdout)")
      #expect(try bench.run("status", "--json").json.string("last_good") == nil)
      try bench.move(to: first)
    }
  }

  @Test func `a backup of the same name from another server is told to be that`() throws {
    let elsewhere = try TestCluster()
    defer { elsewhere.stop() }
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a") { bench in
      let id = try bench.backUp()
      #expect(try bench.holdfast("status", "--json").json.string("last_good", "id") == id)
      try elsewhere.psql("CREATE DATABASE \"\(bench.database)\"")
      try bench.writePolicy(
        url: elsewhere.url(bench.database), more: "retention: {keep_last: 1, minimum_verified: 0}")
      let status = try bench.holdfast("status", "--json")
      #expect(status.exit == 2 && status.json.string("last_good", "id") == nil, "\(status.stdout)")
      let plan = try bench.holdfast("rollback", "--to", id, "--plan")
      #expect(plan.exit == 0 && plan.stdout.contains("ANOTHER SERVER"), "\(plan.stdout)\(plan.stderr)")
      // Neither takes the other's place.
      let other = try bench.backUp()
      #expect(Set(bench.shelfContents().filter { !$0.hasPrefix(".") }) == [id, other])
      #expect(try bench.holdfast("status", "--json").json.string("last_good", "id") == other)
      #expect(try !bench.holdfast("rollback", "--to", other, "--plan").stdout.contains("ANOTHER SERVER"))
      // The newest of this server's, though one of the other's is newer.
      try bench.writePolicy()
      let latest = try bench.holdfast("rollback", "--to", "latest", "--plan", "--json")
      #expect(latest.stdout.contains(id) && !latest.stdout.contains(other), "\(latest.stdout)")
      // The other's do not stand in for this one's where those are damaged.
      let archive = URL(fileURLWithPath: "\(bench.path(of: id))/data/toc.dat")
      let whole = try Data(contentsOf: archive)
      try (whole + [0]).write(to: archive)
      #expect(try bench.holdfast("verify", id).exit == 65)
      for command in [["rollback", "--to", "latest"], ["restore", "latest", "--swap"]] {
        let run = try ProgramRun(command + ["--confirm", bench.database, "--policies", bench.policies])
        #expect(run.exit == 66 && run.stderr.contains("give its id, \(other)"), "\(run.stdout)\(run.stderr)")
      }
      try whole.write(to: archive)
      #expect(try bench.holdfast("verify", id).exit == 0)
      let swap = try bench.holdfast("restore", "latest", "--swap", "--confirm", bench.database, "--json")
      #expect(swap.exit == 0 && swap.json.string("backup") == id, "\(swap.stdout)\(swap.stderr)")
      let audit = try String(contentsOfFile: "\(bench.repository)/audit.jsonl", encoding: .utf8)
      #expect(audit.split(separator: "\n").last?.contains(id) == true, "\(audit)")
    }
  }

  @Test func `a deploy that runs is not told to be interrupted, and one that was killed is`() throws {
    try DeployBench.with { bench in
      let name = "20240201000000_more"
      try bench.migration(name, "CREATE TABLE more (a int);\nSELECT pg_sleep(600);")
      let deploy = try bench.start("deploy")
      try bench.waitUntilAsleep()

      let running = try bench.run("status", "--json").json
      #expect(running.flag("open_deploy_runs") == true)
      #expect(running.string("deploys", 0, "deploy") == running.string("open_deploy"))
      #expect(running.string("deploys", 0, "state") == "open")
      #expect(running.array("deploys", 0, "pending") as? [String] == [name])
      let screen = try bench.run("status").stdout
      #expect(screen.contains(/is running: deploy, pid \d+ on \S+/), "\(screen)")
      #expect(!screen.contains("holdfast resume"))
      let list = try bench.run("migrations").stdout
      #expect(list.contains("running     \(name)"), "\(list)")
      #expect(list.contains(/holds the migration lock: pid \d+ \(holdfast deploy\)/), "\(list)")
      #expect(try bench.run("migrations", "--json").json.array("running") as? [String] == [name])
      #expect(!list.contains("holdfast resolve"))

      _ = try deploy.end(bySending: SIGKILL)
      let killed = try bench.run("status", "--json").json
      #expect(killed.flag("open_deploy_runs") == false)
      #expect(try bench.run("status").stdout.contains("was interrupted (open)   -> holdfast resume"))
      try waitUntil("its sessions are gone") {
        try bench.run("migrations").stdout.contains("was interrupted: holdfast resume, or holdfast abandon")
      }
      #expect(try bench.confirmed("abandon").exit == 0)
      #expect(try bench.run("status", "--json").json.string("deploys", 0, "state") == "abandoned")
      try bench.expectNothingLeft()
    }
  }

  @Test func `looking at a policy keeps nobody from its lock`() throws {
    try DeployBench.with { bench in
      try bench.migration("20240201000000_more", "SELECT pg_sleep(600);")
      let deploy = try bench.start("deploy")
      try bench.waitUntilAsleep()
      _ = try deploy.end(bySending: SIGKILL)
      // What is open makes each status look at the lock, for an instant.
      let lookers = try (0..<4).map { _ in try bench.start("status") }
      #expect(try bench.confirmed("abandon").exit == 0)
      for looker in lookers { _ = try looker.end() }
    }
  }

  @Test func `to resolve what has no failed row says that nothing was changed`() throws {
    try DeployBench.with { bench in
      let name = "20240201000000_more"
      try bench.migration(name, "SELECT 1/0;")
      #expect(try bench.run("deploy").exit == 1)
      for state in ["rolled-back", "unchanged"] {
        let run = try bench.run("resolve", name, "--rolled-back", "--json")
        #expect(run.exit == 0 && run.json.string("state") == state, "\(run.stdout)")
      }
    }
  }

  @Test func `a failed deploy needs attention until it is rolled back, followed by a good one, or accepted`() throws {
    let check = "health_checks: [{sql: SELECT count(*) = 0 FROM more}]"
    try DeployBench.with(settings: [check]) { bench in
      func reasons() throws -> [String]? { try bench.run("status", "--json").json.array("reasons") as? [String] }
      try bench.migration("20240201000000_more", "CREATE TABLE more AS SELECT 1;")
      #expect(try bench.run("deploy").exit == 1)
      #expect(try reasons() == ["failed_deploy"])
      let screen = try bench.run("status")
      let snapshot = try #require(try bench.deploys().first?.backup)
      #expect(screen.exit == 2 && screen.stdout.contains("holdfast release \(snapshot)"), "\(screen.stdout)")
      let release = try bench.run("release", snapshot)
      #expect(release.exit == 0 && release.stderr.contains("is its way back"), "\(release.stderr)")
      #expect(try reasons() == [])
      try bench.set([])
      try bench.deploy("20240301000000_later", "SELECT 1;")
      #expect(try reasons() == [])
      // The snapshot of the last one goes.
      let last = try #require(try bench.deploys().first?.backup)
      try FileManager.default.removeItem(atPath: bench.bench.path(of: last))
      #expect(try reasons() == ["no_way_back"])
    }
  }

  @Test func `a backup that did not happen is seen by status and check`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a", policy: "backup: {max_age: 1s}") { bench in
      #expect(try bench.holdfast("check").exit == 0)
      try bench.backUp()
      sleep(2)
      let status = try bench.holdfast("status", "--json")
      #expect(status.exit == 2 && status.json.array("reasons") as? [String] == ["stale_backup"], "\(status.stdout)")
      #expect(try bench.holdfast("status").stdout.contains("TOO OLD"))
      let check = try bench.holdfast("check")
      #expect(check.exit == 2 && check.stdout.contains("older than backup.max_age"), "\(check.stdout)")
      try bench.writePolicy(more: "backup: {max_age: 26h}")
      #expect(try bench.holdfast("status").exit == 0)
      #expect(try bench.holdfast("check").exit == 0)
    }
  }

  @Test func `of several policies all are shown, and the worst counts`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a") { bench in
      try bench.backUp()
      try bench.writePolicy(name: "web")
      for command in ["status", "check"] {
        let run = try bench.holdfast(command, "--json")
        #expect(run.exit == (command == "status" ? 2 : 0), "\(run.stdout)")
        #expect(run.json.array("policies")?.count == 2 && run.json.string("policies", 1, "policy") == "web")
        #expect(try bench.holdfast(command, "app", "--json").json.string("policy") == "app")
      }
      let screen = try bench.holdfast("status").stdout
      #expect(screen.contains("-> holdfast backup web"), "\(screen)")
      try Data("nonsense: 1".utf8).write(to: URL(fileURLWithPath: "\(bench.policies)/broken.yaml"))
      let broken = try bench.holdfast("status", "--json")
      #expect(broken.exit == 78 && broken.json.array("policies")?.count == 2, "\(broken.stdout)")
    }
  }

  @Test func `after a failed migration status says what the deploy said`() throws {
    try DeployBench.with { bench in
      let name = "20240201000000_more"
      try bench.migration(name, "SELECT 1/0;")
      let deploy = try bench.run("deploy")
      #expect(deploy.stderr.contains("holdfast resolve \(name) --rolled-back"), "\(deploy.stderr)")
      let status = try bench.run("status").stdout
      let advice = "-> holdfast rollback, or correct what failed and: holdfast resolve \(name) --rolled-back"
      #expect(status.contains(advice), "\(status)")
    }
  }
}
