import Foundation
import TestSupport
import Testing

/// Single tables come back with what belongs to them and what they need, and what stays away is named.
@Suite struct RestoreTableTests {
  private static let sql = """
    CREATE EXTENSION citext;
    CREATE SCHEMA shop; CREATE SCHEMA other; CREATE SCHEMA unused;
    CREATE TYPE shop.mood AS ENUM ('calm', 'busy'); CREATE TYPE shop.unused AS ENUM ('a');
    CREATE DOMAIN other.price AS numeric(9,2) CHECK (VALUE >= 0);
    CREATE FUNCTION other.is_odd(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n % 2 = 1';
    CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    CREATE SEQUENCE other."Numbers, all" START 100;
    CREATE TABLE shop.customers (id int PRIMARY KEY, name public.citext);
    CREATE TABLE shop."Orders" (
      id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int CONSTRAINT of_customer REFERENCES shop.customers,
      number bigint DEFAULT nextval('other."Numbers, all"'), mood shop.mood, cost other.price, note public.citext,
      serial serial, CONSTRAINT odd CHECK (other.is_odd(id) OR id > 0));
    COMMENT ON CONSTRAINT of_customer ON shop."Orders" IS 'see shop.customers';
    COMMENT ON COLUMN shop."Orders".note IS 'not in shop.customers'; COMMENT ON TYPE shop.mood IS 'a mood';
    CREATE INDEX by_mood ON shop."Orders" (mood) WHERE note = 'x'::public.citext; COMMENT ON INDEX shop.by_mood IS 'an index';
    CREATE TRIGGER touch BEFORE UPDATE ON shop."Orders" FOR EACH ROW EXECUTE FUNCTION shop.touch();
    CREATE POLICY own ON shop."Orders" USING (EXISTS (SELECT FROM shop.customers c WHERE c.id = customer));
    COMMENT ON POLICY own ON shop."Orders" IS 'a policy'; ALTER TABLE shop."Orders" ENABLE ROW LEVEL SECURITY;
    GRANT SELECT ON shop."Orders" TO PUBLIC; GRANT USAGE ON SCHEMA shop TO PUBLIC;
    CREATE STATISTICS shop.pairs ON customer, mood FROM shop."Orders";
    CREATE VIEW shop.open AS SELECT id FROM shop."Orders";
    INSERT INTO shop.customers SELECT n, 'customer ' || n FROM generate_series(1, 9) n;
    INSERT INTO shop."Orders" (customer, mood, cost, note)
      SELECT 1 + n % 9, 'busy', n, E'tab\\t, back\\\\slash\\nline' FROM generate_series(1, 500) n;
    CREATE TABLE other.events (at date, what text) PARTITION BY RANGE (at);
    CREATE TABLE other.events_24 PARTITION OF other.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    CREATE TABLE unused.events_25 PARTITION OF other.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    CREATE INDEX by_date ON other.events (at);
    INSERT INTO other.events SELECT '2024-12-01'::date + n, 'x' FROM generate_series(1, 60) n;
    CREATE TABLE shop.child () INHERITS (shop.customers);
    SELECT lo_from_bytea(0, 'large');
    """

  private func withBackup(
    _ format: String = "directory", _ body: (_ bench: Workbench, _ id: String, _ copy: String) throws -> Void
  ) throws {
    try Workbench.with(sql: Self.sql, policy: "backup: {format: \(format)}") { bench in
      try body(bench, try bench.backUp(), bench.newDatabaseName())
    }
  }

  private static let everything = """
    SELECT string_agg(kind || ' ' || name, E'\\n' ORDER BY kind, name COLLATE "C") FROM (
      SELECT 'relation ' || relkind::text, c.oid::regclass::text FROM pg_class c
      WHERE relkind <> 't' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
      UNION ALL SELECT 'type', t.oid::regtype::text FROM pg_type t WHERE typtype IN ('e', 'd')
      UNION ALL SELECT 'function', p.oid::regproc::text FROM pg_proc p
        WHERE pronamespace::regnamespace::text !~ '^(pg_catalog|information_schema)$'
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
      UNION ALL SELECT 'constraint ' || contype::text, conname FROM pg_constraint WHERE conrelid <> 0
      UNION ALL SELECT 'trigger', tgname FROM pg_trigger WHERE NOT tgisinternal
      UNION ALL SELECT 'policy', polname FROM pg_policy
      UNION ALL SELECT 'statistics', stxname FROM pg_statistic_ext
      UNION ALL SELECT 'extension', extname FROM pg_extension
      UNION ALL SELECT 'schema', nspname FROM pg_namespace) AS found (kind, name)
    WHERE name !~ '^(pg_|information_schema|_pg_)' AND kind || name !~ 'plpgsql'
    """

  @Test(arguments: ["directory", "custom", "plain"]) func `a table with all that it needs`(format: String) throws {
    try withBackup(format) { bench, id, copy in
      let run = try bench.holdfast("restore", id, "--table", "shop.Orders", "--into", copy, "--json")
      #expect(run.exit == 0, "\(run.stdout)")
      let rows =
        "SELECT md5(string_agg(o::text, '|' ORDER BY id)) || last_value FROM shop.\"Orders\" o, other.\"Numbers, all\" GROUP BY last_value"
      let original = try bench.cluster.psql(rows, database: bench.database)
      #expect(try bench.cluster.psql(rows, database: copy) == original)
      let everything = try bench.cluster.psql(Self.everything, database: copy)
      #expect(
        everything == """
          constraint c odd
          constraint p Orders_pkey
          extension citext
          function other.is_odd
          function shop.touch
          relation S other."Numbers, all"
          relation S shop."Orders_id_seq"
          relation S shop."Orders_serial_seq"
          relation i shop."Orders_pkey"
          relation i shop.by_mood
          relation r shop."Orders"
          schema other
          schema public
          schema shop
          statistics pairs
          trigger touch
          type other.price
          type shop.mood
          """)
      #expect(try bench.cluster.psql("SELECT nextval('shop.\"Orders_id_seq\"')", database: copy) == "501")
      #expect(
        try bench.cluster.psql("SELECT has_table_privilege('public', 'shop.\"Orders\"', 'SELECT')", database: copy)
          == "t")
      #expect(
        try bench.cluster.psql("SELECT relrowsecurity FROM pg_class WHERE relname = 'Orders'", database: copy) == "t")
      let comments =
        "SELECT string_agg(description, ',' ORDER BY description) FROM pg_description WHERE description ~ '^(a|an|not) '"
      let found = try bench.cluster.psql(comments + " AND description !~ 'function|extension'", database: copy)
      #expect(found.contains("a mood") && found.contains("an index") && found.contains("not in shop.customers"))
      #expect(run.json.array("tables") as? [String] == ["shop.Orders"])
      let companions = run.json.array("with") as? [String] ?? []
      for needed in [
        "type shop.mood", "domain other.price", "function shop.touch", "extension citext",
        "sequence other.Numbers, all",
      ] {
        #expect(companions.contains(needed), "\(companions)")
      }
      let left = run.json.array("left_out") as? [String] ?? []
      #expect(left.count == 3, "\(left)")
      #expect(left.last == "the large objects of the backup (1): they belong to no table")
      #expect(left.contains { $0.contains("FOREIGN KEY (customer)") && $0.hasSuffix("it needs shop.customers") })
      #expect(left.contains { $0.hasPrefix("CREATE POLICY own") })
    }
  }

  @Test(arguments: ["directory", "plain"]) func `several tables, and a partitioned one with its partitions`(
    format: String
  ) throws {
    try withBackup(format) { bench, id, copy in
      let run = try bench.holdfast(
        "restore", id, "--table", "shop.Orders", "shop.customers", "--table", "events", "--into", copy)
      #expect(run.exit == 0, "\(run.stderr)")
      #expect(
        run.stdout.contains("tables: other.events, other.events_24, shop.Orders, shop.customers, unused.events_25"))
      #expect(run.stdout.matches(of: /left out/).count == 1, "the large objects")
      let query =
        "SELECT (SELECT count(*) FROM other.events), (SELECT count(*) FROM unused.events_25), (SELECT count(*) FROM shop.customers)"
      #expect(try bench.cluster.psql(query, database: copy) == "60|30|9")
      #expect(try bench.cluster.psql("SELECT count(*) FROM pg_constraint WHERE contype = 'f'", database: copy) == "1")
      #expect(try bench.cluster.psql("SELECT count(*) FROM pg_inherits", database: copy) == "4", "indexes too")
    }
  }

  @Test func `a partitioned table that was dumped behind another one`() throws {
    let sql = """
      CREATE TABLE c (a int); CREATE TABLE o (a int) PARTITION BY LIST (a);
      CREATE TABLE o_1 PARTITION OF o FOR VALUES IN (1); INSERT INTO o VALUES (1)
      """
    try Workbench.with(sql: sql) { bench in
      let id = try bench.backUp()
      for (index, tables) in [["o"], ["c", "o"], ["c"]].enumerated() {
        let copy = bench.newDatabaseName("\(index)")
        let run = try ProgramRun(
          running: ProgramRun.command(
            ["restore", id, "--table"] + tables + ["--into", copy, "--policies", bench.policies]))
        #expect(run.exit == 0, "\(tables): \(run.stderr)")
      }
    }
  }

  @Test func `a partition alone is a table of its own, and says so`() throws {
    try withBackup { bench, id, copy in
      let run = try bench.holdfast("restore", id, "--table", "other.events_24", "--into", copy)
      #expect(run.exit == 0, "\(run.stderr)")
      #expect(run.stdout.contains("left out: ALTER TABLE ONLY other.events ATTACH PARTITION other.events_24"))
      #expect(try bench.cluster.psql("SELECT count(*) FROM other.events_24", database: copy) == "30")
    }
  }

  @Test(arguments: [
    ("shop.order", "no_such_table", "is it shop.Orders?"), ("shop.open", "no_such_table", "SCHEMA.TABLE"),
    ("shop.child", "table_needs", "add --table shop.customers"),
  ])
  func `what cannot be restored is refused before anything is made`(table: String, code: String, hint: String) throws {
    try withBackup { bench, id, copy in
      let run = try bench.holdfast("restore", id, "--table", table, "--into", copy, "--json")
      #expect(run.exit == (code == "no_such_table" ? 66 : 64))
      #expect(run.json.string("error", "code") == code)
      #expect(run.json.string("error", "next_step")?.contains(hint) == true, "\(run.stdout)")
      #expect(try !bench.cluster.databases().contains(copy))
    }
  }

  @Test func `options that do not go together are refused`() throws {
    try withBackup { bench, id, copy in
      let withoutOption = try bench.holdfast("restore", id, "shop.customers", "--into", copy)
      #expect(withoutOption.exit == 64)
      let swapped = try bench.holdfast("restore", id, "--table", "shop.customers", "--swap")
      #expect(swapped.exit == 64)
    }
  }

  @Test(arguments: [
    ("UPDATE shop.customers SET name = 'y' WHERE id = 7", "digest"),
    ("DELETE FROM shop.customers WHERE id = 7", "rows"),
    ("ALTER TABLE shop.customers ALTER name SET DEFAULT 'z'", "digest"),
  ])
  func `tables that differ from the backup's are dropped`(change: String, proof: String) throws {
    try withBackup { bench, id, copy in
      let command = ProgramRun.command([
        "restore", id, "--table", "shop.customers", "--verify", proof, "--into", copy, "--policies", bench.policies,
      ])
      let run = try SteppedRun(command, at: "prove the database", notesIn: bench.folder)
      try #require(try run.reach() != nil)
      let half = try #require(try bench.cluster.databases().first { $0.hasPrefix("\(copy)__restore_") })
      try bench.cluster.psql(change, database: half)
      #expect(try run.end().code == 65)
      let left = try bench.cluster.databases().filter { $0.hasPrefix(copy) }
      #expect(left == [])
    }
  }

  @Test func `a table whose rows were left out of the backup says so`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a", policy: "backup: {exclude_table_data: [public.t]}") {
      bench in
      let (id, copy) = (try bench.backUp(), bench.newDatabaseName())
      let run = try bench.holdfast("restore", id, "--table", "t", "--into", copy)
      #expect(run.exit == 0, "\(run.stderr)")
      #expect(run.stdout.contains("left out: the rows of public.t: the backup was taken without them"))
    }
  }

  @Test func `a table that the backup has not is told before its files are verified`() throws {
    try withBackup { bench, id, copy in
      let run = try bench.holdfast("restore", id, "--table", "shop.order", "--into", copy)
      #expect(run.exit == 66 && run.stderr.contains("the backup has no such table"), "\(run.stderr)")
      #expect(!run.stderr.contains("verify"), "\(run.stderr)")
    }
  }

  @Test func `a check that reads another table is told with the table that helps`() throws {
    let sql = """
      CREATE TABLE known (k int); INSERT INTO known VALUES (1);
      CREATE FUNCTION is_known(int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM public.known WHERE k = $1)';
      CREATE TABLE t (a int CHECK (is_known(a))); INSERT INTO t VALUES (1)
      """
    try Workbench.with(sql: sql) { bench in
      let id = try bench.backUp()
      let alone = try bench.holdfast("restore", id, "--table", "public.t", "--into", bench.newDatabaseName("alone"))
      #expect(alone.exit == 1)
      #expect(alone.stderr.contains("by a further --table"), "\(alone.stderr)")
      let both = bench.newDatabaseName("both")
      let run = try bench.holdfast("restore", id, "--table", "public.t", "public.known", "--into", both)
      #expect(run.exit == 0, "\(run.stderr)")
      #expect(try bench.cluster.psql("SELECT count(*) FROM t", database: both) == "1")
    }
  }
}
