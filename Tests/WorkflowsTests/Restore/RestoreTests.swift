import Foundation
import TestSupport
import Testing

/// A restore makes a whole database, or none.
@Suite struct RestoreTests {
  /// Fewer rows than would ever make autovacuum analyze them.
  private static let sql =
    "CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t SELECT n, 'x' FROM generate_series(1, 20) n"
  /// The last of the calls that fill a database, the one for keys and indexes, and no other.
  private static let fillingOnly = "case \"$*\" in *--section=post-data*) ;; *) exec \"$real\" \"$@\";; esac;"

  @Test func `an existing database is never restored into, and stays as it is`() throws {
    try onBackup { bench, id in
      try bench.createDatabase("\(bench.database) other")
      for name in [bench.database, "\(bench.database) other", "postgres", "template0"] {
        let run = try bench.holdfast("restore", id, "--into", name, "--json")
        #expect(run.exit == 73)
        #expect(run.json.string("error", "code") == "database_exists")
      }
      #expect(try bench.cluster.psql("SELECT count(*) FROM t", database: bench.database) == "20")
      try nothingHalfMade(bench)
    }
  }

  @Test func `names of up to 63 bytes are taken, longer ones refused`() throws {
    try onBackup { bench, id in
      let base = bench.newDatabaseName("é")
      let longest =
        base + String(repeating: "ü", count: (63 - base.utf8.count) / 2)
        + String(repeating: "x", count: (63 - base.utf8.count) % 2)
      #expect(longest.utf8.count == 63)
      defer { _ = try? bench.cluster.psql("DROP DATABASE IF EXISTS \"\(longest)\"") }
      try bench.restore(id, into: longest)
      #expect(try bench.cluster.databases().contains(longest))
      let longer = try bench.holdfast("restore", id, "--into", longest + "x", "--json")
      #expect(longer.exit == 64)
      #expect(longer.json.string("error", "code") == "bad_database_name")
    }
  }

  @Test(arguments: [
    ("1 / a", "22012: division by zero"), ("odd(a, 'XX000')", "XX000: odd"), ("odd(a, '54000')", "54000: odd"),
    ("odd(a, '57014')", "57014: odd"), ("odd(a, '57P03')", "57P03: odd"), ("odd(a, '08001')", "08001: odd"),
    ("odd(a, '53400')", "53400: odd"), ("odd(a, '58030')", "58030: odd"),
  ])
  func `what cannot be analyzed is told, and comes back all the same`(expression: String, why: String) throws {
    let sql = """
      CREATE FUNCTION odd(a int, code text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
        $$ BEGIN RAISE 'odd' USING ERRCODE = code; END $$;
      CREATE TABLE a (a int); INSERT INTO a VALUES (0), (1); CREATE STATISTICS s ON (\(expression)), a FROM a;
      CREATE TABLE b (b int); INSERT INTO b VALUES (0), (1)
      """
    try Workbench.with(sql: sql) { bench in
      let id = try bench.backUp()
      let copy = bench.newDatabaseName()
      let run = try bench.holdfast("restore", id, "--into", copy)
      #expect(run.exit == 0, "\(run.stderr)")
      #expect(run.stderr.contains("not analyzed, the rows are whole: public.a: \(why)"), "\(run.stderr)")
      #expect(run.stderr.contains("analyzed in part"))
      #expect(try bench.cluster.psql("SELECT reltuples FROM pg_class WHERE relname = 'b'", database: copy) == "2")
    }
  }

  @Test func `a foreign server that does not answer is no lost connection, and keeps no restore from its end`() throws {
    let sql = """
      CREATE EXTENSION postgres_fdw;
      CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'x');
      CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (user 'x', password 'y');
      CREATE TABLE p AS SELECT 1 AS i; CREATE FOREIGN TABLE f () INHERITS (p) SERVER s
      """
    try Workbench.with(sql: sql) { bench in
      let run = try bench.holdfast("restore", try bench.backUp(), "--into", bench.newDatabaseName())
      #expect(run.exit == 0, "\(run.stderr)")
      #expect(run.stderr.contains("not analyzed, the rows are whole: public.p: 08001"), "\(run.stderr)")
    }
  }

  @Test func `statistics are there afterwards, unless they are not wanted`() throws {
    try onBackup { bench, id in
      let (analyzed, plain) = (bench.newDatabaseName("analyzed"), bench.newDatabaseName("plain"))
      try bench.restore(id, into: analyzed)
      try bench.restore(id, into: plain, "--no-analyze")
      let statistics = "SELECT count(*) FROM pg_stats WHERE tablename = 't'"
      #expect(try bench.cluster.psql(statistics, database: analyzed) == "2")
      #expect(try bench.cluster.psql(statistics, database: plain) == "0")
    }
  }

  @Test(arguments: [
    ("UPDATE t SET s = 'y' WHERE id = 7", "digest"), ("DELETE FROM t WHERE id = 7", "rows"),
    ("CREATE TABLE more (a int)", "digest"), ("CREATE SEQUENCE more", "digest"),
    ("SELECT lo_from_bytea(0, 'x')", "digest"), ("ALTER TABLE t ALTER s SET DEFAULT 'z'", "digest"),
  ])
  func `a database that differs from its backup is dropped, and the difference named`(
    change: String, proof: String
  ) throws {
    try onBackup { bench, id in
      try meddle(bench, change)
      let copy = bench.newDatabaseName()
      let run = try bench.holdfast("restore", id, "--into", copy, "--verify", proof, "--json")
      #expect(run.exit == 65)
      #expect(run.json.string("error", "code") == "restored_differs")
      #expect(saysDropped(run))
      #expect(try !bench.cluster.databases().contains(copy))
      try nothingHalfMade(bench)
    }
  }

  @Test func `a comparison that is not asked for is not made, and the document says so`() throws {
    try onBackup { bench, id in
      try meddle(bench, "UPDATE t SET s = 'y' WHERE id = 7")
      for proof in ["rows", "none"] {
        let copy = bench.newDatabaseName(proof)
        let run = try bench.holdfast("restore", id, "--into", copy, "--verify", proof, "--json")
        #expect(run.exit == 0, "\(run.stdout)")
        #expect(run.json.string("verification", "level") == proof)
        #expect(run.json.flag("verification", "ok") == (proof == "rows" ? true : nil))
      }
    }
  }

  @Test(arguments: [
    "kill -9 $$", "\"$real\" \"$@\"; exit 3", "exit 0", "exec \"$real\" -l \"$@\"",
  ])
  func `a pg_restore that fails or stops early leaves no database, and says so`(script: String) throws {
    try onBackup { bench, id in
      let tools = try FakeTools(on: bench)
      try tools.replace("pg_restore", by: "\(Self.fillingOnly) \(script)")
      try bench.writePolicy(more: tools.policy)
      let copy = bench.newDatabaseName()
      let run = try bench.holdfast("restore", id, "--into", copy, "--json")
      #expect([1, 65].contains(run.exit))
      #expect(saysDropped(run))
      try nothingHalfMade(bench)
      #expect(try !bench.cluster.databases().contains(copy))
    }
  }

  @Test func `what a killed restore left is dropped by the next one, what a running one makes is not`() throws {
    try onBackup { bench, id in
      let tools = try FakeTools(on: bench)
      let waiting = "touch '\(bench.folder)/filling'; while [ -e '\(bench.folder)/filling' ]; do sleep 0.02; done"
      try tools.replace("pg_restore", by: "\(Self.fillingOnly) \(waiting)")
      try bench.writePolicy(more: tools.policy)
      let running = try bench.start("restore", id, "--into", bench.newDatabaseName("running"))
      try waitUntil("the first restore fills its database") { access("\(bench.folder)/filling", F_OK) == 0 }
      #expect(try unfinished(bench).count == 1)

      try bench.writePolicy()
      try bench.restore(id, into: bench.newDatabaseName("second"))
      #expect(try unfinished(bench).count == 1)
      kill(running.pid, SIGKILL)
      _ = running.wait()
      #expect(try unfinished(bench).count == 1)
      // Its session is gone once the server has noticed, and its program with it.
      try waitUntil("the next restore drops what is left") {
        try bench.holdfast("restore", id, "--into", bench.newDatabaseName("third \(Int.random(in: 0...9999))")).exit
          == 0
          && unfinished(bench).isEmpty
      }
      try? FileManager.default.removeItem(atPath: "\(bench.folder)/filling")
    }
  }

  @Test func `two restores into one name: one gets it, the other leaves nothing`() throws {
    try onBackup { bench, id in
      let copy = bench.newDatabaseName()
      let first = try bench.start("restore", id, "--into", copy)
      let second = try bench.start("restore", id, "--into", copy)
      let codes = [first.wait().code, second.wait().code].sorted()
      #expect(codes == [0, 73])
      #expect(try bench.cluster.databases().contains(copy))
      try nothingHalfMade(bench)
    }
  }

  private func onBackup(_ body: (Workbench, String) throws -> Void) throws {
    try Workbench.with(sql: Self.sql) { try body($0, $0.backUp()) }
  }

  /// Has somebody change the new database once it is filled.
  private func meddle(_ bench: Workbench, _ change: String) throws {
    let tools = try FakeTools(on: bench)
    let meddle = "exec '\(bench.cluster.binaries)/psql' -X -q -d \"$3\" -c \"\(change)\""
    try tools.replace("pg_restore", by: "\(Self.fillingOnly) \"$real\" \"$@\" || exit; \(meddle)")
    try bench.writePolicy(more: tools.policy)
  }

  private func unfinished(_ bench: Workbench) throws -> [String] {
    try bench.cluster.databases().filter { $0.hasPrefix(bench.database) && $0.contains("__restore_") }
  }

  private func nothingHalfMade(_ bench: Workbench) throws {
    #expect(try unfinished(bench).isEmpty)
    #expect(try bench.sessions() == 0)
  }

  private func saysDropped(_ run: ProgramRun) -> Bool {
    (run.json.array("error", "details") ?? []).contains { "\($0)".contains("was dropped") }
  }
}
