import Foundation
import PostgresTools
import TestSupport
import Testing

/// The formats of one file are as well proven as the directory format, and restored by other programs they are the same.
@Suite struct FormatTests {
  private static let sql = """
    CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 5000) i;
    CREATE TABLE u AS SELECT 1 AS a; CREATE SEQUENCE q; SELECT nextval('q'), lo_from_bytea(0, 'large');
    """

  @Test(arguments: [
    ("custom", "auto", "data.dump.zst"), ("custom", "gzip", "data.dump.gz"), ("plain", "none", "data.sql"),
    ("plain", "'gzip:9'", "data.sql.gz"), ("plain", "zstd", "data.sql.zst"), ("directory", "gzip", "data/toc.dat"),
  ])
  func `a database with everything comes back equal`(format: String, compression: String, file: String) throws {
    try Workbench.with(policy: "backup: {format: \(format), compression: \(compression)}") { bench in
      try Roles.makeHostile(bench.cluster)
      try bench.cluster.psql(file: "\(SourceTree.path)/Tests/Fixtures/hostile.sql", database: bench.database)
      let id = try bench.backUp()
      let names = try FileManager.default.subpathsOfDirectory(atPath: bench.path(of: id))
      #expect(names.contains(file), "\(names)")
      #expect(names.contains { $0.hasSuffix(".dat.gz") } == (format == "directory"))
      #expect(try bench.holdfast("show", id, "--json").json.string("backup", "format") == format)
      #expect(try bench.holdfast("verify", id, "--level", "archive").exit == 0)
      let copy = bench.newDatabaseName()
      try bench.restore(id, into: copy)
      #expect(try bench.differences(copy) == "")
      #expect(try bench.sessions() == 0)
    }
  }

  @Test(arguments: [("plain", 0), ("custom", 69)])
  func `a plain dump is verified and exported without any PostgreSQL program`(format: String, exit: Int32) throws {
    try Workbench.with(sql: Self.sql, policy: "backup: {format: \(format)}") { bench in
      let id = try bench.backUp()
      try bench.writePolicy(more: "tools: {directory: \(bench.folder)}")
      #expect(try bench.holdfast("verify", id, "--level", "archive").exit == exit)
      let text = try bench.holdfast("export", id)
      #expect(text.exit == exit)
      #expect(text.stdout.contains("row 5000") == (exit == 0))
    }
  }

  @Test(arguments: ["directory", "custom", "plain"])
  func `what export writes is restored by psql to an equal database`(format: String) throws {
    try Workbench.with(sql: Self.sql, policy: "backup: {format: \(format)}") { bench in
      let (id, copy) = (try bench.backUp(), bench.newDatabaseName())
      let file = "\(bench.folder)/out.sql"
      let run = try bench.holdfast("export", id, "--output", file, "--json")
      #expect(run.exit == 0, "\(run.stdout)")
      #expect(run.json.number("bytes") == FileManager.default.contents(atPath: file)?.count)
      try bench.createDatabase(copy)
      try bench.cluster.psql(file: file, database: copy)
      #expect(try bench.differences(copy) == "")

      let printed = try bench.holdfast("export", id)
      #expect(printed.exit == 0)
      #expect(Self.comparable(printed.stdout) == Self.comparable(try String(contentsOfFile: file, encoding: .utf8)))
      #expect(try bench.holdfast("export", id, "--output", file).exit == 73, "it never replaces a file")
      #expect(try bench.holdfast("export", id, "--json").exit == 64)
      var closed = ProgramRun.command(["export", id, "--policies", bench.policies])
      closed.arguments = ["-c", "exec \"$0\" \"$@\" >&-", closed.executable] + closed.arguments
      closed.executable = "/bin/sh"
      #expect(try ProgramRun(running: closed).exit == 73, "nobody got it")
      let names = try FileManager.default.contentsOfDirectory(atPath: bench.folder)
      #expect(!names.contains { $0.contains("partial") }, "\(names)")
    }
  }

  /// Each rendering of an archive has keys of its own.
  private static func comparable(_ sql: String) -> [Substring] {
    sql.split(separator: "\n").filter { !$0.hasPrefix("\\restrict") && !$0.hasPrefix("\\unrestrict") }
  }

  @Test(arguments: ["custom", "plain"])
  func `any flipped byte of the file is found, and nothing restores from it`(format: String) throws {
    try Workbench.with(sql: Self.sql, policy: "backup: {format: \(format), compression: none}") { bench in
      let id = try bench.backUp()
      let file = "\(bench.path(of: id))/\(format == "custom" ? "data.dump" : "data.sql")"
      let good = try Data(contentsOf: URL(fileURLWithPath: file))
      for position in stride(from: 0, to: good.count, by: good.count / 6) {
        try flipped(at: position)(good).write(to: URL(fileURLWithPath: file))
        let copy = bench.newDatabaseName("\(position)")
        #expect(try bench.holdfast("restore", id, "--into", copy).exit == 65)
        #expect(try bench.holdfast("verify", id).exit == 65)
        #expect(try bench.holdfast("export", id).exit == 65)
        #expect(try !bench.cluster.databases().contains(copy))
        try good.write(to: URL(fileURLWithPath: file))
        #expect(try bench.holdfast("verify", id).exit == 0)
      }
    }
  }

  @Test(arguments: [
    // What psql restores with exit 0: half the lines, and a tool that says all is well.
    ("plain", "\"$real\" \"$@\" | head -n 2000; exit 0", "dump_cut_short"),
    ("plain", "\"$real\" \"$@\"; echo '\\! touch planted'", "foreign_meta_command"),
    ("plain", "exec \"$real\" --inserts \"$@\"", "insert_mode_dump"),
    ("plain", "\"$real\" \"$@\"; exit 1", "child_failed"),
    ("custom", "\"$real\" \"$@\" | head -c 30000; exit 0", "child_failed"),
    ("custom", "\"$real\" \"$@\" | head -c 30000; kill -9 $$", "child_failed"),
    ("custom", "\"$real\" \"$@\" | head -c 30000; exit 1", "child_failed"),
    ("plain", "echo 'Warning: late'; exec \"$real\" \"$@\"", "foreign_beginning"),
  ])
  func `a dump that is not whole, or has more than a dump, is refused, whatever pg_dump says`(
    format: String, script: String, code: String
  ) throws {
    try Workbench.with(sql: Self.sql) { bench in
      let tools = try FakeTools(on: bench)
      try tools.replace("pg_dump", by: script)
      try bench.writePolicy(more: "\(tools.policy)\nbackup: {format: \(format), compression: none}")
      let run = try bench.holdfast("backup", "--json")
      #expect(run.json.string("error", "code") == code, "\(run.stdout)")
      // Who failed is named, and not who was starved by it.
      if script.hasSuffix("exit 1") || script.contains("kill -9") {
        #expect(run.json.string("error", "what") == "pg_dump", "\(run.stdout)")
      }
      #expect(bench.shelfContents() == [])
      #expect(try eventually { try bench.sessions() == 0 })
    }
  }

  @Test func `a plain backup is restored without psql`() throws {
    try Workbench.with(sql: Self.sql, policy: "backup: {format: plain}") { bench in
      let (id, copy) = (try bench.backUp(), bench.newDatabaseName())
      let tools = try FakeTools(on: bench)
      try tools.replace("psql", by: "touch '\(bench.folder)/ran'; exit 1")
      try bench.writePolicy(more: "\(tools.policy)\nbackup: {format: plain}")
      try bench.restore(id, into: copy)
      #expect(access("\(bench.folder)/ran", F_OK) != 0)
    }
  }

  @Test func `a restore whose program fails, or reads only a part, leaves no database`() throws {
    let (format, tool) = ("custom", "pg_restore")
    try Workbench.with(sql: Self.sql, policy: "backup: {format: \(format)}") { bench in
      let id = try bench.backUp()
      let tools = try FakeTools(on: bench)
      for script in ["kill -9 $$", "head -c 2000 > /dev/null; exit 0", "\"$real\" \"$@\"; exit 3", "cat > /dev/null"] {
        try tools.replace(tool, by: script)
        try bench.writePolicy(more: "\(tools.policy)\nbackup: {format: \(format)}")
        let copy = bench.newDatabaseName()
        let run = try bench.holdfast("restore", id, "--into", copy, "--json")
        #expect([1, 65].contains(run.exit), "\(script): \(run.stdout)")
        #expect(try !bench.cluster.databases().contains { $0.hasPrefix("\(bench.database)_") }, "\(script)")
        #expect(try bench.sessions() == 0)
      }
    }
  }

  @Test(arguments: ["custom", "plain"]) func `a rollback to a snapshot of one file`(format: String) throws {
    try DeployBench.with { bench in
      try bench.writePolicy(more: "backup: {format: \(format), globals: false}")
      try bench.writeCrashMigrations()
      #expect(try bench.run("deploy").exit == 0)
      #expect(try bench.seen() == .after)
      #expect(try bench.confirmed("rollback").exit == 0)
      #expect(try bench.seen() == .before)
      try bench.expectNothingLeft()
    }
  }
}
