import Foundation
import PostgresTools
import TestSupport
import Testing

/// What goes to stdout, what to stderr, and what only to a terminal.
@Suite struct ScreenTests {
  private static let table = "CREATE TABLE t AS SELECT generate_series(1, 100) AS a"

  @Test func `results go to stdout, progress to stderr, and nothing moves off a terminal`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let run = try bench.holdfast("backup")
      #expect(run.stdout.wholeMatch(of: /[0-9TZ]+-[0-9a-f]{6} is good\.\n/) != nil)
      for word in ["app (test): \(bench.database) on 127.0.0.1:\(bench.cluster.port) · PostgreSQL", "dump", "verify"] {
        #expect(run.stderr.contains(word))
      }
      #expect(!run.stderr.contains("\u{1B}") && !run.stderr.contains("\r"))
      let json = try bench.holdfast("backup", "--json")
      #expect(json.json.isObject)
      #expect(json.stderr.contains("verify"))
    }
  }

  @Test func `quiet prints no progress, and errors all the same`() throws {
    try Workbench.with(sql: Self.table) { bench in
      #expect(try bench.holdfast("backup", "--quiet").stderr.isEmpty)
      let restore = try bench.holdfast("restore", "latest", "--into", bench.newDatabaseName(), "-q")
      #expect(restore.exit == 0)
      #expect(restore.stderr.isEmpty)
      let failed = try bench.holdfast("restore", "latest", "--into", bench.database, "-q")
      #expect(failed.exit == 73)
      #expect(failed.stderr.hasPrefix("error: "))
    }
  }

  @Test func `a terminal gets colours unless NO_COLOR or the option says otherwise`() throws {
    let red = "\u{1B}[31;1merror:"
    #expect(try onTerminal("holdfast frobnicate").contains(red))
    for line in ["NO_COLOR=1 holdfast frobnicate", "holdfast frobnicate --no-color"] {
      let shown = try onTerminal(line)
      #expect(shown.contains("error: "))
      #expect(!shown.contains("\u{1B}"))
    }
  }

  @Test func `errors and hints are wrapped at words on a terminal, and nowhere else`() throws {
    let shown = try onTerminal("holdfast --no-color list --policies /no/such/folder/of/policies", columns: 50)
    let lines = shown.split(whereSeparator: \.isNewline)
    #expect(lines.count > 2 && lines.allSatisfy { $0.count <= 50 }, "\(shown)")
    let piped = try ProgramRun(["list", "--policies", "/no/such/folder/of/policies"])
    #expect(piped.stderr.split(separator: "\n").count == 2)
    let words = { (text: String) in text.split(whereSeparator: \.isWhitespace) }
    #expect(words(shown) == words(piped.stderr))
  }

  @Test func `a terminal's live line is gone at the end, and is no wider than the terminal`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let tools = try FakeTools(on: bench)
      try tools.replace("pg_dump", by: "sleep 0.3; exec \"$real\" \"$@\"")
      try bench.writePolicy(more: tools.policy)
      let shown = try onTerminal("holdfast backup --policies '\(bench.policies)'", columns: 40)
      let live = shown.split(separator: "\n").flatMap { $0.split(separator: "\r") }
        .filter { $0.hasPrefix("\u{1B}[K  dump") }
      #expect(live.count > 1)
      #expect(live.dropLast().allSatisfy { $0.dropFirst(3).count < 40 })
      #expect(shown.contains("is good."))
    }
  }

  @Test func `a list is for people: newest first, with ages, sizes and proofs`() throws {
    try Workbench.with(sql: Self.table) { bench in
      #expect(try bench.holdfast("list").stdout.contains("There is no backup yet"))
      let first = try bench.backUp("--hold", "--reason", "before the move")
      let second = try bench.backUp()
      let lines = try bench.holdfast("list").stdout.split(separator: "\n")
      #expect(lines.count == 4 && lines[0].contains("\(bench.database) on 127.0.0.1:"), "\(lines)")
      #expect(Set([first, second]) == Set(lines.dropFirst(2).map { String($0.prefix { $0 != " " }) }))
      #expect(lines.filter { $0.contains("before the move") && $0.hasPrefix(first) }.count == 1)
      #expect(lines.dropFirst(2).allSatisfy { $0.contains("archive") && $0.contains("kB") })
      let show = try bench.holdfast("show", first).stdout
      for word in ["complete", "1 table, 100 rows", "before the move", bench.path(of: first)] {
        #expect(show.contains(word), "\(word)")
      }
    }
  }

  @Test func `a result that cannot be written is exit 73 and told on stderr`() throws {
    try Workbench.with(sql: Self.table) { bench in
      for line in [["list"], ["list", "--json"], ["--help"], ["backup"]] {
        let run = try redirected(line + ["--policies", bench.policies], ">/dev/full")
        #expect(run.exit == 73, "\(line): \(run.stderr)")
        #expect(run.stderr.contains("error: writing the result: stdout: No space left on device"), "\(line)")
      }
      #expect(bench.shelfContents().count == 1)
      // A reader that has gone is no error.
      #expect(try redirected(["list", "--policies", bench.policies], "| true").exit == 0)
      let failed = try redirected(["show", "x", "--json", "--policies", bench.policies], ">/dev/full")
      #expect(failed.exit == 66)
      #expect(failed.stderr.contains("error: backup x:"))
    }
  }

  private func redirected(_ arguments: [String], _ redirection: String) throws -> ProgramRun {
    var command = ProgramRun.command(arguments)
    command.arguments = ["-c", "\"$0\" \"$@\" \(redirection)", command.executable] + command.arguments
    command.executable = "/bin/sh"
    return try ProgramRun(running: command)
  }

  @Test
  func
    `a terminal obeys nothing that stands in a reason or a name, and no line of theirs looks like one of Holdfast's`()
    throws
  {
    try Workbench.with(sql: Self.table) { bench in
      try bench.cluster.psql(
        "CREATE TABLE \"a\u{1B}]0;x\u{7}\nstate  complete\" AS SELECT 1 AS a", database: bench.database)
      let id = try bench.backUp("--reason", "a\u{1B}[31m\rb\nstate  complete\u{9B}x")
      let held = try bench.holdfast("hold", id, "--reason", "a\u{1B}[31mred\r\nstate  complete")
      #expect(held.stdout == "\(id) is held: a\\u{1b}[31mred  state  complete\n")
      for line in [["list"], ["show", id]] {
        let run = try ProgramRun(line + ["--policies", bench.policies])
        #expect(run.exit == 0)
        let controls = run.stdout.unicodeScalars.filter { $0.properties.generalCategory == .control && $0 != "\n" }
        #expect(controls.isEmpty, "\(line)")
        #expect(run.stdout.split(separator: "\n").filter { $0.hasPrefix("state") }.count == (line == ["list"] ? 0 : 1))
      }
      let reason = try bench.holdfast("show", id, "--json").json.string("backup", "reason")
      #expect(reason == "a\u{1B}[31m\rb\nstate  complete\u{9B}x")
    }
  }

  /// What a shell line prints on a terminal, by script(1).
  private func onTerminal(_ line: String, columns: Int = 80) throws -> String {
    let folder = (SourceTree.program as NSString).deletingLastPathComponent
    var command = ProgramRun.command(["-q", "-c", "stty cols \(columns); \(line)", "/dev/null"])
    command.executable = "/usr/bin/script"
    command.environment["PATH"] = "\(folder):/usr/bin:/bin"
    command.environment["TERM"] = "xterm"
    return try ProgramRun(running: command).stdout
  }
}
