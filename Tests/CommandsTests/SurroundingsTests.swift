import Foundation
import TestSupport
import Testing

/// What surrounds the program must not get into a backup: the caller's variables and files, the role's and the database's
/// settings, and names that could be taken for something else.
@Suite struct SurroundingsTests {
  private static let table = """
    CREATE TABLE t (a int PRIMARY KEY, at timestamptz, b bytea, f float8, i interval);
    INSERT INTO t SELECT n, '2026-01-01 00:00Z', '\\xff00', 1.0 / 3, '1 day 2 hours' FROM generate_series(1, 20) n;
    """

  @Test func `the caller's PG variables and psqlrc change nothing`() throws {
    try Workbench.with(sql: Self.table) { bench in
      try Data("\\echo surprise\nDROP TABLE t;\n".utf8).write(to: URL(fileURLWithPath: "\(bench.folder)/.psqlrc"))
      let surroundings = [
        "HOME": bench.folder, "PGHOST": "192.0.2.1", "PGHOSTADDR": "192.0.2.1", "PGPORT": "1", "PGUSER": "nobody",
        "PGDATABASE": "nowhere", "PGPASSWORD": "wrong", "PGSERVICE": "none", "PGSSLMODE": "require",
        "PGOPTIONS": "-c search_path=nowhere -c transform_null_equals=on", "PGTZ": "Asia/Tokyo",
        "PGDATESTYLE": "German", "PGCLIENTENCODING": "LATIN1", "PGCONNECT_TIMEOUT": "never",
        "PGTARGETSESSIONATTRS": "standby", "PSQLRC": "\(bench.folder)/.psqlrc",
      ]
      let plain = try digests(bench, bench.backUp())
      let backup = try bench.holdfast("backup", "--json", environment: surroundings)
      #expect(backup.exit == 0, "\(backup.stdout)")
      let id = try #require(backup.json.string("backup", "id"))
      #expect(try digests(bench, id) == plain)
      let copy = bench.newDatabaseName()
      let restore = try bench.holdfast("restore", id, "--into", copy, environment: surroundings)
      #expect(restore.exit == 0, "\(restore.stderr)")
      #expect(try bench.holdfast("check", environment: surroundings).exit == 0)
      #expect(try bench.differences(copy).isEmpty)
    }
  }

  /// Else the next thing that is opened, a connection or a file of the backup, gets what is logged.
  @Test func `standard descriptors that are closed stand for nothing else`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let tools = try FakeTools(on: bench)
      let seen = "\(bench.folder)/descriptors"
      try tools.replace(
        "pg_dump", by: "readlink /proc/$PPID/fd/0 /proc/$PPID/fd/1 /proc/$PPID/fd/2 > '\(seen)'; exec \"$real\" \"$@\"")
      try bench.writePolicy(more: tools.policy)
      var command = ProgramRun.command(["backup", "--policies", bench.policies])
      command.arguments = ["-c", "exec \"$0\" \"$@\" <&- >&- 2>&-", command.executable] + command.arguments
      command.executable = "/bin/sh"
      #expect(try ProgramRun(running: command).exit == 0)
      #expect(try String(contentsOfFile: seen, encoding: .utf8) == "/dev/null\n/dev/null\n/dev/null\n")
    }
  }

  @Test func `a policy may still take its URL from any variable`() throws {
    try Workbench.with(sql: Self.table) { bench in
      try bench.writePolicy(url: "postgresql://${PGUSER}@127.0.0.1:${PGPORT}/\(bench.database)")
      let run = try bench.holdfast("backup", environment: ["PGUSER": "postgres", "PGPORT": "\(bench.cluster.port)"])
      #expect(run.exit == 0, "\(run.stderr)")
    }
  }

  @Test func `settings of the database do not change its digests or break its restore`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let plain = try digests(bench, bench.backUp())
      for setting in [
        "TimeZone = 'Asia/Tokyo'", "DateStyle = 'German'", "IntervalStyle = 'sql_standard'", "bytea_output = 'escape'",
        "extra_float_digits = 0", "default_transaction_read_only = on", "statement_timeout = '1s'",
        "lock_timeout = '1ms'", "client_encoding = 'LATIN1'", "standard_conforming_strings = off",
        "search_path = ''", "row_security = off", "default_table_access_method = 'heap'",
        "idle_in_transaction_session_timeout = '1ms'", "xmloption = 'document'", "check_function_bodies = on",
      ] { try bench.cluster.psql("ALTER DATABASE \"\(bench.database)\" SET \(setting)") }
      let id = try bench.backUp()
      #expect(try digests(bench, id) == plain)
      let copy = bench.newDatabaseName()
      let restore = try bench.holdfast("restore", id, "--into", copy)
      #expect(restore.exit == 0, "\(restore.stderr)")
    }
  }

  @Test func `limits of the role's sessions end neither a backup nor a restore`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let role = "limited_\(bench.database)"
      try bench.cluster.psql("CREATE ROLE \(role) LOGIN SUPERUSER")
      defer { _ = try? bench.cluster.psql("DROP ROLE \(role)") }
      for limit in ["idle_session_timeout", "idle_in_transaction_session_timeout", "statement_timeout"] {
        try bench.cluster.psql("ALTER ROLE \(role) SET \(limit) = '200ms'")
      }
      try bench.cluster.psql("ALTER ROLE \(role) SET default_transaction_read_only = on")
      let tools = try FakeTools(on: bench)
      for tool in ["pg_dump", "pg_restore"] { try tools.replace(tool, by: "sleep 0.5; exec \"$real\" \"$@\"") }
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: role), more: tools.policy)
      let id = try bench.backUp()
      let run = try bench.holdfast("restore", id, "--into", bench.newDatabaseName(), "--json")
      #expect(run.exit == 0, "\(run.stdout)")
    }
  }

  @Test(arguments: [
    "a b; q\"uo''te", "host=nowhere dbname=x", "postgresql://nowhere/x", "Größe ü€😀 \\ %20", "-d $HOME", "a/b?x=1#y",
  ])
  func `a database of any name is backed up and restored into another such`(name: String) throws {
    try Workbench.with { bench in
      let source = "\(name) \(bench.database)"
      try bench.createDatabase(source.replacing("\"", with: "\"\""))
      defer { _ = try? bench.cluster.psql("DROP DATABASE IF EXISTS \(quoted(source)) WITH (FORCE)") }
      try bench.writePolicy(url: bench.cluster.url(source))
      let id = try bench.backUp()
      let copy = source + " copy"
      defer { _ = try? bench.cluster.psql("DROP DATABASE IF EXISTS \(quoted(copy)) WITH (FORCE)") }
      let run = try bench.holdfast("restore", id, "--into=\(copy)", "--json")
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      #expect(run.json.string("database") == copy)
      #expect(try bench.cluster.databases().contains(copy))
    }
  }

  private func quoted(_ name: String) -> String { "\"\(name.replacing("\"", with: "\"\""))\"" }

  /// The manifest's digests as they stand there.
  private func digests(_ bench: Workbench, _ id: String) throws -> String {
    let text = try String(contentsOfFile: "\(bench.path(of: id))/manifest.json", encoding: .utf8)
    let start = try #require(text.firstRange(of: "\"digests\""))
    let end = try #require(text.firstRange(of: "\"encryption\""))
    return String(text[start.lowerBound..<end.lowerBound])
  }
}
