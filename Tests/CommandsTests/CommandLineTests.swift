import CommandSyntax
import Commands
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite struct CommandLineTests {
  @Test func `the table of commands has no defect`() {
    #expect(CommandTable.holdfast.defects.isEmpty, "\(CommandTable.holdfast.defects)")
  }

  @Test func `every command of the table is built: without a policy it says what is missing`() throws {
    // These two need none.
    for command in CommandTable.holdfast.commands where !["completions", "man"].contains(command.name) {
      let operands = command.operands.filter(\.isRequired).map { _ in "x" }
      let options = command.options.filter(\.isRequired).flatMap { [$0.spelling, "x"] }
      let flags = ["resolve": ["--applied"], "restore": ["--swap"]][command.name] ?? []
      let run = try ProgramRun(command.words + operands + options + flags + ["--policies", "/nowhere", "--json"])
      #expect([66, 78].contains(run.exit), "\(command.name): \(run.stdout)")
    }
  }

  @Test func `every command has help with its own example, asked for in any way`() throws {
    for command in CommandTable.holdfast.commands {
      for line in [["help", command.name], [command.name, "--help"], ["-h", command.name]] {
        let run = try ProgramRun(line)
        #expect(run.exit == 0)
        #expect(run.stderr.isEmpty)
        #expect(run.stdout.contains("holdfast \(command.name)"))
        #expect(run.stdout.contains(try #require(command.examples.first).line))
      }
    }
  }

  @Test func `the program without a command shows its overview, and says what it is asked`() throws {
    #expect(try ProgramRun(["--version"]).stdout.hasPrefix("holdfast 0."))
    #expect(try ProgramRun(["--help"]).stdout.contains("restore"))
    #expect(try ProgramRun([]).exit == 64)
  }

  @Test(arguments: [
    (["bakup"], "backup"), (["restore", "x", "--itno", "y"], "--into"), (["verify", "--levle", "archive"], "--level"),
    (["verify", "--level", "drill"], "checksum"), (["list", "--jsno"], "--json"), (["restore", "x"], "--into"),
    (["restore", "x", "--into", "y", "--verify", "row"], "rows"), (["show"], "ID"),
    (["check", "a", "b"], "holdfast check"),
  ])
  func `a mistyped line ends with 64, what was meant, and one line of usage`(line: [String], meant: String) throws {
    let run = try ProgramRun(line)
    #expect(run.exit == 64)
    #expect(run.stdout.isEmpty)
    #expect(run.stderr.hasPrefix("error: "))
    #expect(run.stderr.contains(meant))
    #expect(run.stderr.contains("holdfast "))
  }

  @Test func `every command that the README shows can be typed`() throws {
    let shown = try documentedLines("README.md") + documentedLines("docs/design.md")
    #expect(shown.count >= 8)
    for line in shown {
      let words = line.split(separator: " ").map(String.init)
      let arguments = Array(words.dropFirst().prefix { !["|", ">", "&&", "#"].contains($0) })
      #expect(throws: Never.self, "\(line)") {
        _ = try CommandTable.holdfast.parse(arguments: arguments, environment: [:])
      }
    }
  }

  @Test func `every exit code is documented`() throws {
    let text = try String(contentsOfFile: "\(SourceTree.path)/docs/exit-codes.md", encoding: .utf8)
    for code in ExitCode.allCases { #expect(text.contains("| \(code.rawValue) |"), "\(code)") }
  }

  /// The lines that call the program: in a block of code, or between backquotes.
  private func documentedLines(_ file: String) throws -> [String] {
    let text = try String(contentsOfFile: "\(SourceTree.path)/\(file)", encoding: .utf8)
    let blocks = text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.compactMap { line in
      line.hasPrefix("$ holdfast ") ? String(line.dropFirst(2)) : line.hasPrefix("holdfast ") ? line : nil
    }
    let inline = text.matches(of: /`(holdfast [a-z-][^`\n]*)`/).map { String($0.1) }
    // A reason in quotes is one word; which one is of no matter here.
    return (blocks + inline).filter { !$0.contains("…") }.map { $0.replacing(/"[^"]*"/, with: "text") }
  }
}
