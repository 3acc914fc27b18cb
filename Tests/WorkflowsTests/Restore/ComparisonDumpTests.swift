import Foundation
import TestSupport
import Testing

/// A restored database of some size is compared by two programs at once, and nothing falls between them.
@Suite struct ComparisonDumpTests {
  private static let sql = """
    CREATE TABLE big (id int PRIMARY KEY, s text);
    INSERT INTO big SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 40000) i;
    CREATE TABLE small AS SELECT i, repeat(md5(i::text), 8) s FROM generate_series(1, 8000) i;
    CREATE TABLE "big.odd" AS SELECT * FROM big; CREATE TABLE parent (a int, s text); CREATE TABLE child () INHERITS (parent);
    INSERT INTO child SELECT * FROM big; INSERT INTO parent SELECT * FROM small; CREATE SEQUENCE q; SELECT lo_from_bytea(0, 'x');
    """

  @Test func `what is equal is found equal, by two calls`() throws {
    try Workbench.with(sql: Self.sql) { bench in
      let id = try bench.backUp()
      let tools = try FakeTools(on: bench)
      try tools.replace("pg_dump", by: "echo \"$*\" >> '\(bench.folder)/calls'; exec \"$real\" \"$@\"")
      try bench.writePolicy(more: tools.policy)
      let copy = bench.newDatabaseName()
      try bench.restore(id, into: copy)
      #expect(try bench.differences(copy) == "")
      let calls = try String(contentsOfFile: "\(bench.folder)/calls", encoding: .utf8).split(separator: "\n")
      #expect(calls.count == 2 && calls.contains { $0.contains("--data-only --table=public.big") }, "\(calls)")
    }
  }

  @Test(arguments: [
    "UPDATE big SET s = 'y' WHERE id = 7", "DELETE FROM big WHERE id = 7", "DELETE FROM small WHERE i = 7",
    "UPDATE \\\"big.odd\\\" SET s = 'y' WHERE id = 7", "DELETE FROM child WHERE a = 7", "SELECT nextval('q')",
    "CREATE TABLE more (a int)", "TRUNCATE big",
  ])
  func `what differs is found in either part`(change: String) throws {
    try Workbench.with(sql: Self.sql) { bench in
      let id = try bench.backUp()
      let tools = try FakeTools(on: bench)
      let meddle = "exec '\(bench.cluster.binaries)/psql' -X -q -d \"$3\" -c \"\(change)\""
      try tools.replace(
        "pg_restore",
        by:
          "case \"$*\" in *--section=post-data*) ;; *) exec \"$real\" \"$@\";; esac; \"$real\" \"$@\" || exit; \(meddle)"
      )
      try bench.writePolicy(more: tools.policy)
      let run = try bench.holdfast("restore", id, "--into", bench.newDatabaseName(), "--json")
      #expect(run.json.string("error", "code") == "restored_differs", "\(run.stdout)")
    }
  }
}
