import BackupModel
import Foundation
import TestSupport
import Testing

@Suite struct RealDumpTests {
  @Test func `plain text and every rendered archive have the same digest`() throws {
    try Workbench.with(sql: Self.database) { bench in
      let plain = try RealDump(bench).plain()
      #expect(plain.rows == 3 + 100 + 2 + 2)
      #expect(plain.largeObjects.count == 3)
      #expect(plain.sequences.count == 2)
      for format in ["-Fc", "-Fd", "-Ft"] { #expect(try RealDump(bench).rendered(format) == plain, "\(format)") }
    }
  }

  @Test func `a real dump reads the same as by a naive reader of the whole text, and when split`() throws {
    try Workbench.with(sql: Self.database) { bench in
      // Without what the scanner writes in another way before it digests it.
      let text = try RealDump(bench).text(["--no-blobs", "--exclude-table=checked*"])
      let expected = Reading(naively: text)
      var dice = Dice(1)
      #expect(Reading(scanning: dice.pieces(of: text, longest: 30)) == expected)
      guard case .read(let content) = expected else {
        Issue.record("\(expected)")
        return
      }
      #expect(content.tables.count == 7)
    }
  }

  @Test func `a real dump cut at any byte is refused`() throws {
    try Workbench.with(sql: Self.database) { bench in
      let text = try RealDump(bench).text()
      let end = try #require(text.ranges(of: Array("-- PostgreSQL database dump complete\n".utf8)).last)
      #expect(try endings(of: text).firstIndex(of: true) == end.upperBound - 1)
    }
  }

  @Test(arguments: ["--inserts", "--column-inserts", "--rows-per-insert=10"])
  func `a real dump of INSERT statements is refused`(option: String) throws {
    try Workbench.with(sql: "CREATE TABLE t (c text); INSERT INTO t VALUES ('x'), (E'\\\\.')") { bench in
      let text = try RealDump(bench).text([option])
      #expect(Reading(scanning: [text[...]]) == .refused("insert_mode_dump"))
    }
  }

  @Test(arguments: [
    "UPDATE data SET t = 'other' WHERE id = 1", "DELETE FROM data WHERE id = 1", "INSERT INTO data VALUES (1, 'a')",
    "UPDATE data SET id = 3 - id WHERE id IN (1, 2)",
  ])
  func `a change of rows changes the digest of that table and nothing else`(change: String) throws {
    try Workbench.with(sql: Self.database) { bench in
      let before = try RealDump(bench).plain()
      try bench.cluster.psql(change, database: bench.database)
      let problems = before.differences(from: try RealDump(bench).plain())
      #expect(problems.map(\.table) == ["public.data"])
    }
  }

  @Test(arguments: [
    ("SELECT nextval('s')", "sequences"), ("SELECT lo_put(910001, 0, 'x')", "large objects"),
    ("SELECT lo_unlink(910001)", "large objects"), ("ALTER TABLE data ALTER t SET DEFAULT 'x'", "schema"),
    ("GRANT SELECT ON data TO PUBLIC", "schema"), ("COMMENT ON TABLE data IS 'x'", "schema"),
  ])
  func `any other change changes its own digest`(change: String, part: String) throws {
    try Workbench.with(sql: Self.database) { bench in
      let before = try RealDump(bench).plain()
      try bench.cluster.psql(change, database: bench.database)
      let problems = before.differences(from: try RealDump(bench).plain())
      #expect(problems.contains { $0.problem.hasPrefix(part) }, "\(problems)")
      #expect(problems.allSatisfy { $0.table == nil }, "\(problems)")
    }
  }

  @Test func `rows in another order on the disk have the same digest`() throws {
    try Workbench.with(sql: Self.database) { bench in
      let before = try RealDump(bench).plain()
      let reorder =
        "CREATE INDEX i ON data (t DESC); CLUSTER data USING i; ALTER TABLE data SET WITHOUT CLUSTER; DROP INDEX i"
      try bench.cluster.psql(reorder, database: bench.database)
      #expect(try RealDump(bench).plain() == before)
    }
  }

  @Test func `a restored database has the digest of its source`() throws {
    try Workbench.with(sql: Self.database) { bench in
      let source = try RealDump(bench).plain()
      let copy = try RealDump(bench).restored(into: bench.newDatabaseName())
      #expect(source.differences(from: try copy.plain()) == [])
    }
  }

  @Test func `a role's, database's or server's own settings do not change the digest`() throws {
    try Workbench.with(sql: Self.database) { bench in
      let before = try RealDump(bench).plain()
      for setting in [
        "standard_conforming_strings = off", "quote_all_identifiers = on", "bytea_output = escape",
        "TimeZone = 'Asia/Kathmandu'",
        "DateStyle = 'SQL, DMY'", "extra_float_digits = -15", "IntervalStyle = sql_standard", "xmloption = document",
        "search_path = data", "default_transaction_read_only = on", "statement_timeout = 1",
      ] {
        try bench.cluster.psql("ALTER DATABASE \"\(bench.database)\" SET \(setting)", database: "postgres")
      }
      #expect(before.differences(from: try RealDump(bench).plain()) == [])
    }
  }

  @Test func `the hostile database has one digest in every format, and after a restore`() throws {
    try Workbench.with { bench in
      try bench.cluster.psql(file: "\(SourceTree.path)/Tests/Fixtures/hostile.sql", database: bench.database)
      // A restore moves the columns that a child inherited after it was made.
      try bench.cluster.psql("DROP TABLE kinds.ducks, kinds.geese CASCADE", database: bench.database)
      let plain = try RealDump(bench).plain()
      #expect(plain.tables.count > 70)
      for format in ["-Fc", "-Fd"] { #expect(plain.differences(from: try RealDump(bench).rendered(format)) == []) }
      let copy = try RealDump(bench).restored(into: bench.newDatabaseName())
      let problems = plain.differences(from: try copy.plain())
      #expect(problems == [])
    }
  }

  private static let database = #"""
    CREATE TABLE data (id int, t text);
    INSERT INTO data VALUES (1, 'a'), (2, E'\\.\nCOPY x FROM stdin;\t\\N'), (3, NULL);
    CREATE TABLE "COPY x FROM stdin;
    \." ("a""b" text CHECK ("a""b" <> E'\\;--'));
    CREATE TABLE parts (id int, at timestamptz, b bytea) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (60);
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (60) TO (1000);
    INSERT INTO parts SELECT i, '2025-01-01 UTC'::timestamptz + i * interval '1 s', decode(md5(i::text), 'hex') FROM generate_series(1, 100) i;
    CREATE TABLE nothing ();
    INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
    CREATE TABLE checked (s varchar(9) CHECK (s IN ('a', 'b')), u varchar DEFAULT 'it''s' CHECK (u IN ('it''s', E'\\')));
    CREATE INDEX ON checked (s) WHERE s IN ('a', 'b');
    CREATE VIEW checked_view AS SELECT s FROM checked WHERE s IN ('a', 'z');
    INSERT INTO checked VALUES ('a'), (NULL);
    CREATE TABLE owners (id int);
    CREATE TABLE "begin" (id int, "end" text, "case" text);
    CREATE FUNCTION begin() RETURNS SETOF "begin" LANGUAGE sql AS 'SELECT * FROM begin';
    CREATE FUNCTION standard(x int) RETURNS int LANGUAGE sql BEGIN ATOMIC
      INSERT INTO data VALUES (CASE WHEN x > 1 THEN 1 ELSE 2 END, 'END;');
      SELECT begin.id FROM begin WHERE "end" = CASE x WHEN 1 THEN 'x' END;
    END;
    CREATE RULE several AS ON UPDATE TO checked_view DO INSTEAD (DELETE FROM data; INSERT INTO data VALUES (1, ';'); SELECT 1);
    CREATE FUNCTION body() RETURNS text LANGUAGE sql AS $f$ SELECT $$
    COPY x FROM stdin;
    \.
    -- PostgreSQL database dump complete
    $$ $f$;
    COMMENT ON TABLE data IS E'COPY x FROM stdin;\n\\.\n\\! id\n-- PostgreSQL database dump complete\n';
    CREATE SEQUENCE s;
    SELECT setval('s', 42);
    CREATE SEQUENCE t INCREMENT -3 MINVALUE -100 MAXVALUE 0;
    SELECT lo_from_bytea(910001, '\x005c2e0a'), lo_create(910002), lo_from_bytea(910003, decode(repeat('00ff5c0a', 5000), 'hex'));
    """#
}
