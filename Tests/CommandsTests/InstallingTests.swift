import CommandSyntax
import Commands
import Diagnostics
import Foundation
import TestSupport
import Testing

/// Completions and the manual page of the program itself.
@Suite struct InstallingTests {
  @Test(arguments: CompletingShell.Name.allCases)
  func `every command and option of the program is offered in the shell`(name: CompletingShell.Name) throws {
    let shell = try CompletingShell(name, script: script(name))
    #expect(try shell.syntaxErrors() == "")
    let table = CommandTable.holdfast
    #expect(try shell.offered("holdfast ") == Set(table.firstWords + ["help"]))
    for command in table.commands {
      let options = table.options(of: command).flatMap { [$0.spelling] + ($0.short.map { ["-\($0)"] } ?? []) }
      #expect(try shell.offered("holdfast \(command.name) -") == Set(options), "\(command.name)")
    }
  }

  @Test(arguments: CompletingShell.Name.allCases)
  func `policies are offered from the folder that the line, the environment or the default names`(
    name: CompletingShell.Name
  ) throws {
    let shell = try CompletingShell(name, script: script(name))
    for file in ["policies/app.yaml", "policies/shop.yml", "policies/.hidden.yaml", "policies/$(touch pwned).yaml"] {
      try shell.write("", to: file)
    }
    for file in ["policies/notes.txt", "policies/folder.yaml/x", "o [t]*: her/one.yaml", "o [t]*: her/two.yaml"] {
      try shell.write("", to: file)
    }
    #expect(try shell.offered("holdfast backup ") == ["app", "shop"])
    #expect(try shell.offered("holdfast show --policy ") == ["app", "shop"])
    #expect(try shell.offered("holdfast backup app ").isDisjoint(with: ["app", "shop"]))
    for option in ["--policies 'o [t]*: her'", "--policies=o\\ \\[t\\]\\*:\\ her"] {
      #expect(try shell.offered("holdfast \(option) backup ") == ["one", "two"], "\(option)")
      #expect(try shell.offered("holdfast deploy \(option) ") == ["one", "two"], "\(option)")
    }
    let other = try CompletingShell(name, script: script(name), environment: ["HOLDFAST_POLICIES": "its own"])
    try other.write("", to: "its own/a-1.yaml")
    try other.write("", to: "its own/a-2.yaml")
    #expect(try other.offered("holdfast backup ") == ["a-1", "a-2"])
    #expect(shell.files == ["o [t]*: her", "policies"])
  }

  @Test(arguments: CompletingShell.Name.allCases)
  func `an option that is a flag in one command and takes a value in another is read as the command's`(
    name: CompletingShell.Name
  ) throws {
    let shell = try CompletingShell(name, script: script(name))
    for policy in ["app", "shop"] { try shell.write("", to: "policies/\(policy).yaml") }
    #expect(try shell.offered("holdfast prune --confirm ") == ["app", "shop"])
    #expect(try shell.offered("holdfast rollback --confirm ") == [])
    #expect(try shell.offered("holdfast rollback --confirm db ") == ["app", "shop"])
  }

  @Test(arguments: CompletingShell.Name.allCases)
  func `ids of backups are offered, also when the server is down`(name: CompletingShell.Name) throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a") { bench in
      let ids = [try bench.backUp("--reason", "x\",\"id\":\"evil\""), try bench.backUp()]
      try bench.writePolicy(url: "postgresql://postgres@127.0.0.1:1/x")
      let programs = (SourceTree.program as NSString).deletingLastPathComponent
      let shell = try CompletingShell(name, script: script(name), programs: programs)
      let option = "--policies '\(bench.policies)'"
      #expect(try shell.offered("holdfast \(option) show ") == Set(ids + ["latest"]))
      #expect(try shell.offered("holdfast rollback \(option) --to ") == Set(ids))
      // A policy that is not in order has no ids to offer, and says nothing into the line.
      try bench.writePolicy(more: "nonsense: 1")
      #expect(try !shell.offered("holdfast \(option) show ").contains { $0 != "latest" && !$0.isEmpty })
    }
  }

  @Test(arguments: CompletingShell.Name.allCases)
  func `tables of the newest backup, migrations and deploys are offered`(name: CompletingShell.Name) throws {
    let sql =
      "CREATE TABLE t (); CREATE SCHEMA s; CREATE TABLE s.u_2 (); CREATE TABLE s.u_3 (); CREATE TABLE s.\"$(touch pwned)\" ()"
    try Workbench.with(sql: sql, policy: "migrations: {directory: ../migrations}") { bench in
      let names = ["20250101000000_first", "20250102000000_second"]
      for name in names {
        let migration = "\(bench.folder)/migrations/\(name)"
        try FileManager.default.createDirectory(atPath: migration, withIntermediateDirectories: true)
        try Data("SELECT 1;".utf8).write(to: URL(fileURLWithPath: "\(migration)/migration.sql"))
      }
      try bench.backUp()
      let programs = (SourceTree.program as NSString).deletingLastPathComponent
      let shell = try CompletingShell(name, script: script(name), programs: programs)
      let option = "--policies '\(bench.policies)'"
      let all = try shell.offered("holdfast \(option) restore latest --table ")
      #expect(all == ["public.t", "s.u_2", "s.u_3"], "\(all)")
      let begun = try shell.offered("holdfast \(option) restore latest --table s")
      #expect(begun == ["s.u_2", "s.u_3"], "\(begun)")
      let migrations = try shell.offered("holdfast \(option) baseline --to ")
      #expect(migrations == Set(names), "\(migrations)")
      #expect(!shell.files.contains("pwned"))
    }
  }

  @Test func `a program that does not answer is waited for two seconds`() throws {
    for name in CompletingShell.Name.allCases {
      let shell = try CompletingShell(name, script: script(name), programs: "/nowhere")
      try shell.write("#!/bin/sh\nexec sleep 600\n", to: "bin/holdfast")
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(shell.folder)/bin/holdfast")
      let slow = try CompletingShell(name, script: script(name), programs: "\(shell.folder)/bin")
      let start = ContinuousClock.now
      _ = try slow.shown(["holdfast show "])
      let taken = ContinuousClock.now - start
      #expect(taken > .seconds(1.5) && taken < .seconds(30), "\(name) \(taken)")
    }
  }

  @Test func `a shell that there is not is a mistake in the line`() throws {
    let run = try ProgramRun(["completions", "tcsh"])
    #expect(run.exit == 64)
    #expect(run.stderr.contains("bash, zsh or fish"))
    #expect(try ProgramRun(["completions"]).exit == 64)
    #expect(try ProgramRun(["completions", "fihs"]).stderr.contains("did you mean fish?"))
    #expect(try ProgramRun(["completions", "zsh", "--json"]).json.string("shell") == "zsh")
    #expect(try ProgramRun(["man", "--json"]).json.string("page")?.contains(".TH") == true)
  }

  @Test func `the manual page has everything of the table and every exit code, and troff has nothing to warn of`()
    throws
  {
    let shown = try ManualReader.read(ProgramRun(["man"]).stdout, columns: 120)
    let table = CommandTable.holdfast
    for command in table.commands {
      for form in table.usageForms(of: command) { #expect(shown.contains(form), "\(form)") }
      for option in table.options(of: command) { #expect(shown.contains(option.synopsis), "\(option.synopsis)") }
      for example in command.examples { #expect(shown.contains(example.line), "\(example.line)") }
    }
    for code in ExitCode.allCases { #expect(shown.contains("\(code.rawValue) \(code.meaning)"), "\(code)") }
    for variable in ["HOLDFAST_POLICIES", "NO_COLOR", "DATABASE_URL", "TMPDIR"] { #expect(shown.contains(variable)) }
  }

  @Test func `the manual page's examples can be typed`() throws {
    let page = try ProgramRun(["man"]).stdout
    let examples = try #require(page.split(separator: ".SH \"EXAMPLES\"").last)
    let lines = examples.matches(of: /\\fB(.*holdfast.*)\\fR/).map { String($0.1).replacing("\\-", with: "-") }
    #expect(lines.count >= 4)
    // In a shell the last of three runs whenever either of the others fails.
    #expect(lines.allSatisfy { !($0.contains("&&") && $0.contains("||")) }, "\(lines)")
    for call in lines.flatMap({ $0.matches(of: /holdfast ([a-z -]+)/) }) {
      let arguments = call.1.split(separator: " ").map(String.init)
      #expect(throws: Never.self, "\(call.0)") {
        _ = try CommandTable.holdfast.parse(arguments: arguments, environment: [:])
      }
    }
  }

  @Test func `exit codes mean the same on the manual page and in the documents`() throws {
    let text = try String(contentsOfFile: "\(SourceTree.path)/docs/exit-codes.md", encoding: .utf8)
    for code in ExitCode.allCases { #expect(text.contains("| \(code.rawValue) | \(code.meaning) |"), "\(code)") }
  }

  private func script(_ name: CompletingShell.Name) throws -> String {
    try ProgramRun(["completions", name.rawValue]).stdout
  }

  @Test func `the deploy hook passes exit codes through, and has the name that it was started by`() throws {
    try Workbench.with { bench in
      let hook = "\(bench.folder)/holdfast-deploy-hook"
      try FileManager.default.createSymbolicLink(
        atPath: hook, withDestinationPath: "\(SourceTree.path)/scripts/deploy-hook")
      func run(_ arguments: [String]) throws -> ProgramRun {
        var command = ProgramRun.command(
          arguments, ["HOLDFAST": SourceTree.program, "HOLDFAST_POLICIES": bench.policies, "HOLDFAST_WAIT": "1s"])
        command.executable = hook
        return try ProgramRun(running: command)
      }
      let usage = try run([])
      #expect(usage.exit == 64 && usage.stderr.hasPrefix("usage: holdfast-deploy-hook "), "\(usage.stderr)")
      #expect(try run(["nosuch", "--", "true"]).exit == 66)
    }
  }
}
