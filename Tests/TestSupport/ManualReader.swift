import Foundation
import PostgresTools

/// The programs that print manual pages. One that is missing is a failure.
package enum ManualReader {
  package struct Warning: Error, CustomStringConvertible { package let description: String }

  /// The page as a terminal shows it, without bold and underlining; each run of blanks is one.
  ///
  /// - Throws: what `man` and `groff` warn of.
  package static func read(_ page: String, columns: Int) throws -> String {
    let file = "\(TestCluster.temporary)/hf page \(UInt32.random(in: 0...UInt32.max)).1"
    try Data(page.utf8).write(to: URL(fileURLWithPath: file))
    defer { try? FileManager.default.removeItem(atPath: file) }
    try expectSilence("groff", ["-ww", "-man", "-Kutf8", "-Tutf8", file])
    try expectSilence("man", ["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", file])
    let shown = try run("man", ["-E", "UTF-8", "-P", "cat", "-l", file], columns: columns).stdout
    let plain = shown.replacing(/\u{1B}\[[0-9;]*m/, with: "").replacing(/.\u{8}/, with: "")
    return plain.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }.joined(separator: "\n")
  }

  private static func expectSilence(_ program: String, _ arguments: [String]) throws {
    let run = try run(program, arguments, columns: 80)
    guard run.exit == 0, run.stderr.isEmpty else { throw Warning(description: "\(program): \(run.stderr)") }
  }

  private static func run(_ program: String, _ arguments: [String], columns: Int) throws -> ProgramRun {
    guard access("/usr/bin/\(program)", X_OK) == 0 else {
      throw Warning(description: "\(program) is needed for the tests: apt-get install man-db groff-base")
    }
    return try ProgramRun(
      running: ChildCommand(
        executable: "/usr/bin/\(program)", arguments: arguments,
        environment: [
          "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "\(columns)", "MAN_KEEP_FORMATTING": "",
        ]))
  }
}
