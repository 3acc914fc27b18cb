import Foundation
import TestSupport
import Testing

/// `--json`: one document, with the fields that scripts rely on.
@Suite struct DocumentTests {
  private static let backupFields: Set<String> = [
    "id", "policy", "database", "reason", "created_at", "state", "format", "bytes", "held", "path", "deploy",
    "verification", "complete", "missing",
  ]

  @Test func `every command prints one document with the fields of the contract`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a") { bench in
      let backup = try document(bench.holdfast("backup", "--reason", "by \"hand\"\n", "--json"))
      let id = try #require(backup.string("backup", "id"))
      #expect(fields(backup, "backup").isSuperset(of: Self.backupFields))
      #expect(backup.string("backup", "reason") == "by \"hand\"\n")
      #expect(backup.string("backup", "state") == "complete")
      #expect(backup.string("backup", "format") == "directory")
      #expect(backup.string("backup", "path") == bench.path(of: id))
      #expect(backup.string("backup", "created_at")?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil)
      #expect(backup.flag("backup", "held") == false)
      #expect(fields(backup, "backup", "verification") == ["level", "ok", "at"])
      #expect(backup.string("backup", "verification", "level") == "archive")

      let show = try document(bench.holdfast("show", id, "--json"))
      #expect(fields(show, "backup").isSuperset(of: Self.backupFields))
      let list = try document(bench.holdfast("list", "--json"))
      #expect(list.array("backups")?.count == 1)
      #expect(fields(list, "backups", 0).isSuperset(of: Self.backupFields))

      for level in ["checksum", "archive"] {
        let verify = try document(bench.holdfast("verify", id, "--level", level, "--json"))
        #expect(fields(verify) == ["backup", "level", "ok", "seconds", "problems", "warnings"])
        #expect(verify.string("level") == level)
        #expect(verify.flag("ok") == true)
      }
      let all = try document(bench.holdfast("verify", "--all", "--json"))
      #expect(fields(all, "results", 0) == ["backup", "level", "ok", "seconds", "problems", "warnings"])

      #expect(try document(bench.holdfast("hold", id, "--json")).flag("backup", "held") == true)
      #expect(try document(bench.holdfast("release", id, "--json")).flag("backup", "held") == false)

      let copy = bench.newDatabaseName()
      let restore = try document(bench.holdfast("restore", id, "--into", copy, "--json"))
      #expect(fields(restore) == ["backup", "database", "seconds", "verification", "kept_as"])
      #expect(restore.string("database") == copy)
      let check = try document(bench.holdfast("check", "--json"))
      #expect(fields(check) == ["policy", "ok", "problems", "warnings", "in_order"])
      #expect(check.flag("ok") == true)
    }
  }

  @Test func `a damaged backup is told of beside the error`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a") { bench in
      let id = try bench.backUp()
      try Data("x".utf8).write(to: URL(fileURLWithPath: "\(bench.path(of: id))/database.sql"))
      let run = try bench.holdfast("verify", id, "--json")
      #expect(run.exit == 65)
      #expect(run.json.flag("ok") == false)
      #expect(run.json.string("problems", 0, "file") == "database.sql")
      #expect(fields(run.json, "problems", 0) == ["file", "table", "problem"])
      #expect(run.json.string("error", "code") == "backup_damaged")
      let list = try document(bench.holdfast("list", "--json"))
      #expect(list.string("backups", 0, "state") == "damaged")
      #expect(list.flag("backups", 0, "verification", "ok") == false)
    }
  }

  /// A line that fails, and how.
  struct Mistake: Sendable, CustomTestStringConvertible {
    let line: [String]
    let code: String
    let exit: Int32
    var testDescription: String { code }
  }

  @Test(arguments: [
    Mistake(line: ["frobnicate"], code: "usage", exit: 64), Mistake(line: ["restore", "x"], code: "usage", exit: 64),
    Mistake(line: ["backup", "nosuch"], code: "policy_unknown", exit: 66),
    Mistake(line: ["backup", "spoilt"], code: "configuration", exit: 78),
    Mistake(line: ["backup", "down"], code: "server_unreachable", exit: 69),
    Mistake(line: ["check", "app", "--wait", "soon"], code: "usage", exit: 64),
    Mistake(line: ["show", "latest", "--policy", "app"], code: "no_such_backup", exit: 66),
    Mistake(line: ["verify", "x", "--all", "--policy", "app"], code: "usage", exit: 64),
    Mistake(line: ["backup"], code: "policy_needed", exit: 64),
  ])
  func `every failure is one document, or two kinds of lines on stderr`(mistake: Mistake) throws {
    try Workbench.with { bench in
      try bench.writePolicy(url: "postgresql://postgres@127.0.0.1:1/x", name: "down")
      try bench.writePolicy(more: "retntion: {}", name: "spoilt")
      _ = try bench.holdfast("backup", "down")
      let arguments = mistake.line + ["--policies", bench.policies]
      let run = try ProgramRun(arguments + ["--json"])
      #expect(run.exit == mistake.exit)
      #expect(fields(run.json, "error").isSuperset(of: ["code", "what", "why", "next_step", "exit"]))
      #expect(run.json.string("error", "code") == mistake.code)
      #expect(run.json.number("error", "exit") == Int(mistake.exit))
      #expect(run.stderr.isEmpty)

      let plain = try ProgramRun(arguments)
      #expect(plain.exit == mistake.exit)
      #expect(plain.stdout.isEmpty)
      let lines = plain.stderr.split(separator: "\n")
      #expect(lines.first?.hasPrefix("error: ") == true)
      #expect(lines.last?.hasPrefix("hint: ") == true)
      #expect(lines.dropFirst().dropLast().allSatisfy { $0.hasPrefix(" ") })
    }
  }

  /// Exactly one, of a command that succeeds.
  private func document(_ run: ProgramRun) throws -> JSONDocument {
    #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
    try #require(run.json.isObject, "\(run.stdout)")
    #expect(run.json.value(["error"]) == nil)
    return run.json
  }

  private func fields(_ document: JSONDocument, _ path: Any...) -> Set<String> {
    Set((document.value(path) as? [String: Any] ?? [:]).keys)
  }
}
