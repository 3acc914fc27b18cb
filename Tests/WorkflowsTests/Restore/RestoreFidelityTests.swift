import Foundation
import TestSupport
import Testing

/// What depends on more than the rows themselves comes back as it was: in every format, since each goes its own way.
@Suite struct RestoreFidelityTests {
  /// The settings of the server, of the database, and what another table holds.
  private static let dependent = """
    ALTER DATABASE DATABASE_ SET app.tenant = 'x'; ALTER DATABASE DATABASE_ SET datestyle = 'SQL, DMY';
    ALTER DATABASE DATABASE_ SET default_transaction_read_only = on;
    SET app.tenant = 'x'; SET datestyle = 'SQL, DMY';
    CREATE TABLE moments (at timestamptz, day date, CHECK (at::date = day));
    INSERT INTO moments VALUES ('2024-06-01 00:30+02', '01/06/2024');
    CREATE MATERIALIZED VIEW per_day AS SELECT at::date::text AS day, current_setting('app.tenant') AS tenant FROM moments;
    CREATE TABLE texts (s text CHECK (s::date IS NOT NULL)); INSERT INTO texts VALUES ('31/12/2024');
    CREATE TABLE tenants (t text CHECK (t = current_setting('app.tenant'))); INSERT INTO tenants VALUES ('x');
    """

  @Test(arguments: ["directory", "custom", "plain"])
  func `content that depends on zone and settings`(format: String) throws {
    let cluster = try TestCluster(settings: ["timezone=Europe/Berlin"])
    defer { cluster.stop() }
    try Workbench.with(cluster: cluster, policy: "backup: {format: \(format)}") { bench in
      try cluster.psql(
        Self.dependent.replacingOccurrences(of: "DATABASE_", with: bench.database), database: bench.database)
      let copy = bench.newDatabaseName()
      try bench.restore(try bench.backUp(), into: copy)
      #expect(try bench.differences(copy) == "")
      #expect(try cluster.psql("SELECT day, tenant FROM per_day", database: copy) == "01/06/2024|x")
    }
  }

  /// pg_dump does not see what a function reads: side by side the last one begins while the second one waits for the first one.
  @Test func `a materialized view that reads another one through a function is filled`() throws {
    let sql = """
      CREATE TABLE t AS SELECT 1 AS a; CREATE MATERIALIZED VIEW m_0 AS SELECT a, pg_sleep(1)::text AS slow FROM t;
      CREATE MATERIALIZED VIEW m_1 AS SELECT a FROM m_0;
      CREATE FUNCTION through() RETURNS bigint LANGUAGE sql AS 'SELECT sum(a) FROM public.m_1';
      CREATE MATERIALIZED VIEW m_2 AS SELECT through() AS sum
      """
    try Workbench.with(sql: sql) { bench in
      let copy = bench.newDatabaseName()
      try bench.restore(try bench.backUp(), into: copy)
      #expect(try bench.cluster.psql("SELECT sum FROM m_2", database: copy) == "1")
    }
  }

  @Test(arguments: ["directory", "custom", "plain"])
  func `event triggers do not wake for the restore itself`(format: String) throws {
    let sql = """
      CREATE TABLE t AS SELECT 1 AS a; CREATE MATERIALIZED VIEW one AS SELECT a FROM t;
      CREATE MATERIALIZED VIEW two AS SELECT a FROM one; CREATE MATERIALIZED VIEW three AS SELECT a FROM two;
      CREATE TABLE ddl_log (tag text);
      CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO public.ddl_log VALUES (tg_tag); END $$;
      CREATE EVENT TRIGGER note_it ON ddl_command_end EXECUTE FUNCTION note();
      COMMENT ON EVENT TRIGGER note_it IS 'noted'; CREATE TABLE later (a int)
      """
    try Workbench.with(sql: sql, policy: "backup: {format: \(format)}") { bench in
      let copy = bench.newDatabaseName()
      try bench.restore(try bench.backUp(), into: copy)
      #expect(try bench.differences(copy) == "")
      let before = try bench.cluster.psql("SELECT count(*) FROM ddl_log", database: copy)
      let log = "CREATE TABLE awake (); SELECT count(*) - \(before) FROM ddl_log"
      #expect(try bench.cluster.psql(log, database: copy) == "1", "it is awake now")
      let comment = "SELECT obj_description(oid, 'pg_event_trigger') FROM pg_event_trigger"
      #expect(try bench.cluster.psql(comment, database: copy) == "noted")
    }
  }

  @Test(arguments: ["directory", "custom", "plain"])
  func `an owner that has taken rights from itself restores all the same`(format: String) throws {
    let owner = "owner_\(format)"
    try Workbench.with(policy: "backup: {format: \(format), globals: false}") { bench in
      try bench.cluster.psql("DROP ROLE IF EXISTS \(owner); CREATE ROLE \(owner) LOGIN CREATEDB")
      try bench.cluster.psql("ALTER DATABASE \(bench.database) OWNER TO \(owner)")
      try bench.cluster.psql(
        """
        CREATE TABLE audit (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
        INSERT INTO audit (what) SELECT repeat('x', 900) FROM generate_series(1, 2000);
        CREATE SEQUENCE numbers; SELECT nextval('numbers');
        REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES ON audit FROM \(owner);
        REVOKE UPDATE, USAGE ON SEQUENCE numbers FROM \(owner); GRANT SELECT ON audit TO PUBLIC
        """, database: bench.database, user: owner)
      try bench.writePolicy(
        url: bench.cluster.url(bench.database, user: owner), more: "backup: {format: \(format), globals: false}")
      let copy = bench.newDatabaseName()
      try bench.restore(try bench.backUp(), into: copy)
      #expect(try bench.differences(copy) == "")
      try bench.cluster.psql("DROP DATABASE \(copy)")
      try bench.cluster.psql("ALTER DATABASE \(bench.database) OWNER TO postgres")
      try bench.cluster.psql("DROP OWNED BY \(owner)", database: bench.database)
      try bench.cluster.psql("DROP ROLE \(owner)")
    }
  }

  @Test func `rows that are checked against another table come in the order of the dump`() throws {
    let sql = """
      CREATE TABLE a_parent (id int); INSERT INTO a_parent VALUES (1);
      CREATE FUNCTION has(n int) RETURNS boolean LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM public.a_parent WHERE id = n)';
      CREATE TABLE b_child (parent int CHECK (has(parent)), filler text);
      INSERT INTO b_child SELECT 1, repeat('y', 300) FROM generate_series(1, 5000);
      CREATE TABLE c AS SELECT repeat('z', 200) FROM generate_series(1, 3000);
      CREATE TABLE d AS SELECT repeat('z', 200) FROM generate_series(1, 2000);
      CREATE TABLE parts (n int) PARTITION BY RANGE (n);
      CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100); INSERT INTO parts VALUES (1), (2)
      """
    try Workbench.with(sql: sql) { bench in
      let copy = bench.newDatabaseName()
      try bench.restore(try bench.backUp(), into: copy)
      #expect(try bench.differences(copy) == "")
    }
  }

  @Test func `a partitioned table has statistics of its own afterwards`() throws {
    let sql = """
      CREATE TABLE parts (n int) PARTITION BY RANGE (n);
      CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
      CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (n);
      CREATE TABLE parts_3 PARTITION OF parts_2 FOR VALUES FROM (100) TO (200);
      INSERT INTO parts SELECT generate_series(1, 150); CREATE TABLE plain AS SELECT 1 AS a; ANALYZE
      """
    try Workbench.with(sql: sql) { bench in
      let copy = bench.newDatabaseName()
      try bench.restore(try bench.backUp(), into: copy)
      let statistics = "SELECT tablename, inherited FROM pg_stats WHERE schemaname = 'public' ORDER BY 1, 2"
      let before = try bench.cluster.psql(statistics, database: bench.database)
      #expect(try bench.cluster.psql(statistics, database: copy) == before)
      #expect(before.contains("parts|t"))
    }
  }
}
