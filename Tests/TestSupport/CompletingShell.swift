import Foundation
import PostgresTools

/// A real shell with a completion script, in a folder of the test's own that is removed with it. A shell that is missing is a failure.
package final class CompletingShell {
  package enum Name: String, CaseIterable, Sendable { case bash, zsh, fish }

  /// Where lines are typed.
  package let folder: String
  private let name: Name
  private let environment: [String: String]

  /// - Parameter programs: a folder that stands first in PATH.
  package init(
    _ name: Name, script: String, programs: String? = nil, environment more: [String: String] = [:]
  ) throws {
    self.name = name
    folder = "\(TestCluster.temporary)/hf shell \(UInt32.random(in: 0...UInt32.max))"
    try FileManager.default.createDirectory(atPath: "\(folder)/.shell", withIntermediateDirectories: true)
    environment = [
      "PATH": "\(programs.map { "\($0):" } ?? "")/usr/local/bin:/usr/bin:/bin", "HOME": folder, "LC_ALL": "C.UTF-8",
    ].merging(more) { $1 }
    try write(script, to: ".shell/script")
    try write(startFile, to: ".shell/start")
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// Writes a file of the folder.
  package func write(_ text: String, to file: String) throws {
    let url = URL(fileURLWithPath: "\(folder)/\(file)")
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }

  /// The files of the folder but the shell's own.
  package var files: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { !$0.hasPrefix(".") }.sorted()
  }

  /// What the shell says to the script's syntax without running it.
  package func syntaxErrors() throws -> String {
    let run = try run(name.rawValue, ["-n", "\(folder)/.shell/script"])
    return run.exit == 0 ? run.stderr : "\(run.exit): \(run.stderr)"
  }

  /// What the shell shows for each line at a press of TAB. Where only one thing is offered bash and zsh show none:
  /// they type it.
  package func shown(_ lines: [String]) throws -> [String] {
    guard name == .fish else { return try typed(lines.map { "\($0)\t" }, end: "^U") }
    return try lines.map { line in
      let run = try run("fish", ["--no-config", "-c", "source .shell/script; complete -C $argv[1]", line])
      return run.stderr.isEmpty ? run.stdout : run.stderr
    }
  }

  /// The words that are offered for a line, without their descriptions.
  package func offered(_ line: String) throws -> Set<String> {
    // The typed line is no offer.
    let lines = try shown([line]).joined().split(separator: "\n").filter {
      !$0.contains("holdfast ") && !$0.contains("READY-")
    }
    let separator = name == .fish ? "\t" : " -- "
    let names = lines.compactMap { $0.components(separatedBy: separator).first }
    return Set(names.flatMap { $0.split(separator: " ").map(String.init) })
  }

  /// The arguments that the program gets for a line with TABs in it: of bash and zsh only.
  package func arguments(_ keys: String) throws -> [String] {
    try typed([keys], end: #"\n"#).joined().split(separator: "\n").compactMap { line in
      line.hasPrefix("<") && line.hasSuffix(">") ? line.dropFirst().dropLast().components(separatedBy: "><") : nil
    }.first ?? []
  }

  private func typed(_ keys: [String], end: String) throws -> [String] {
    let driver = "\(SourceTree.path)/Tests/Fixtures/shells/type.zsh"
    let run = try run("zsh", ["-f", driver, name.rawValue, "\(folder)/.shell/start", end] + keys)
    return run.stdout.split(separator: "\u{1E}").map(String.init) + (run.stderr.isEmpty ? [] : [run.stderr])
  }

  /// Descriptions, lists at the first TAB without questions, and a program that only shows its arguments.
  private var startFile: String {
    let script = "'\(folder)/.shell/script'"
    let program = "holdfast() { printf '<%s>' \"$@\"; echo; }"
    return switch name {
    case .bash:
      """
      PS1=''; . \(script); \(program)
      bind 'set bell-style none' 'set show-all-if-ambiguous on' 'set completion-query-items 0' 'set page-completions off'
      cd '\(folder)'
      """
    case .zsh:
      """
      PS1=''; autoload -Uz compinit; compinit -u -D; . \(script); \(program)
      LISTMAX=1000; unset zle_bracketed_paste; unsetopt prompt_sp list_ambiguous
      cd '\(folder)'
      """
    case .fish: ""
    }
  }

  private func run(_ program: String, _ arguments: [String]) throws -> ProgramRun {
    let paths = ["/usr/bin", "/bin", "/usr/local/bin"].map { "\($0)/\(program)" }
    guard let path = paths.first(where: { access($0, X_OK) == 0 }) else {
      throw MissingShell(description: "\(program) is needed for the tests: apt-get install zsh fish")
    }
    let command = ChildCommand(
      executable: "/usr/bin/env", arguments: ["-C", folder, path] + arguments, environment: environment)
    return try ProgramRun(running: command)
  }

  private struct MissingShell: Error, CustomStringConvertible { let description: String }
}
