import Foundation
import TestSupport
import Testing

/// What pg_restore cannot bring back as it stands: what can be restored is restored, the rest is named.
@Suite struct UnrestorableTests {
  static let formats = ["directory", "custom", "plain"]

  /// Functions that find something by the search path of the database's own sessions.
  private static let byPath = """
    CREATE EXTENSION unaccent;
    CREATE FUNCTION slug(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN lower(unaccent(t)); END $$;
    CREATE TABLE places (id int PRIMARY KEY, name text CHECK (slug(name) <> ''), s text GENERATED ALWAYS AS (slug(name)) STORED);
    INSERT INTO places VALUES (1, 'Øre'), (2, 'é'); CREATE INDEX by_slug ON places (slug(name));
    CREATE MATERIALIZED VIEW slugs AS SELECT slug(name) FROM places;
    CREATE TABLE parts (k text) PARTITION BY LIST (slug(k)); CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
    INSERT INTO parts VALUES ('Á')
    """

  @Test(arguments: formats) func `functions without a schema find what they need`(format: String) throws {
    try restored(Self.byPath, format) { (bench, copy) throws in
      #expect(try bench.cluster.psql("SELECT count(*) FROM slugs", database: copy) == "2")
      #expect(
        try bench.cluster.psql("SELECT count(*) FROM pg_statistic WHERE starelid = 'by_slug'::regclass", database: copy)
          != "0")
    }
  }

  /// Under an empty path its function finds nothing, and says so by a value.
  private static let silent = """
    CREATE TABLE words (w text); INSERT INTO words VALUES ('a');
    CREATE FUNCTION known(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
      RETURN CASE WHEN to_regclass('words') IS NULL THEN 'nothing' ELSE t END; END $$;
    CREATE TABLE silent (t text, g text GENERATED ALWAYS AS (known(t)) STORED); INSERT INTO silent VALUES ('a'), ('b');
    CREATE INDEX by_known ON silent (known(t)); CREATE UNIQUE INDEX only_known ON silent (known(t));
    CREATE TABLE kinds (k text) PARTITION BY LIST (known(k)); CREATE TABLE kinds_a PARTITION OF kinds FOR VALUES IN ('a');
    CREATE TABLE kinds_none PARTITION OF kinds FOR VALUES IN ('nothing'); INSERT INTO kinds VALUES ('a');
    CREATE MATERIALIZED VIEW filled AS SELECT known(t) AS k FROM silent
    """

  @Test(arguments: formats) func `functions that answer otherwise without a schema answer as before`(format: String)
    throws
  {
    try restored(Self.silent, format) { (bench, copy) throws in
      #expect(try bench.cluster.psql("SELECT string_agg(g, ',' ORDER BY g) FROM silent", database: copy) == "a,b")
      #expect(try bench.cluster.psql("SELECT count(*) FROM kinds_a", database: copy) == "1")
      #expect(
        try bench.cluster.psql(
          "SET enable_seqscan = off; SELECT count(*) FROM silent WHERE known(t) = 'b'", database: copy) == "1")
      #expect(try bench.cluster.psql("SELECT string_agg(k, ',' ORDER BY k) FROM filled", database: copy) == "a,b")
      #expect(try bench.cluster.psql("SELECT bool_and(indisvalid) FROM pg_index", database: copy) == "t")
    }
  }

  private static let otherwise = """
    CREATE EXTENSION hstore; CREATE TABLE h (a int, h hstore); INSERT INTO h VALUES (1, 'a=>1');
    CREATE INDEX unlike ON h (a) WHERE h IS DISTINCT FROM 'a=>2'::hstore;
    CREATE TYPE word AS (w text); CREATE TABLE ranks (w text, r int); INSERT INTO ranks VALUES ('a', 2), ('b', 1);
    CREATE FUNCTION rank(a word, b word) RETURNS int LANGUAGE sql IMMUTABLE AS
      'SELECT (SELECT r FROM ranks WHERE w = a.w) - (SELECT r FROM ranks WHERE w = b.w)';
    CREATE FUNCTION lt(a word, b word) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT rank(a, b) < 0';
    CREATE OPERATOR <<< (LEFTARG = word, RIGHTARG = word, FUNCTION = lt);
    CREATE FUNCTION eq(a word, b word) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT rank(a, b) = 0';
    CREATE OPERATOR === (LEFTARG = word, RIGHTARG = word, FUNCTION = eq);
    CREATE OPERATOR CLASS ranked FOR TYPE word USING btree AS OPERATOR 1 <<<, OPERATOR 3 ===, FUNCTION 1 rank(word, word);
    CREATE TABLE k (w word); INSERT INTO k VALUES (ROW('a')), (ROW('b')); CREATE UNIQUE INDEX by_rank ON k (w ranked);
    CREATE TABLE s (r int4range, EXCLUDE USING gist (r WITH &&));
    CREATE TABLE mine (a int); INSERT INTO mine VALUES (1); ALTER TABLE mine ENABLE ROW LEVEL SECURITY;
    ALTER TABLE mine FORCE ROW LEVEL SECURITY; CREATE MATERIALIZED VIEW of_mine AS SELECT count(*) AS n FROM mine
    """

  @Test(arguments: formats) func `indexes and materialized views are built as they were`(format: String) throws {
    try restored(Self.otherwise, format) { (bench, copy) throws in
      #expect(try bench.cluster.psql("SELECT bool_and(indisvalid) FROM pg_index", database: copy) == "t")
      #expect(
        try bench.cluster.psql(
          "SELECT count(*) FROM pg_class WHERE relname IN ('unlike', 'by_rank', 's_r_excl')", database: copy) == "3")
      #expect(
        try bench.cluster.psql("SELECT relispopulated FROM pg_class WHERE relname = 'of_mine'", database: copy) == "t")
    }
  }

  @Test(arguments: formats) func `a search path that only the database, or only a role, has is found`(format: String)
    throws
  {
    let role = "path_\(format)"
    let sql = """
      CREATE SCHEMA shop; SET search_path = shop; CREATE TABLE shop.rates (cur text, r int); INSERT INTO shop.rates VALUES ('EUR', 2);
      CREATE FUNCTION shop.rate(text) RETURNS int LANGUAGE sql STABLE AS 'SELECT r FROM rates WHERE cur = $1';
      CREATE MATERIALIZED VIEW shop.m AS SELECT shop.rate('EUR') AS r
      """
    for setting in [
      "ALTER DATABASE \"DATABASE_\" SET search_path = shop", "ALTER ROLE \(role) SET search_path = shop, public",
    ] {
      try Workbench.with(policy: "backup: {format: \(format)}") { bench in
        try bench.cluster.psql("DROP ROLE IF EXISTS \(role)")
        try bench.cluster.psql("CREATE ROLE \(role)")
        defer { _ = try? bench.cluster.psql("DROP ROLE \(role)") }
        try bench.cluster.psql(sql, database: bench.database)
        try bench.cluster.psql(setting.replacing("DATABASE_", with: bench.database))
        let copy = bench.newDatabaseName()
        try bench.restore(try bench.backUp(), into: copy)
        #expect(try bench.cluster.psql("SELECT r FROM shop.m", database: copy) == "2")
      }
    }
  }

  private static let views = """
    CREATE TABLE t (v int); INSERT INTO t VALUES (1); CREATE MATERIALIZED VIEW zz AS SELECT v FROM t;
    CREATE FUNCTION reads_zz() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT count(*) FROM public.zz); END $$;
    CREATE MATERIALIZED VIEW yy AS SELECT reads_zz() AS n;
    CREATE FUNCTION reads_yy() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT n FROM public.yy); END $$;
    CREATE MATERIALIZED VIEW aa AS SELECT reads_yy() AS n;
    CREATE FUNCTION fails() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN 1; END $$;
    CREATE MATERIALIZED VIEW broken AS SELECT fails() AS n; CREATE UNIQUE INDEX on_broken ON broken (n);
    CREATE OR REPLACE FUNCTION fails() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN 1 / 0; END $$;
    CREATE SEQUENCE s; CREATE MATERIALIZED VIEW advancing AS SELECT nextval('s') AS n FROM generate_series(1, 5);
    SELECT nextval('s')
    """

  @Test(arguments: formats) func `materialized views are filled as far as they can be`(format: String) throws {
    try Workbench.with(sql: Self.views, policy: "backup: {format: \(format)}") { bench in
      let copy = bench.newDatabaseName()
      let run = try bench.holdfast("restore", try bench.backUp(), "--into", copy)
      #expect(run.exit == 0, "\(run.stderr)")
      #expect(
        run.stderr.contains("warning: a materialized view is empty: REFRESH MATERIALIZED VIEW public.broken"),
        "\(run.stderr)")
      #expect(try bench.cluster.psql("SELECT n FROM aa", database: copy) == "1")
      #expect(
        try bench.cluster.psql("SELECT relispopulated FROM pg_class WHERE relname = 'broken'", database: copy) == "f")
      #expect(try bench.cluster.psql("SELECT last_value FROM s", database: copy) == "6")
    }
  }

  /// A table of another server, among the children of one whose rows are loaded again; and one on a server that is not there.
  @Test(arguments: formats) func `what is on another server is neither emptied nor needed`(format: String) throws {
    try Workbench.with(policy: "backup: {format: \(format)}") { bench in
      let remote = bench.newDatabaseName("remote")
      try bench.createDatabase(remote)
      try bench.cluster.psql("CREATE TABLE archive AS SELECT n AS a FROM generate_series(1, 10) n", database: remote)
      try bench.cluster.psql(
        """
        CREATE EXTENSION postgres_fdw;
        CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '\(bench.cluster.socket)', port '\(bench.cluster.port)', dbname '\(remote)');
        CREATE USER MAPPING FOR public SERVER there OPTIONS (user 'postgres');
        CREATE TABLE log (a int); INSERT INTO log VALUES (1); CREATE FOREIGN TABLE log_old () INHERITS (log) SERVER there OPTIONS (table_name 'archive');
        CREATE TABLE parts (a int) PARTITION BY LIST (a); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); INSERT INTO parts VALUES (1);
        CREATE FOREIGN TABLE parts_2 PARTITION OF parts FOR VALUES IN (2) SERVER there OPTIONS (table_name 'archive');
        CREATE SERVER gone FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
        CREATE USER MAPPING FOR public SERVER gone OPTIONS (user 'postgres', password 'x');
        CREATE FOREIGN TABLE nowhere (a int) SERVER gone; CREATE MATERIALIZED VIEW of_nowhere AS SELECT * FROM nowhere WITH NO DATA;
        CREATE FUNCTION ok(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n < 10';
        CREATE TABLE c (n int CONSTRAINT small CHECK (ok(n))); INSERT INTO c VALUES (5);
        CREATE OR REPLACE FUNCTION ok(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n < 3';
        UPDATE pg_class SET relispopulated = true WHERE relname = 'of_nowhere'
        """, database: bench.database)
      let copy = bench.newDatabaseName()
      let run = try bench.holdfast("restore", try bench.backUp(), "--into", copy, "--json")
      #expect(run.exit == 1 && run.json.string("error", "code") == "unrestorable_object", "\(run.stdout)\(run.stderr)")
      #expect(try bench.cluster.psql("SELECT count(*) FROM archive", database: remote) == "10")
      #expect(
        try bench.cluster.psql(
          "SELECT (SELECT count(*) FROM ONLY log), (SELECT count(*) FROM parts_1), (SELECT count(*) FROM c)",
          database: copy)
          == "1|1|1")
      #expect(run.stderr.contains("a materialized view is empty"), "\(run.stderr)")
    }
  }

  /// Rows that break their own constraints, and what is not restored then.
  private static let broken = [
    (
      """
      CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int, p int CONSTRAINT fk REFERENCES p);
      SET session_replication_role = replica; INSERT INTO c VALUES (1, 99)
      """, "fk", "SELECT convalidated FROM pg_constraint WHERE conname = 'fk'", "f"
    ),
    (
      """
      CREATE FUNCTION ok(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n < 10';
      CREATE TABLE c (n int CONSTRAINT small CHECK (ok(n))); INSERT INTO c VALUES (1), (5);
      CREATE OR REPLACE FUNCTION ok(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n < 3'
      """, "small", "SELECT convalidated FROM pg_constraint WHERE conname = 'small'", "f"
    ),
    (
      """
      CREATE TABLE c (id int); INSERT INTO c VALUES (1); CREATE UNIQUE INDEX one ON c (id);
      UPDATE pg_index SET indisready = false WHERE indexrelid = 'one'::regclass; INSERT INTO c VALUES (1);
      UPDATE pg_index SET indisready = true WHERE indexrelid = 'one'::regclass
      """, "CREATE UNIQUE INDEX one", "SELECT count(*) FROM pg_class WHERE relname = 'one'", "0"
    ),
    (
      """
      CREATE FUNCTION ok(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n < 10';
      CREATE DOMAIN few AS int CONSTRAINT small CHECK (ok(VALUE)); CREATE TABLE c (n few); INSERT INTO c VALUES (5), (6);
      CREATE OR REPLACE FUNCTION ok(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n < 3'
      """, "small", "SELECT convalidated FROM pg_constraint WHERE conname = 'small'", "f"
    ),
  ]

  @Test(arguments: broken, formats)
  func `a constraint that the rows break is named, and everything else is there`(
    one: (sql: String, named: String, query: String, answer: String), format: String
  ) throws {
    let sql =
      one.sql
      + "; RESET session_replication_role; CREATE TABLE other (a int PRIMARY KEY, b text); INSERT INTO other VALUES (1, 'x')"
    try Workbench.with(sql: sql, policy: "backup: {format: \(format)}") { bench in
      let (copy, id) = (bench.newDatabaseName(), try bench.backUp())
      let run = try bench.holdfast("restore", id, "--into", copy, "--json")
      #expect(run.exit == 1, "\(run.stdout)\(run.stderr)")
      #expect(run.json.string("error", "code") == "unrestorable_object")
      #expect(run.json.string("not_restored", 0)?.contains(one.named) == true, "\(run.stdout)")
      #expect(try bench.cluster.psql(one.query, database: copy) == one.answer)
      let rows = "SELECT (SELECT count(*) FROM c) || ' ' || (SELECT b FROM other WHERE a = 1)"
      let before = try bench.cluster.psql(rows, database: bench.database)
      #expect(try bench.cluster.psql(rows, database: copy) == before)
    }
  }

  /// Rows that their own table no longer takes.
  private static let refused = [
    """
    CREATE FUNCTION f(a int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN a; END $$;
    CREATE TABLE c (a int PRIMARY KEY, b int GENERATED ALWAYS AS (f(a)) STORED); INSERT INTO c VALUES (1), (2);
    CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 1 / (a - 2); END $$
    """,
    """
    CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a';
    CREATE TABLE c (a int) PARTITION BY RANGE (f(a)); CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (10);
    INSERT INTO c VALUES (1), (2); CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + 100'
    """,
  ]

  @Test(arguments: refused, formats)
  func `rows that their table no longer takes are named, and everything else is there`(sql: String, format: String)
    throws
  {
    let more = "; CREATE TABLE other (a int PRIMARY KEY, b text); INSERT INTO other VALUES (1, 'x')"
    try Workbench.with(sql: sql + more, policy: "backup: {format: \(format)}") { bench in
      let (copy, id) = (bench.newDatabaseName(), try bench.backUp())
      for options in [[], ["--verify", "rows"]] {
        let run = try ProgramRun(["restore", id, "--into", copy, "--json", "--policies", bench.policies] + options)
        #expect(run.exit == 1, "\(run.stdout)\(run.stderr)")
        #expect(run.json.string("not_restored", 0)?.hasPrefix("rows of \"public\".\"c") == true, "\(run.stdout)")
        #expect(run.json.value(["verification", "ok"]) as? Bool == false)
        let rows = "SELECT (SELECT count(*) FROM c) || ' ' || (SELECT b FROM other WHERE a = 1)"
        #expect(try bench.cluster.psql(rows, database: copy) == "0 x")
        try bench.cluster.psql("DROP DATABASE \"\(copy)\"")
      }
      // Not by any acceptance of words.
      let swap = try bench.holdfast(
        "restore", id, "--swap", "--confirm", bench.database, "--accept-schema-text", "--json")
      #expect(swap.exit == 65 || swap.exit == 1, "\(swap.stdout)")
      #expect(swap.json.string("error", "code") == "unrestorable_object")
      #expect(try bench.cluster.psql("SELECT count(*) FROM c", database: bench.database) == "2")
      #expect(try bench.cluster.databases().filter { $0.hasPrefix(bench.database) } == [bench.database])
    }
  }

  /// Checks that need more than to be dropped where they are, all over rows that have to come back.
  private static let nested = [
    """
    CREATE FUNCTION ok(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
    CREATE TABLE c (n int CONSTRAINT k CHECK (ok(n))); COMMENT ON CONSTRAINT k ON c IS 'it''s kept'; INSERT INTO c VALUES (1);
    CREATE OR REPLACE FUNCTION ok(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n > 1'
    """,
    """
    CREATE FUNCTION ok(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
    CREATE DOMAIN inner_domain AS int CONSTRAINT k CHECK (ok(VALUE)); CREATE DOMAIN outer_domain AS inner_domain;
    CREATE TABLE c (n outer_domain); INSERT INTO c VALUES (1);
    CREATE OR REPLACE FUNCTION ok(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n > 1'
    """,
    """
    CREATE FUNCTION ok(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
    CREATE TABLE p1 (n int, CONSTRAINT k CHECK (ok(n))); CREATE TABLE p2 (n int, CONSTRAINT k CHECK (ok(n)));
    CREATE TABLE c () INHERITS (p1, p2); INSERT INTO c VALUES (1);
    CREATE OR REPLACE FUNCTION ok(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n > 1'
    """,
    "CREATE TABLE p (n int); CREATE TABLE c () INHERITS (p); ALTER TABLE ONLY p ALTER n SET NOT NULL; INSERT INTO c VALUES (NULL)",
  ]

  @Test(arguments: nested, formats) func `rows come back whatever the check hangs on`(sql: String, format: String)
    throws
  {
    try Workbench.with(sql: sql, policy: "backup: {format: \(format)}") { bench in
      let (copy, id) = (bench.newDatabaseName(), try bench.backUp())
      let run = try bench.holdfast("restore", id, "--into", copy, "--json")
      #expect(run.exit == 1 && run.json.string("error", "code") == "unrestorable_object", "\(run.stdout)\(run.stderr)")
      #expect(run.json.array("not_restored")?.isEmpty == false)
      #expect(try bench.cluster.psql("SELECT count(*) FROM c", database: copy) == "1", "\(run.stdout)")
    }
  }

  @Test(arguments: formats) func `a table that cannot be made keeps no other from being restored`(format: String) throws
  {
    try Workbench.with(policy: "backup: {format: \(format), globals: false}") { bench in
      let space = "space_\(format)_\(UInt16.random(in: 1...60000))"
      let folder = "\(bench.cluster.folder)/\(space)"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      _ = try shell("chown postgres '\(folder)' 2>/dev/null || true", in: "/tmp")
      let owner = "owner_\(format)"
      try bench.cluster.psql("DROP ROLE IF EXISTS \(owner)")
      try bench.cluster.psql("CREATE ROLE \(owner) LOGIN CREATEDB")
      try bench.cluster.psql("CREATE TABLESPACE \(space) LOCATION '\(folder)'")
      defer {
        let names = (try? bench.cluster.databases().filter { $0.hasPrefix(bench.database) }) ?? []
        for name in names where name != bench.database {
          _ = try? bench.cluster.psql("DROP DATABASE \"\(name)\" WITH (FORCE)")
        }
        _ = try? bench.cluster.psql("DROP OWNED BY \(owner)", database: bench.database)
        _ = try? bench.cluster.psql("ALTER DATABASE \"\(bench.database)\" OWNER TO postgres")
        _ = try? bench.cluster.psql("DROP ROLE \(owner)")
        _ = try? bench.cluster.psql("DROP TABLESPACE \(space)")
      }
      try bench.cluster.psql("ALTER DATABASE \"\(bench.database)\" OWNER TO \(owner)")
      try bench.cluster.psql("GRANT CREATE ON TABLESPACE \(space) TO \(owner)")
      for sql in [
        "CREATE TABLE apart (a int) TABLESPACE \(space)", "INSERT INTO apart VALUES (1), (2)",
        "CREATE TABLE apart_too (a int) TABLESPACE \(space)", "CREATE TABLE near AS SELECT 1 AS a",
      ] { try bench.cluster.psql(sql, database: bench.database, user: owner) }
      try bench.cluster.psql("REVOKE CREATE ON TABLESPACE \(space) FROM \(owner)")
      try bench.writePolicy(
        url: bench.cluster.url(bench.database, user: owner), more: "backup: {format: \(format), globals: false}")
      let run = try bench.holdfast("restore", try bench.backUp(), "--into", bench.newDatabaseName(), "--json")
      #expect(run.exit == 1 && run.json.string("error", "code") == "unrestorable_object", "\(run.stdout)\(run.stderr)")
      #expect(run.stdout.contains("apart_too") && run.stdout.contains("left out"), "\(run.stdout)")
      let copy = try #require(run.json.string("database"))
      #expect(try bench.cluster.psql("SELECT a FROM near", database: copy) == "1")
    }
  }

  @Test(arguments: formats) func `sequences that checks and indexes advance are where they were`(format: String) throws
  {
    let sql = """
      CREATE SEQUENCE s; CREATE TABLE t (a int);
      CREATE FUNCTION next_one(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
        $$ BEGIN PERFORM nextval('public.s'); RETURN $1; END $$;
      INSERT INTO t VALUES (1), (2); CREATE INDEX ON t (next_one(a)); SELECT setval('s', 7)
      """
    try restored(sql, format) { (bench, copy) throws in
      #expect(try bench.cluster.psql("SELECT last_value FROM s", database: copy) == "7")
    }
  }

  @Test func `an inherited column that is stored in another way is told, and refuses nothing`() throws {
    let sql = """
      CREATE TABLE pa (a int, t text); CREATE TABLE ch (x int) INHERITS (pa); ALTER TABLE ONLY pa ALTER t SET STORAGE EXTERNAL
      """
    try Workbench.with(sql: sql, policy: "migrations: {directory: ../migrations}") { bench in
      #expect(try bench.holdfast("check", "--deep").exit == 0)
      let run = try bench.holdfast("restore", try bench.backUp(), "--into", bench.newDatabaseName())
      #expect(run.exit == 0 && run.stderr.contains("stored in another way"), "\(run.stderr)")
    }
  }

  @Test func `a swap with what cannot be restored has to be accepted`() throws {
    try Workbench.with(sql: Self.broken[0].0) { bench in
      let id = try bench.backUp()
      let refused = try bench.holdfast("restore", id, "--swap", "--confirm", bench.database, "--json")
      #expect(refused.exit == 1, "\(refused.stdout)")
      #expect(refused.json.string("error", "code") == "unrestorable_object")
      #expect(refused.json.string("error", "next_step")?.contains("--accept-schema-text") == true)
      #expect(try bench.cluster.databases().filter { $0.hasPrefix(bench.database) } == [bench.database])
      let accepted = try bench.holdfast(
        "restore", id, "--swap", "--confirm", bench.database, "--accept-schema-text", "--json")
      #expect(accepted.exit == 0, "\(accepted.stdout)\(accepted.stderr)")
      #expect(accepted.stderr.contains("added as NOT VALID"))
      let kept = try #require(accepted.json.string("kept_as"))
      _ = bench.newDatabaseName(String(kept.dropFirst(bench.database.count + 1)))
      #expect(
        try bench.cluster.psql("SELECT convalidated FROM pg_constraint WHERE conname = 'fk'", database: bench.database)
          == "f")
    }
  }

  @Test(arguments: formats) func `an event trigger that always fires does not see the restore`(format: String) throws {
    let sql = """
      CREATE TABLE ddl_log (tag text);
      CREATE FUNCTION log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.ddl_log VALUES (tg_tag); END $$;
      CREATE TABLE t (id int); CREATE MATERIALIZED VIEW mv AS SELECT * FROM t;
      CREATE EVENT TRIGGER aaa ON ddl_command_end EXECUTE FUNCTION log_ddl(); ALTER EVENT TRIGGER aaa ENABLE ALWAYS
      """
    try restored(sql, format) { (bench, copy) throws in #expect(try bench.differences(copy) == "") }
  }

  @Test(arguments: formats) func `partitions by a hash of an enum, each with an order of its columns`(format: String)
    throws
  {
    let sql = """
      CREATE TYPE col AS ENUM ('red', 'green', 'blue', 'black', 'white'); CREATE TABLE h (c col, n int, t text) PARTITION BY HASH (c);
      CREATE TABLE h0 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 0);
      CREATE TABLE h1 (t text, n int, c col); ALTER TABLE h ATTACH PARTITION h1 FOR VALUES WITH (MODULUS 3, REMAINDER 1);
      CREATE TABLE h2 (n int, gone int, c col, t text); ALTER TABLE h2 DROP COLUMN gone;
      ALTER TABLE h ATTACH PARTITION h2 FOR VALUES WITH (MODULUS 3, REMAINDER 2);
      INSERT INTO h SELECT (enum_range(NULL::col))[1 + g % 5], g, 't' || g FROM generate_series(1, 60) g
      """
    try restored(sql, format) { (bench, copy) throws in #expect(try bench.differences(copy) == "") }
  }

  private func restored(
    _ sql: String, _ format: String, _ look: (Workbench, _ copy: String) throws -> Void
  ) throws {
    try Workbench.with(sql: sql, policy: "backup: {format: \(format)}") { bench in
      let copy = bench.newDatabaseName()
      let id = try bench.backUp()
      #expect(try bench.holdfast("verify", id, "--level", "archive").exit == 0)
      try bench.restore(id, into: copy)
      try look(bench, copy)
    }
  }
}

/// Who discovers databases, as monitoring does, is no reason to lose a restore.
@Suite struct ClosedRestoreTests {
  @Test func `nobody else gets into a half-made database, and who does is put out`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a") { bench in
      let role = "curious_\(bench.database)"
      try bench.cluster.psql("CREATE ROLE \(role) LOGIN")
      defer { _ = try? bench.cluster.psql("DROP ROLE \(role)") }
      let (copy, id) = (bench.newDatabaseName(), try bench.backUp())
      let run = try SteppedRun(
        ProgramRun.command(["restore", id, "--into", copy, "--policies", bench.policies]), at: "prove the database",
        notesIn: bench.folder)
      _ = try #require(try run.reach())
      let half = try #require(try bench.cluster.databases().first { $0.hasPrefix("\(copy)__restore_") })
      #expect(throws: (any Error).self) { try bench.cluster.psql("SELECT 1", database: half, user: role) }
      // A superuser gets in anywhere.
      #expect(try bench.cluster.holding("SELECT 1", database: half) { try run.end().code } == 0)
      #expect(try bench.differences(copy) == "")
      #expect(try bench.cluster.psql("SELECT 1", database: copy, user: role) == "1")
    }
  }

  @Test func `a database whose visitor cannot be put out is kept, whole`() throws {
    try Workbench.with { bench in
      let owner = "plain_\(bench.database)"
      try bench.cluster.psql("CREATE ROLE \(owner) LOGIN CREATEDB")
      try bench.cluster.psql("ALTER DATABASE \(bench.database) OWNER TO \(owner)")
      try bench.cluster.psql("CREATE TABLE t AS SELECT 1 AS a", database: bench.database, user: owner)
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: owner), more: "backup: {globals: false}")
      let (copy, id) = (bench.newDatabaseName(), try bench.backUp())
      let run = try SteppedRun(
        ProgramRun.command(["restore", id, "--into", copy, "--policies", bench.policies]), at: "prove the database",
        notesIn: bench.folder)
      _ = try #require(try run.reach())
      let half = try #require(try bench.cluster.databases().first { $0.hasPrefix("\(copy)__restore_") })
      defer {
        for name in [half, copy, bench.database] {
          _ = try? bench.cluster.psql("DROP DATABASE IF EXISTS \"\(name)\" WITH (FORCE)")
        }
        _ = try? bench.cluster.psql("DROP ROLE \(owner)")
      }
      #expect(try bench.cluster.holding("SELECT 1", database: half) { try run.end().code } == 1)
      #expect(try bench.cluster.psql("SELECT a FROM t", database: half, user: owner) == "1")
      // The next restore does not take it for a killed run's.
      try bench.restore(id, into: copy)
      #expect(try bench.cluster.databases().contains(half))
    }
  }
}
