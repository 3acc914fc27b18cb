import Foundation
import TestSupport
import Testing

/// What PostgreSQL's programs that are old, missing or broken get.
@Suite struct ToolTests {
  @Test(arguments: ["9.6.24", "14.22"])
  func `a client older than the server is refused before anything is done`(version: String) throws {
    try Workbench.with { bench in
      let tools = try FakeTools(on: bench)
      try tools.replace("pg_dump", version: version, by: "exit 9")
      let run = try backup(bench, tools)
      #expect(run.exit == 69)
      #expect(run.json.string("error", "code") == "client_too_old")
      #expect(run.json.string("error", "next_step")?.contains("postgresql-client-") == true)
      let check = try bench.holdfast("check")
      #expect(check.exit == 2)
      #expect(check.stdout.contains("cannot dump a server of major"))
    }
  }

  @Test func `a pg_dumpall whose output was cut fails the backup, whatever it ended with`() throws {
    try Workbench.with { bench in
      let tools = try FakeTools(on: bench)
      for cut in ["head -c 200", "head -n -4", "true"] {
        try tools.replace("pg_dumpall", by: "\"$real\" \"$@\" | \(cut)")
        let run = try backup(bench, tools)
        #expect(run.exit == 1, "\(cut): \(run.stdout)")
        #expect(run.json.string("error", "what") == "pg_dumpall", "\(cut)")
      }
      #expect(bench.shelfContents().isEmpty)
    }
  }

  @Test func `a folder without tools, with broken ones or with some of them is named`() throws {
    try Workbench.with { bench in
      let none = try FakeTools(on: bench, missing: ["pg_dump"])
      let run = try backup(bench, none)
      #expect(run.exit == 69)
      #expect(run.json.string("error", "code") == "client_missing")
      #expect(run.json.string("error", "why")?.contains(none.directory) == true)

      try Data("#!/bin/sh\nexit 127\n".utf8).write(to: URL(fileURLWithPath: "\(none.directory)/pg_dump"))
      chmod("\(none.directory)/pg_dump", 0o755)
      let broken = try backup(bench, none)
      #expect(broken.exit == 69)
      #expect(broken.json.string("error", "code") == "client_missing")

      try none.replace("pg_dump", by: "exec \"$real\" \"$@\"")
      try FileManager.default.removeItem(atPath: "\(none.directory)/pg_restore")
      let half = try backup(bench, none)
      #expect(half.exit == 69)
      #expect(half.json.string("error", "code") == "tool_missing")
      let check = try bench.holdfast("check")
      #expect(check.exit == 2)
      #expect(check.stdout.contains("pg_restore is missing in"))
    }
  }

  @Test func `a broken program elsewhere on the path does no harm`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a") { bench in
      let folder = "\(bench.folder)/broken"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
      try Data("#!/bin/sh\nexit 3\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/pg_dump"))
      chmod("\(folder)/pg_dump", 0o755)
      let run = try bench.holdfast("backup", environment: ["PATH": "\(folder):/usr/bin:/bin"])
      #expect(run.exit == 0, "\(run.stderr)")
    }
  }

  @Test func `a client with known holes is warned of, and works`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a") { bench in
      let tools = try FakeTools(on: bench)
      try tools.replace("pg_dump", version: "15.1", by: "exec \"$real\" \"$@\"")
      let run = try backup(bench, tools)
      #expect(run.exit == 0)
      #expect(run.stderr.contains("warning: PostgreSQL client 15.1 has known security holes"))
    }
  }

  @Test(arguments: [
    ("echo 'pg_dump: error: disk on fire' >&2; exit 1", "disk on fire"), ("kill -9 $$", "killed by signal 9"),
    ("\"$real\" \"$@\"; exit 4", "exit 4"), ("exit 0", ""),
  ])
  func `a pg_dump that fails, or says that it did not, leaves no backup`(script: String, why: String) throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a") { bench in
      let tools = try FakeTools(on: bench)
      try tools.replace("pg_dump", by: script)
      let run = try backup(bench, tools)
      #expect(run.exit != 0 && run.exit != 70, "\(run.exit)")
      #expect(run.json.string("error", "why")?.contains(why) ?? false || why.isEmpty)
      #expect(run.json.string("error", "what")?.isEmpty == false)
    }
  }

  private func backup(_ bench: Workbench, _ tools: FakeTools) throws -> ProgramRun {
    try bench.writePolicy(more: tools.policy)
    let run = try bench.holdfast("backup", "--json")
    if run.exit != 0 { #expect(bench.shelfContents().isEmpty) }
    return run
  }

  @Test func `a wrapper that is not there is named by its key`() throws {
    try Workbench.with(policy: "tools: {wrapper: [dokcer, exec, -i, postgres]}") { bench in
      let run = try bench.holdfast("backup", "--json")
      #expect(run.exit == 69 && run.json.string("error", "what") == "running dokcer", "\(run.stdout)")
      #expect(run.json.string("error", "next_step")?.contains("tools.wrapper") == true, "\(run.stdout)")
    }
  }
}
