import Foundation
import TestSupport
import Testing

/// Which policy is meant, and what one that is not in order gets.
@Suite struct PolicyTests {
  @Test func `all that is wrong with a policy is told at once, with file, line, key and what was meant`() throws {
    try Workbench.with(policy: "retntion: {}\nbackup: {jobs: many}\nverify: {after_backup: archiv}") { bench in
      for line in [["backup"], ["check"], ["list"], ["restore", "latest", "--into", "x"]] {
        let run = try ProgramRun(line + ["--policies", bench.policies])
        #expect(run.exit == 78)
        #expect(run.stdout.isEmpty)
        for word in ["app.yaml", "retntion", "retention", "backup.jobs", "verify.after_backup", "archive"] {
          #expect(run.stderr.contains(word), "\(word) in \(run.stderr)")
        }
      }
    }
  }

  @Test func `a policy that is broken keeps nobody from the backups of the others`() throws {
    try Workbench.with(sql: "CREATE TABLE t ()") { bench in
      let id = try bench.backUp()
      try "version: 1\ndatabase: {url: \"${NOT_SET_ANYWHERE}\"}\n"
        .write(toFile: "\(bench.policies)/other.yaml", atomically: true, encoding: .utf8)
      for command in [["list"], ["verify", "--all"]] {
        let run = try ProgramRun(command + ["--json", "--policies", bench.policies])
        #expect(run.exit == 78)
        #expect(run.stdout.contains(id) && run.stdout.contains("NOT_SET_ANYWHERE"), "\(run.stdout)")
      }
      #expect(try bench.holdfast("verify", "--all", "--json").json.value(["ok"]) as? Bool == false)
      #expect(try bench.holdfast("list").stdout.contains("Also there") == false)
      for command in [["show", id], ["verify", id], ["restore", id, "--into", bench.newDatabaseName()]] {
        let run = try ProgramRun(command + ["--policies", bench.policies])
        #expect(run.exit == 0 && run.stderr.contains("policy other is passed over"), "\(run.stderr)")
      }
      #expect(try bench.holdfast("show", String(id.prefix(8))).exit == 78, "so may what begins so")
      let latest = try bench.holdfast("show", "latest")
      #expect(
        latest.exit == 78 && latest.stderr.contains("NOT_SET_ANYWHERE"), "it may be of that one: \(latest.stderr)")
      #expect(try bench.holdfast("show", "latest", "--policy", "app").exit == 0)
      // Damage comes first, and hides no policy.
      try Data().write(to: URL(fileURLWithPath: "\(bench.path(of: id))/globals.sql"))
      let damaged = try bench.holdfast("verify", "--all")
      #expect(damaged.exit == 65 && damaged.stderr.contains("NOT_SET_ANYWHERE"), "\(damaged.stderr)")
    }
  }

  @Test func `where there are several policies, what is to be typed names the one`() throws {
    try Workbench.with(sql: "CREATE TABLE t ()") { bench in
      #expect(try bench.holdfast("status").stdout.contains("-> holdfast backup\n"))
      try bench.writePolicy(name: "web")
      let status = try bench.holdfast("status", "app")
      #expect(status.stdout.contains("-> holdfast backup app\n"), "\(status.stdout)")
      let id = try #require(
        try bench.holdfast("backup", "app", "--reason", "before holdfast deploy", "--json").json.string("backup", "id"))
      #expect(try bench.holdfast("rollback", "app").stderr.contains("holdfast rollback app --to ID"))
      #expect(try bench.holdfast("show", id, "--policy", "app").stdout.contains("reason: before holdfast deploy\n"))
      try Data().write(to: URL(fileURLWithPath: "\(bench.path(of: id))/data/toc.dat"))
      #expect(try bench.holdfast("verify", id).stderr.contains("take a new one: holdfast backup app\n"))
    }
  }

  @Test func `a key whose feature comes later is refused, never ignored`() throws {
    try Workbench.with(policy: "encryption: {recipients: [age1xyz]}") { bench in
      let run = try bench.holdfast("backup", "--json")
      #expect(run.exit == 78)
      #expect(run.stdout.contains("encryption"))
      #expect(bench.shelfContents().isEmpty)
    }
  }

  @Test func `the only policy needs no name, one of several does, and a mistyped one is guessed`() throws {
    try Workbench.with { bench in
      let only = try bench.backUp()
      #expect(try bench.holdfast("show", "latest", "--json").json.string("backup", "id") == only)
      try bench.writePolicy(name: "web")
      let which = try bench.holdfast("backup")
      #expect(which.exit == 64)
      #expect(which.stderr.contains("app, web"))
      let mistyped = try bench.holdfast("backup", "wbe")
      #expect(mistyped.exit == 66)
      #expect(mistyped.stderr.contains("did you mean web?"))
    }
  }

  @Test func `no policy at all leads to init`() throws {
    try Workbench.with { bench in
      let empty = "\(bench.folder)/empty"
      try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: false)
      for folder in [empty, "\(bench.folder)/missing"] {
        for command in ["backup", "list", "check", "verify"] {
          let run = try ProgramRun([command, "--policies", folder])
          #expect(run.exit == 66)
          #expect(run.stderr.contains("holdfast init"))
        }
      }
    }
  }

  @Test func `two policies in one repository keep their backups apart`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a") { bench in
      try bench.writePolicy(name: "web")
      let app = try bench.backUp("app")
      let web = try bench.backUp("web")
      #expect(try Set(ids(bench.holdfast("list", "--json"))) == [app, web])
      #expect(try ids(bench.holdfast("list", "web", "--json")) == [web])
      let either = try bench.holdfast("restore", "latest", "--into", bench.newDatabaseName(), "--json")
      #expect(either.exit == 64)
      #expect(either.json.string("error", "code") == "ambiguous_backup")
      let one = try bench.holdfast("show", "latest", "--policy", "web", "--json")
      #expect(one.json.string("backup", "policy") == "web")
      #expect(try bench.holdfast("verify", web, "--policy", "app").exit == 66)
      #expect(try bench.holdfast("list").stdout.contains("policy"))
    }
  }

  @Test func `the folder of policies comes from the option, else from the environment`() throws {
    try Workbench.with { bench in
      let folder = ["HOLDFAST_POLICIES": bench.policies]
      let run = try ProgramRun(["list", "--json"], environment: folder)
      #expect(run.exit == 0)
      #expect(try ProgramRun(["list", "--policies", "/nowhere"], environment: folder).exit == 66)
    }
  }

  private func ids(_ run: ProgramRun) -> [String] {
    (run.json.array("backups") ?? []).compactMap { ($0 as? [String: Any])?["id"] as? String }
  }
}
