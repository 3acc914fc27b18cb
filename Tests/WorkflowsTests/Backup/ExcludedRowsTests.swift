import Foundation
import TestSupport
import Testing

/// Rows that are left out must leave a backup that can be restored.
@Suite struct ExcludedRowsTests {
  private static let sql = """
    CREATE TABLE kinds (id int PRIMARY KEY); INSERT INTO kinds VALUES (1);
    CREATE TABLE things (id int, kind int REFERENCES kinds); INSERT INTO things VALUES (1, 1);
    CREATE TABLE logs (thing int, kind int REFERENCES kinds)
    """

  @Test func `a backup whose kept rows refer to left out ones is refused`() throws {
    try Workbench.with(sql: Self.sql) { bench in
      try bench.writePolicy(more: "backup: {exclude_table_data: [kinds]}")
      let run = try bench.holdfast("backup", "--json")
      #expect(run.exit == 78)
      #expect(run.json.string("error", "code") == "excluded_reference", "\(run.stdout)")
      #expect(run.json.string("error", "why")?.contains("public.things") == true)
      #expect(bench.shelfContents().allSatisfy { $0.hasPrefix(".lock") })
    }
  }

  @Test func `a pattern may match a table's sequence too`() throws {
    let sql =
      "CREATE TABLE log_a (id serial PRIMARY KEY, t text); INSERT INTO log_a (t) VALUES ('x'); CREATE TABLE b (b int)"
    try Workbench.with(sql: sql) { bench in
      for format in ["directory", "plain"] {
        try bench.writePolicy(more: "backup: {format: \(format), exclude_table_data: [\"public.log_*\"]}")
        try bench.restore(try bench.backUp(), into: bench.newDatabaseName(format))
      }
    }
  }

  /// The numbers of an enum's values are others in each database, and so are the hashes. The pattern is one of the sequence, too.
  @Test func `a partition that is left out may have rows of the others in it after a restore`() throws {
    let sql = """
      CREATE TYPE m AS ENUM ('a', 'b', 'c', 'd'); CREATE TABLE hp (id serial, m m) PARTITION BY HASH (m);
      CREATE TABLE hp0 PARTITION OF hp FOR VALUES WITH (MODULUS 2, REMAINDER 0);
      CREATE TABLE hp_1 PARTITION OF hp FOR VALUES WITH (MODULUS 2, REMAINDER 1);
      INSERT INTO hp (m) SELECT unnest(enum_range(NULL::m))
      """
    try Workbench.with(sql: sql) { bench in
      try bench.writePolicy(more: "backup: {exclude_table_data: [\"public.hp_*\"]}")
      let id = try bench.backUp()
      for number in 0..<6 {
        let copy = bench.newDatabaseName("copy\(number)")
        let run = try bench.holdfast("restore", id, "--into", copy)
        #expect(run.exit == 0, "\(run.stderr)")
        let rows = "SELECT count(*) FROM ONLY hp0"
        #expect(
          try bench.cluster.psql("SELECT count(*) FROM hp", database: copy)
            == bench.cluster.psql(rows, database: bench.database))
      }
    }
  }

  @Test func `rows that nothing refers to, and empty tables that refer to them, are no obstacle`() throws {
    try Workbench.with(sql: Self.sql) { bench in
      try bench.writePolicy(more: "backup: {exclude_table_data: [things, logs]}")
      #expect(try bench.holdfast("backup").exit == 0)
      try bench.cluster.psql("DELETE FROM things", database: bench.database)
      try bench.writePolicy(more: "backup: {exclude_table_data: [kinds]}")
      #expect(try bench.holdfast("backup").exit == 0)
      let copy = bench.newDatabaseName()
      #expect(try bench.holdfast("restore", "latest", "--into", copy).exit == 0)
    }
  }

  @Test func `a materialized view that is filled from a left out one keeps the backup from being taken`() throws {
    let sql = """
      CREATE TABLE t (a int); INSERT INTO t VALUES (1);
      CREATE MATERIALIZED VIEW base AS SELECT * FROM t; CREATE VIEW between AS SELECT a AS b FROM base;
      CREATE VIEW further AS SELECT b AS c FROM between; CREATE MATERIALIZED VIEW upper_one AS SELECT * FROM further;
      CREATE MATERIALIZED VIEW empty_one AS SELECT * FROM base WITH NO DATA;
      CREATE VIEW ruled AS SELECT 1 AS a; CREATE RULE r AS ON INSERT TO ruled DO INSTEAD SELECT * FROM base;
      CREATE MATERIALIZED VIEW of_ruled AS SELECT * FROM ruled
      """
    try Workbench.with(sql: sql) { bench in
      try bench.writePolicy(more: "backup: {exclude_table_data: [base]}")
      let run = try bench.holdfast("backup", "--json")
      #expect(run.exit == 78)
      #expect(run.json.string("error", "code") == "excluded_reference", "\(run.stdout)")
      #expect(run.json.string("error", "why")?.contains("public.upper_one is filled from it") == true)
      let check = try bench.holdfast("check")
      #expect(check.exit == 2)
      #expect(check.stdout.contains("public.upper_one is filled from it"), "\(check.stdout)")

      for format in ["directory", "plain", "custom"] {
        try bench.writePolicy(more: "backup: {format: \(format), exclude_table_data: [base, upper_one]}")
        let copy = bench.newDatabaseName(format)
        try bench.restore(try bench.backUp(), into: copy)
        let filled = "SELECT string_agg(relname, ' ') FROM pg_class WHERE relkind = 'm' AND relispopulated"
        #expect(try bench.cluster.psql(filled, database: copy) == "of_ruled")
      }
      // Left out, and empty at the source: pg_dump fills what reads it all the same.
      try bench.cluster.psql("REFRESH MATERIALIZED VIEW base WITH NO DATA", database: bench.database)
      try bench.writePolicy(more: "backup: {exclude_table_data: [base]}")
      #expect(try bench.holdfast("backup").exit == 78)
      try bench.cluster.psql("DROP MATERIALIZED VIEW upper_one", database: bench.database)
      try bench.writePolicy(more: "backup: {exclude_table_data: [base]}")
      try bench.restore(try bench.backUp(), into: bench.newDatabaseName())
    }
  }

  @Test func `a pattern whose capitals lack their quotes is told what it likely means`() throws {
    try Workbench.with(sql: "CREATE TABLE \"Session\" (a int)") { bench in
      for pattern in ["public.Session", "Session"] {
        try bench.writePolicy(more: "backup: {exclude_table_data: [\(pattern)]}")
        let check = try bench.holdfast("check")
        #expect(check.stdout.contains("did you mean 'public.\"Session\"'?"), "\(check.stdout)")
      }
      try bench.writePolicy(more: "backup: {exclude_table_data: ['public.\"Session\"']}")
      #expect(try bench.holdfast("check").stdout.contains("1 table saved without rows"))
    }
  }

  @Test func `check tells of materialized views that are filled from left out rows`() throws {
    let sql = """
      CREATE TABLE parts (at int) PARTITION BY RANGE (at); CREATE TABLE parts_1 PARTITION OF parts DEFAULT;
      CREATE VIEW between AS SELECT * FROM parts; CREATE MATERIALIZED VIEW sums AS SELECT count(*) FROM between;
      CREATE TABLE other (a int); CREATE MATERIALIZED VIEW of_other AS SELECT * FROM other;
      CREATE MATERIALIZED VIEW of_sums AS SELECT * FROM sums
      """
    try Workbench.with(sql: sql) { bench in
      try bench.writePolicy(more: "backup: {exclude_table_data: [parts_1]}")
      let run = try bench.holdfast("check")
      #expect(run.exit == 0 && run.stdout.contains("public.sums is filled again after a restore, from public.parts_1"))
      #expect(run.stdout.contains("public.of_sums is filled again"), "\(run.stdout)")
      #expect(!run.stdout.contains("of_other is filled"))
    }
  }

  private static let partitioned = """
    CREATE TABLE kinds (id int PRIMARY KEY, up int REFERENCES kinds); INSERT INTO kinds VALUES (1, NULL), (2, 1);
    CREATE TABLE loose (kind int); INSERT INTO loose VALUES (7);
    ALTER TABLE loose ADD FOREIGN KEY (kind) REFERENCES kinds NOT VALID;
    CREATE TABLE parts (at int PRIMARY KEY) PARTITION BY RANGE (at);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20); INSERT INTO parts VALUES (1), (11);
    CREATE TABLE marks (id int PRIMARY KEY); INSERT INTO marks VALUES (11);
    CREATE TABLE uses (at int REFERENCES parts REFERENCES marks) PARTITION BY LIST (at);
    CREATE TABLE uses_1 PARTITION OF uses FOR VALUES IN (1); CREATE TABLE uses_2 PARTITION OF uses DEFAULT PARTITION BY LIST (at);
    CREATE TABLE uses_2_1 PARTITION OF uses_2 DEFAULT; INSERT INTO uses VALUES (11)
    """

  /// Nothing but the catalogs and the dump are asked: whether a partition that is left out is referred to, `check` calls a doubt.
  @Test func `keys of and to partitions, of a table to itself, and ones that are not checked`() throws {
    try Workbench.with(sql: Self.partitioned) { bench in
      func isTaken(leavingOut patterns: String) throws -> Bool {
        try bench.writePolicy(more: "backup: {exclude_table_data: [\(patterns)]}")
        let run = try bench.holdfast("backup", "--json")
        guard run.exit == 0 else {
          #expect(run.exit == 78)
          #expect(run.json.string("error", "why")?.contains("rows of public.uses_2_1 refer") == true, "\(run.stdout)")
          #expect(try bench.holdfast("check").stdout.contains("rows of public.uses_2_1 refer"))
          return false
        }
        let copy = bench.newDatabaseName("\(UInt16.random(in: 0...UInt16.max))")
        let restore = try bench.holdfast("restore", try #require(run.json.string("backup", "id")), "--into", copy)
        let check = try bench.holdfast("check").stdout
        #expect(
          (restore.exit == 0) == !check.contains("uses_2_1 may refer to rows of public.parts_2"),
          "\(restore.stderr)\(check)")
        return true
      }
      let cases = [
        ("kinds", true), ("kinds, 'parts_*', 'uses_*'", true), ("kinds, parts_2", true), ("parts_2, uses_1", true),
        ("parts_2, uses_2_1", true), ("marks", false), ("marks, uses_2_1", true),
        ("'parts_*'", false), ("'parts_*', uses_1", false),
      ]
      for (patterns, can) in cases {
        let taken = try isTaken(leavingOut: patterns)
        #expect(taken == can, "\(patterns)")
      }
    }
  }

  /// Neither its columns' casts nor its indexes' functions nor its row security may run as a superuser.
  @Test func `nothing that a table's owner made runs when it is looked at`() throws {
    let sql = """
      CREATE FUNCTION ran() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
        IF pg_catalog.current_setting('application_name') ~ 'holdfast (check|backup)' THEN RAISE EXCEPTION 'ran'; END IF;
        RETURN 1; END $$;
      CREATE TYPE e AS ENUM ('1', '2');
      CREATE FUNCTION cast_e(e) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
        IF pg_catalog.current_setting('application_name') ~ 'holdfast (check|backup)' THEN RAISE EXCEPTION 'ran'; END IF;
        RETURN $1::text::int; END $$;
      CREATE CAST (e AS int) WITH FUNCTION cast_e(e) AS IMPLICIT;
      CREATE TABLE parts (at int PRIMARY KEY) PARTITION BY RANGE (at);
      CREATE TABLE parts_1 PARTITION OF parts DEFAULT; INSERT INTO parts VALUES (1);
      CREATE TABLE uses (at e REFERENCES parts, CHECK (ran() > 0)); CREATE INDEX ON uses ((ran())) WHERE ran() = 1;
      INSERT INTO uses VALUES ('1'); ANALYZE uses
      """
    try Workbench.with(sql: sql) { bench in
      let trap = "SET application_name = 'holdfast check'; SELECT FROM uses WHERE at = '1'"
      #expect(throws: (any Error).self, "the trap works") { try bench.cluster.psql(trap, database: bench.database) }
      try bench.writePolicy(more: "backup: {exclude_table_data: [parts_1]}")
      for command in ["check", "backup"] {
        let run = try bench.holdfast(command)
        let told = "\(run.stdout)\(run.stderr)"
        #expect(told.contains("rows of public.uses refer to them") && !told.contains(": ran"), "\(told)")
      }
    }
  }

  @Test func `check waits for no table`() throws {
    try Workbench.with(sql: Self.sql) { bench in
      try bench.writePolicy(more: "backup: {exclude_table_data: [logs, nowhere]}")
      try bench.cluster.holding("LOCK TABLE things, logs, kinds", database: bench.database) {
        let check = try bench.holdfast("check")
        #expect(check.exit == 0 && check.stdout.contains("nowhere: it matches nothing"), "\(check.stdout)")
      }
    }
  }

  /// By the path of the database, which a new one has not yet, and in the names' own encoding.
  @Test(arguments: [("directory", "UTF8"), ("plain", "UTF8"), ("directory", "LATIN1")])
  func `a pattern is looked for where it was found, whatever the search path is then`(format: String, encoding: String)
    throws
  {
    let schema = "\"a é, \\c\""
    try Workbench.with { bench in
      let name = bench.newDatabaseName("source")
      try bench.cluster.psql("CREATE DATABASE \"\(name)\" ENCODING '\(encoding)' LOCALE 'C' TEMPLATE template0")
      try bench.cluster.psql(
        """
        CREATE SCHEMA \(schema); CREATE TABLE \(schema).log (id serial, t text); CREATE TABLE public.log (id serial);
        INSERT INTO \(schema).log (t) VALUES ('x'); ALTER DATABASE "\(name)" SET search_path = \(schema), public
        """, database: name)
      try bench.writePolicy(
        url: bench.cluster.url(name), more: "backup: {format: \(format), exclude_table_data: ['log*']}")
      let copy = bench.newDatabaseName()
      try bench.restore(try bench.backUp(), into: copy)
      #expect(try bench.cluster.psql("SELECT count(*) FROM \(schema).log", database: copy) == "0")
    }
  }

  /// They are saved: pg_dump does not find them.
  @Test(arguments: ["directory", "plain"]) func `what the search path hides is no part of a pattern`(format: String)
    throws
  {
    let sql = """
      CREATE SCHEMA one; CREATE SCHEMA two; CREATE TABLE one.log (id serial); CREATE TABLE two.log (id serial);
      CREATE TABLE two.log_2 (id serial); INSERT INTO one.log SELECT 1; INSERT INTO two.log SELECT nextval('two.log_id_seq')
      """
    try Workbench.with(sql: sql) { bench in
      try bench.cluster.psql(
        "ALTER DATABASE \"\(bench.database)\" SET search_path = one, two", database: bench.database)
      try bench.writePolicy(more: "backup: {format: \(format), exclude_table_data: ['log*']}")
      let copy = bench.newDatabaseName()
      try bench.restore(try bench.backUp(), into: copy)
      #expect(try bench.cluster.psql("SELECT count(*) FROM one.log", database: copy) == "0")
      #expect(
        try bench.cluster.psql("SELECT count(*), nextval('two.log_id_seq') FROM two.log", database: copy) == "1|2")
    }
  }

  // MARK: Patterns

  private static let awkward = """
    CREATE SCHEMA "My.Schema"; CREATE SCHEMA audit;
    CREATE TABLE sessions (a int); CREATE TABLE "Sessions" (a int); CREATE TABLE "a.b" (a int); CREATE TABLE "a$b" (a int);
    CREATE TABLE "a""b" (a int); CREATE TABLE "star*" (a int); CREATE TABLE starry (a int); CREATE TABLE "Ärger" (a int);
    CREATE TABLE audit.log_1 (a int); CREATE TABLE audit.log_22 (a int); CREATE TABLE audit.sessions (a int);
    CREATE TABLE "My.Schema"."x y" (a int); CREATE TABLE log_1 (a int); CREATE TABLE "x[]" (a int);
    ALTER ROLE CURRENT_USER IN DATABASE "DB" SET search_path = audit, public
    """

  private static let patterns = [
    "sessions", "SESSIONS", "\"Sessions\"", "*.sessions", "*", "*.*", "a.b", "\"a.b\"", "public.\"a.b\"", "a$b",
    "public.\"a\"\"b\"", "star*", "public.\"star*\"", "audit.log_?", "log_[0-9]+", "log_*", "\"My.Schema\".*",
    "\"My.Schema\".\"x y\"", "Ärger", "\"Ärger\"", "audit.(log_1|sessions)", "x[]", "\"x[]\"", "\"\"", "public.*a*",
  ]

  @Test func `a pattern means what it means to pg_dump`() throws {
    try Workbench.with(sql: "SELECT 1") { bench in
      try bench.cluster.psql(Self.awkward.replacing("DB", with: bench.database), database: bench.database)
      func saved(_ more: String) throws -> Int? {
        let url = bench.cluster.url(bench.database)
        let run = try shell("pg_dump \(more) '\(url)' | grep -c '^COPY '", in: bench.folder)
        return Int(run.stdout.trimmingCharacters(in: .whitespacesAndNewlines))
      }
      let tables = try #require(try saved(""))
      #expect(tables == 14)
      for pattern in Self.patterns {
        let left = tables - (try #require(try saved("--exclude-table-data='\(pattern)'")))
        try bench.writePolicy(more: "backup: {exclude_table_data: ['\(pattern)']}")
        let check = try bench.holdfast("check")
        let wanted =
          "exclude_table_data \(pattern): "
          + (left == 0 ? "it matches nothing" : "\(left) table\(left == 1 ? "" : "s") saved")
        #expect(check.stdout.contains(wanted), "\(wanted): \(check.stdout)")
      }
    }
  }

  @Test func `check tells of patterns that leave out nothing`() throws {
    let sql = """
      CREATE TABLE parts (at int) PARTITION BY RANGE (at);
      CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10); CREATE TABLE log (id serial)
      """
    try Workbench.with(sql: sql) { bench in
      try bench.writePolicy(more: "backup: {exclude_table_data: [parts, sesions, 'log*']}")
      let run = try bench.holdfast("check")
      #expect(run.stdout.contains("parts: it matches a partitioned table only"), "\(run.stdout)")
      #expect(run.stdout.contains("sesions: it matches nothing that has rows"), "\(run.stdout)")
      #expect(run.stdout.contains("log*: 1 table, 1 sequence saved without rows"), "\(run.stdout)")
      #expect(run.exit == 0)

      try bench.writePolicy(more: "backup: {exclude_table_data: ['log_[']}")
      let refused = try bench.holdfast("backup", "--json")
      #expect(refused.exit == 78)
      #expect(refused.json.string("error", "code") == "bad_pattern", "\(refused.stdout)")
      #expect(try bench.holdfast("check").stdout.contains("log_[ is no pattern of table names"))
      for pattern in ["other.public.log", "\(bench.database).public.log", "a.b.c.d"] {
        try bench.writePolicy(more: "backup: {exclude_table_data: [log, \(pattern), parts]}")
        #expect(try bench.holdfast("backup").exit == 78)
        let check = try bench.holdfast("check").stdout
        #expect(check.contains("\(pattern) is no pattern") && check.contains("parts: it matches"), "\(check)")
        let problems = try bench.holdfast("check", "--json").json.array("problems")
        #expect(problems?.count == 1, "told once: \(problems ?? [])")
      }
    }
  }

  @Test func `what a backup lacks is told where it is taken, shown and restored`() throws {
    try Workbench.with(sql: "CREATE TABLE log (a int); CREATE TABLE kept (a int)") { bench in
      try bench.writePolicy(more: "backup: {exclude_table_data: [log]}")
      #expect(
        try bench.holdfast("backup").stdout.contains(
          "The rows of tables that match exclude_table_data (log) were left out."))
      #expect(
        try bench.holdfast("show", "latest").stdout.contains(
          "lacks rows  of tables that match exclude_table_data (log)"))
      #expect(
        try bench.holdfast("show", "latest", "--json").json.value(["backup", "exclude_table_data"]) as? [String] == [
          "log"
        ])
      let whole = try bench.holdfast("restore", "latest", "--into", bench.newDatabaseName())
      #expect(whole.stdout.contains("It lacks rows of tables that match exclude_table_data (log)."), "\(whole.stdout)")
      let table = try bench.holdfast("restore", "latest", "--table", "kept", "--into", bench.newDatabaseName("table"))
      #expect(table.exit == 0 && !table.stdout.contains("lacks rows"), "\(table.stdout)")
    }
  }
}
