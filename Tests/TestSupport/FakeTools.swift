import Foundation

/// A folder of PostgreSQL programs for `tools.directory` in which some are scripts that misbehave.
package struct FakeTools {
  package let directory: String
  private let real: String

  /// - Parameter missing: programs that are not there at all.
  package init(on bench: Workbench, missing: Set<String> = []) throws {
    directory = "\(bench.folder)/tools"
    real = bench.cluster.binaries
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    for tool in ["pg_dump", "pg_dumpall", "pg_restore", "psql"] where !missing.contains(tool) {
      try FileManager.default.createSymbolicLink(
        atPath: "\(directory)/\(tool)", withDestinationPath: "\(real)/\(tool)")
    }
  }

  /// YAML that makes a policy use these programs.
  package var policy: String { "tools: {directory: \"\(directory)\"}" }

  /// Puts a shell script in a program's place. `$real` in it is the program itself; `--version` is always answered.
  ///
  /// - Parameter version: what it says it is; nil: what the program says.
  package func replace(_ tool: String, version: String? = nil, by script: String) throws {
    let answer = version.map { "echo '\(tool) (PostgreSQL) \($0)'" } ?? "\"$real\" --version"
    let text = """
      #!/bin/sh
      real='\(real)/\(tool)'
      if [ "$1" = --version ]; then \(answer); exit 0; fi
      \(script)

      """
    let path = "\(directory)/\(tool)"
    try? FileManager.default.removeItem(atPath: path)
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    chmod(path, 0o755)
  }
}
