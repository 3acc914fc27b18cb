import Foundation
import TestSupport
import Testing

/// The owner of a database may put anything into it, and into its search path. A superuser's run must not do his will.
@Suite struct HostileOwnerTests {
  /// Operators and functions that stand for PostgreSQL's own where the search path lets them, and note that they ran.
  private static let traps = """
    CREATE SCHEMA evil;
    CREATE FUNCTION evil.note() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
      IF pg_catalog.current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on'
        AND pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) 'off'
      THEN PERFORM pg_catalog.nextval('evil.ran'); END IF;
      RETURN true; END $$;
    CREATE SEQUENCE evil.ran;
    CREATE FUNCTION evil.eq(name, name) RETURNS boolean LANGUAGE sql AS 'SELECT evil.note()';
    CREATE FUNCTION evil.eq(name, text) RETURNS boolean LANGUAGE sql AS 'SELECT evil.note()';
    CREATE FUNCTION evil.eq(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT evil.note()';
    CREATE FUNCTION evil.eq(oid, oid) RETURNS boolean LANGUAGE sql AS 'SELECT evil.note()';
    CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.eq);
    CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.eq);
    CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq);
    CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.eq);
    CREATE OPERATOR evil.<> (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.eq);
    CREATE OPERATOR evil.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq);
    CREATE FUNCTION evil.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS 'SELECT ''x'' WHERE evil.note()';
    """

  private func runs(_ bench: DeployBench, _ database: String? = nil) throws -> String {
    try bench.psql("SELECT is_called FROM evil.ran", database: database ?? bench.database)
  }

  @Test func `a health check means PostgreSQL's own operators, whatever the database's owner has put before them`()
    throws
  {
    try DeployBench.with { bench in
      try bench.psql(Self.traps)
      try bench.psql(
        """
        CREATE FUNCTION evil.gt(bigint, int) RETURNS boolean LANGUAGE sql AS 'SELECT evil.note()';
        CREATE OPERATOR evil.> (LEFTARG = bigint, RIGHTARG = int, FUNCTION = evil.gt)
        """)
      try bench.maintain("ALTER DATABASE \(bench.database) SET search_path = evil, pg_catalog, public")
      #expect(try bench.psql("SET search_path = evil, pg_catalog; SELECT 0::bigint > 1") == "t", "the traps work")
      try bench.set(["health_checks: [{sql: \"SELECT count(*) > 0 FROM public._prisma_migrations\"}]"])
      try bench.psql("SELECT pg_catalog.setval('evil.ran', 1, false)")
      try bench.migration("20240201000000_more", "CREATE TABLE public.more (a int)")
      let run = try bench.run("deploy")
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      #expect(try runs(bench) == "f")
      #expect(try bench.psql("SELECT to_regclass('evil.more') IS NULL") == "t")
    }
  }

  @Test func `operators in the search path of the database are never taken for PostgreSQL's own`() throws {
    try DeployBench.with { bench in
      try bench.psql(Self.traps)
      let path = "ALTER DATABASE \(bench.database) SET search_path = evil, pg_catalog, public"
      try bench.maintain(path)
      #expect(
        try bench.psql("SET search_path = evil, pg_catalog; SELECT 'a'::name = 'b'::name") == "t", "the traps work")
      try bench.psql("SELECT pg_catalog.setval('evil.ran', 1, false)")
      // A script's session has the database's own path; it does nothing that could trip them.
      try bench.migration("20240201000000_more", "CREATE TABLE public.more (a int)")
      for command in [
        ["check"], ["backup"], ["verify"], ["restore", "latest", "--into", "\(bench.database)_r"], ["migrations"],
        ["deploy"], ["status"], ["rollback", "--plan"],
      ] {
        _ = try ProgramRun(running: bench.command(command), within: 120)
        #expect(try runs(bench) == "f", "\(command)")
      }
      let rollback = try bench.confirmed("rollback")
      #expect(rollback.exit == 0, "\(rollback.stdout)")
      #expect(try runs(bench) == "f", "in the database that was restored")
      let kept = try #require(rollback.json.string("kept_as"))
      #expect(try runs(bench, kept) == "f", "in the one that was live")
      #expect(try bench.confirmed("undo").exit == 0)
      #expect(try runs(bench) == "f")
    }
  }
}
