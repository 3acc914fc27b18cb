import Foundation
import TestSupport
import Testing

/// The next step leads on, whatever has happened.
@Suite struct NextStepTests {
  private func damage(_ bench: Workbench, _ id: String) throws {
    let url = URL(fileURLWithPath: "\(bench.path(of: id))/globals.sql")
    var bytes = try Data(contentsOf: url)
    bytes.append(0x0A)
    try bytes.write(to: url)
  }

  @Test func `whoever meets a damaged backup, or mistypes an id, is told of the newest good one`() throws {
    try Workbench.with(sql: "CREATE TABLE t ()") { bench in
      let (good, bad) = (try bench.backUp(), try bench.backUp())
      try damage(bench, bad)
      for _ in 0..<2 {
        for target in [["--into", bench.newDatabaseName()], ["--swap", "--confirm", bench.database]] {
          let run = try ProgramRun(["restore", bad, "--json", "--policies", bench.policies] + target)
          #expect(run.exit == 65, "\(run.stdout)")
          #expect(run.json.string("error", "next_step")?.hasSuffix(good) == true, "\(run.stdout)")
        }
      }
      let show = try bench.holdfast("show", "nope", "--json")
      #expect(show.json.string("error", "next_step")?.hasSuffix(good) == true, "\(show.stdout)")
    }
  }

  @Test func `a backup of another database never stands in for a damaged one`() throws {
    try Workbench.with(sql: "CREATE TABLE t ()") { bench in
      let bad = try bench.backUp()
      let other = bench.newDatabaseName("other")
      try bench.cluster.psql("CREATE DATABASE \"\(other)\"")
      try bench.writePolicy(url: bench.cluster.url(other))
      let good = try bench.backUp()
      try damage(bench, bad)
      let all = try bench.holdfast("verify", "--all", "--json")
      #expect(all.exit == 65)
      #expect(all.json.string("error", "next_step")?.contains("holdfast list shows") == true, "\(all.stdout)")
      for command in [["verify", bad], ["export", bad], ["restore", bad, "--into", bench.newDatabaseName()]] {
        let run = try ProgramRun(command + ["--policies", bench.policies])
        #expect(run.exit == 65)
        #expect(!run.stderr.contains(good), "\(run.stderr)")
      }
      let latest = try bench.holdfast("show", "latest")
      #expect(latest.exit == 0 && !latest.stderr.contains("is damaged; this is"), "\(latest.stderr)")
    }
  }

  @Test(arguments: [
    ["--swap", "--verify", "rows"], ["--swap", "--no-analyze"], ["--into", "x", "--confirm", "x"],
  ]) func `an option that a restore would ignore is refused`(options: [String]) throws {
    try Workbench.with { bench in
      let run = try ProgramRun(["restore", "latest", "--json", "--policies", bench.policies] + options)
      #expect(run.exit == 64, "\(run.stdout)")
    }
  }

  @Test func `a database.url that is none is told with its file and line, and nothing of it is shown`() throws {
    try Workbench.with { bench in
      try bench.writePolicy(url: "mysql://user:hidden@host/db")
      for command in [["check"], ["backup"], ["deploy"]] {
        let run = try ProgramRun(command + ["--policies", bench.policies])
        #expect(run.exit == 78)
        #expect(run.stderr.contains("policies/app.yaml:3: database.url: it is neither a URL"), "\(run.stderr)")
        #expect(!run.stderr.contains("warning"))
        #expect(!run.stderr.contains("hidden"))
      }
    }
  }

  @Test func `an address is told once, and without tabs`() throws {
    try Workbench.with { bench in
      try bench.writePolicy(url: "postgresql://u@127.0.0.1:1/db")
      let run = try bench.holdfast("backup", "--json")
      let why = try #require(run.json.string("error", "why"))
      #expect(why.hasPrefix("Connection refused"), "\(why)")
      #expect(!why.contains("\t"))
    }
  }
}
