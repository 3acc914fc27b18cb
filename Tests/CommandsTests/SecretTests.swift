import Foundation
import TestSupport
import Testing

/// The password: in a private file for the programs, and nowhere else.
@Suite struct SecretTests {
  /// A colon and a backslash, which PGPASSFILE escapes, and what a shell, a URL and JSON find special.
  private static let secret = #"s3cr:e\t $HOME "quoted" %41 ü"#

  @Test func `a program that prints all it knows is redacted, and finds its password file private`() throws {
    let all = """
      { echo "argv $0 $*"; env; stat -c 'mode %a of %n' "$PGPASSFILE" "$(dirname "$PGPASSFILE")"; cat "$PGPASSFILE"; } >&2
      """
    for tool in ["pg_dump", "pg_dumpall"] {
      let run = try backup(replacing: tool, by: "\(all); tr '\\0' ' ' < /proc/$PPID/cmdline >&2; exit 1")
      #expect(run.exit == 1)
      let shown = run.stdout + run.stderr
      #expect(shown.contains("*:*:*:*:***"))
      assertSilent(shown)
    }
    // Both at once do not fit into the lines that an error keeps.
    let modes = try backup(
      replacing: "pg_dump", by: #"stat -c 'mode %a' "$PGPASSFILE" "$(dirname "$PGPASSFILE")" >&2; exit 1"#)
    #expect(modes.stderr.contains("mode 600\n") && modes.stderr.contains("mode 700\n"))
  }

  @Test func `neither argv nor the environment of any program has it`() throws {
    let script = #"{ echo "$*"; env; } > "$(dirname "$0")/seen"; exec "$real" "$@""#
    try locked { bench in
      let tools = try FakeTools(on: bench)
      for tool in ["pg_dump", "pg_dumpall", "pg_restore"] {
        try tools.replace(tool, by: script.replacing("/seen", with: "/seen-\(tool)"))
      }
      try writePolicy(bench, tools)
      let id = try bench.backUp()
      #expect(try bench.holdfast("restore", id, "--into", bench.newDatabaseName()).exit == 0)
      for tool in ["pg_dump", "pg_dumpall", "pg_restore"] {
        let seen = try String(contentsOfFile: "\(tools.directory)/seen-\(tool)", encoding: .utf8)
        #expect(seen.contains("PG") || seen.contains("-Fd"))
        assertSilent(seen)
        #expect(!seen.contains("PGPASSWORD"))
      }
    }
  }

  @Test func `nothing of the password file is left, whether the backup came about or not`() throws {
    try locked { bench in
      let temporary = "\(bench.folder)/tmp"
      try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: false)
      let tools = try FakeTools(on: bench)
      try writePolicy(bench, tools)
      #expect(try bench.holdfast("backup", environment: ["TMPDIR": temporary]).exit == 0)
      try tools.replace("pg_dump", by: "exit 1")
      #expect(try bench.holdfast("backup", environment: ["TMPDIR": temporary]).exit == 1)
      #expect(try FileManager.default.contentsOfDirectory(atPath: temporary).isEmpty)
    }
  }

  private func backup(replacing tool: String, by script: String) throws -> ProgramRun {
    try locked { bench in
      let tools = try FakeTools(on: bench)
      try tools.replace(tool, by: script)
      try writePolicy(bench, tools)
      let plain = try bench.holdfast("backup", "--log-level", "debug")
      assertSilent(try bench.holdfast("backup", "--json", "--log-level", "debug").stdout)
      #expect(bench.shelfContents().isEmpty)
      return plain
    }
  }

  private func locked<Result>(_ body: (Workbench) throws -> Result) throws -> Result {
    // A cluster of its own: the role's password is this suite's.
    try Workbench.with(cluster: Self.cluster.get(), sql: "CREATE TABLE t AS SELECT 1 AS a", body)
  }

  private static let cluster = Result {
    let cluster = try TestCluster()
    try Roles.makeLocked(cluster, password: secret)
    try cluster.psql("ALTER ROLE locked SUPERUSER")
    return cluster
  }

  private func writePolicy(_ bench: Workbench, _ tools: FakeTools) throws {
    let password = Self.secret.addingPercentEncoding(withAllowedCharacters: .alphanumerics)
    try bench.writePolicy(
      url: bench.cluster.url(bench.database, user: "locked", password: password), more: tools.policy)
  }

  /// Not in any of the forms that it is written in.
  private func assertSilent(_ text: String) {
    for form in ["s3cr", "e\\t $HOME", "%73%33", "s3cr%3Ae"] { #expect(!text.contains(form), "\(form) in \(text)") }
  }
}
