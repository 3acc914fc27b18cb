import Foundation
import TestSupport
import Testing

@Suite struct CheckTests {
  @Test func `all problems come in one list, each with its fix`() throws {
    try Workbench.with(sql: "CREATE TABLE secret (a int)") { bench in
      let role = "checker_\(bench.database)"
      try bench.cluster.psql("CREATE ROLE \(role) LOGIN")
      defer { _ = try? bench.cluster.psql("DROP ROLE \(role)") }
      let tools = try FakeTools(on: bench, missing: ["pg_restore"])
      try FileManager.default.removeItem(atPath: bench.repository)
      try Data().write(to: URL(fileURLWithPath: bench.repository))
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: role), more: tools.policy)
      let run = try bench.holdfast("check", "--json")
      #expect(run.exit == 2)
      #expect(run.json.flag("ok") == false)
      let problems = (run.json.array("problems") ?? []).compactMap { $0 as? [String: Any] }
      let texts = problems.compactMap { $0["problem"] as? String }
      #expect(texts.count == 3)
      for word in ["repository", "pg_restore", "secret"] { #expect(texts.contains { $0.contains(word) }, "\(word)") }
      #expect(problems.allSatisfy { ($0["fix"] as? String)?.isEmpty == false })
      let warnings = "\(run.json.array("warnings") ?? [])"
      #expect(warnings.contains("create databases") && warnings.contains("passwords"))

      let plain = try bench.holdfast("check")
      #expect(plain.exit == 2)
      #expect(plain.stdout.hasPrefix("app (test): 3 problems"))
      #expect(plain.stdout.contains("→ GRANT SELECT ON public.secret TO"))
    }
  }

  @Test func `a damaged backup and a server that is down are problems side by side`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a") { bench in
      let id = try bench.backUp()
      try Data().write(to: URL(fileURLWithPath: "\(bench.path(of: id))/RESTORE.md"))
      #expect(try bench.holdfast("verify", id).exit == 65)
      try bench.writePolicy(url: "postgresql://postgres@127.0.0.1:1/x")
      let check = try bench.holdfast("check", "--json")
      #expect(check.exit == 2)
      #expect(check.json.array("problems")?.count == 2)
      #expect(check.stdout.contains("backup \(id) is damaged"))
      #expect(check.stdout.contains("PostgreSQL client"))
    }
  }

  @Test func `migrations that are not where the policy says are warned of`() throws {
    try Workbench.with { bench in
      let folder = "\(bench.folder)/migrations"
      try bench.writePolicy(more: "migrations: {directory: \(folder)}")
      let missing = try bench.holdfast("check", "--json")
      #expect(missing.exit == 0, "a new project has none yet")
      #expect("\(missing.json.array("warnings") ?? [])".contains(folder), "\(missing.stdout)")
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
      #expect(try bench.holdfast("check").stdout.contains("✓ 0 migrations in \(folder)"))
    }
  }

  @Test func `with --wait a server that comes up later is in order`() throws {
    let cluster = try TestCluster()
    defer { cluster.stop() }
    try Workbench.with(cluster: cluster) { bench in
      cluster.kill()
      let check = try bench.start("check", "--wait", "60s")
      // Only while it is down does waiting mean anything: it has tried and not given up.
      let early = try bench.holdfast("check", "--json")
      #expect(early.exit == 2)
      try cluster.start()
      #expect(check.wait().code == 0)
    }
  }

  @Test func `with --wait a server that never comes up is a problem once the time is over`() throws {
    try Workbench.with { bench in
      try bench.writePolicy(url: "postgresql://postgres@127.0.0.1:1/x")
      let start = Date()
      let run = try bench.holdfast("check", "--wait", "1s", "--json")
      #expect(run.exit == 2)
      #expect(run.stdout.contains("refused"))
      #expect((1..<30).contains(Date().timeIntervalSince(start)))
    }
  }

  @Test func `with --wait a database that does not exist is no matter of waiting`() throws {
    try Workbench.with { bench in
      try bench.writePolicy(url: bench.cluster.url("not there"))
      let start = Date()
      #expect(try bench.holdfast("check", "--wait", "1h").exit == 2)
      #expect(Date().timeIntervalSince(start) < 60)
    }
  }

  @Test func `it changes nothing`() throws {
    try Workbench.with { bench in
      try FileManager.default.removeItem(atPath: bench.repository)
      let run = try bench.holdfast("check")
      #expect(run.exit == 2)
      #expect(access(bench.repository, F_OK) != 0)
    }
  }
}
