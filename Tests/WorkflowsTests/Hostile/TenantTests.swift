import Foundation
import TestSupport
import Testing

/// A database whose owner is not trusted: whatever runs there for a superuser, or for the role of the backups, runs nothing of the owner's.
@Suite struct TenantTests {
  @Test func `a database that makes everybody its owner is worked on as the role of the connection`() throws {
    try TenantBench.with { deploy, sightings in
      try deploy.cluster.psql("CREATE TABLE of_another (a int)", database: deploy.database)
      try deploy.cluster.psql("ALTER DATABASE \(deploy.database) SET role = 'tenant'", user: "tenant")
      #expect(
        try deploy.cluster.psql("SELECT current_user", database: deploy.database) == "tenant", "the setting works")
      let check = try deploy.run("check")
      #expect(check.exit == 0 && !check.stdout.contains("cannot read"), "\(check.stdout)")
      #expect(try deploy.run("backup", "--create-repository").exit == 0)
      let manifest = try deploy.run("show", "latest", "--json")
      #expect(!manifest.stdout.contains("role_passwords"), "the globals are a superuser's: \(manifest.stdout)")
      #expect(try sightings() == ["tenant"])
    }
  }

  @Test func `a history with large logs is read all the same, and its logs are left where they are`() throws {
    try TenantBench.with { deploy, _ in
      try deploy.cluster.psql(
        """
        UPDATE _prisma_migrations SET logs = (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 20000) n)
        """, database: deploy.database, user: "tenant")
      for command in ["status", "migrations"] {
        #expect([0, 2].contains(try deploy.run(command, "--json").exit), "\(command)")
      }
      #expect(try deploy.run("backup", "--create-repository").exit == 0)
      #expect(try deploy.run("migrations", "--json").stdout.contains(DeployBench.first))
    }
  }

  @Test func `a partition of another owner is not counted as its root's`() throws {
    try TenantBench.with { deploy, sightings in
      try deploy.cluster.psql(
        """
        CREATE TABLE parts (a int) PARTITION BY LIST (a); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
        INSERT INTO parts VALUES (1); ALTER TABLE parts_1 OWNER TO tenant
        """, database: deploy.database)
      try deploy.cluster.psql("CREATE INDEX ON parts_1 (trap(a))", database: deploy.database, user: "tenant")
      #expect(try deploy.run("backup", "--create-repository").exit == 0)
      let run = try deploy.run("restore", "latest", "--into", "\(deploy.database)_parts", "--verify", "rows")
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      #expect(try sightings() == ["tenant"])
    }
  }

  @Test func `a function that outlives the server's time limit keeps no plan waiting`() throws {
    try TenantBench.with { deploy, _ in
      #expect(try deploy.run("backup", "--create-repository").exit == 0)
      try deploy.cluster.psql(
        """
        CREATE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
          IF pg_catalog.pg_backend_pid() = ANY (SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'holdfast%') THEN
            FOR i IN 1..100 LOOP BEGIN PERFORM pg_sleep(1); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP;
          END IF; RETURN $1; END $$;
        CREATE TABLE slowed (id int); INSERT INTO slowed VALUES (1); CREATE INDEX ON slowed (slow(id))
        """, database: deploy.database, user: "tenant")
      let start = ContinuousClock.now
      #expect(try deploy.run("rollback", "--plan", "--to", "latest").exit == 0)
      #expect(ContinuousClock.now - start < .seconds(60))
      // Nor does it go on in our name.
      let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'holdfast%'"
      try waitUntil("no session of the plan is left") { try deploy.cluster.psql(left) == "0" }
    }
  }

  @Test(arguments: ["read committed", "repeatable read"])
  func `what is hung on the history while a migration runs does not run`(isolation: String) throws {
    try TenantBench.with { deploy, sightings in
      try deploy.cluster.psql(
        "ALTER DATABASE \(deploy.database) SET default_transaction_isolation = '\(isolation)'", user: "tenant")
      try deploy.migration(
        "20240201000000_slow", "CREATE TABLE public.more (a int); SELECT pg_catalog.pg_advisory_xact_lock_shared(7);")
      let session = try deploy.session()
      try session.query("SELECT pg_advisory_lock(7)")
      let run = try deploy.start("deploy", "--create-repository")
      try waitUntil("the migration runs") {
        try deploy.cluster.psql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") != "0"
      }
      try deploy.cluster.psql(
        """
        CREATE FUNCTION hook() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.seen(); RETURN NEW; END $$;
        CREATE TRIGGER hook BEFORE UPDATE ON _prisma_migrations FOR EACH ROW EXECUTE FUNCTION hook()
        """, database: deploy.database, user: "tenant")
      try session.query("SELECT pg_advisory_unlock(7)")
      let end = try run.end()
      #expect(
        end.code == 78 && end.standardError.contains("foreign_code") || end.standardError.contains("trigger hook"),
        "\(end.code) \(end.standardError)")
      #expect(try sightings() == ["tenant"])
      #expect(try deploy.psql("SELECT to_regclass('public.more') IS NULL") == "t")
    }
  }

  @Test func `what a rollback loses is counted with the owner's rights`() throws {
    try TenantBench.with { deploy, sightings in
      #expect(try deploy.run("backup", "--create-repository").exit == 0)
      try deploy.cluster.psql(
        "INSERT INTO t VALUES (100, 'new', 1), (101, 'new', 1); DELETE FROM t WHERE id < 4; DELETE FROM child",
        database: deploy.database, user: "tenant")
      let plan = try deploy.run("rollback", "--plan", "--to", "latest", "--json")
      let writes = plan.json.array("lost_writes") as? [[String: Any]] ?? []
      #expect(
        writes.contains { $0["name"] as? String == "t" && $0["inserted_or_updated"] as? Int == 2 }, "\(plan.stdout)")
      let back = try deploy.confirmed("rollback", "--to", "latest")
      #expect(back.exit == 0, "\(back.stdout)\(back.stderr)")
      #expect(back.stdout.contains("\"deleted\":3"), "\(back.stdout)")
      #expect(try sightings() == ["tenant"])
    }
  }

  @Test func `a table that the schema's owner could exchange meanwhile is not read with our rights`() throws {
    try TenantBench.with { deploy, sightings in
      try deploy.psql("CREATE TABLE public.ours AS SELECT 1 AS a")
      _ = try deploy.bench.holdfast("backup", "--create-repository")
      try deploy.psql("INSERT INTO public.ours VALUES (2)")
      let plan = try deploy.run("rollback", "--to", "latest", "--plan", "--json")
      #expect(plan.exit == 0 && plan.json.flag("lost_writes_complete") == false, "\(plan.stdout)")
      let writes = plan.json.array("lost_writes") as? [[String: Any]] ?? []
      #expect(!writes.contains { $0["name"] as? String == "ours" && $0["inserted_or_updated"] as? Int != 0 })
      // In a schema of a superuser's it is.
      try deploy.psql("ALTER SCHEMA public OWNER TO postgres")
      let counted = try deploy.run("rollback", "--to", "latest", "--plan", "--json")
      let found = counted.json.array("lost_writes") as? [[String: Any]] ?? []
      #expect(
        found.contains { $0["name"] as? String == "ours" && $0["inserted_or_updated"] as? Int == 1 },
        "\(counted.stdout)")
      #expect(try sightings() == ["tenant"])
    }
  }

  @Test(arguments: [
    "CREATE INDEX ON _prisma_migrations (trap(applied_steps_count))",
    "CREATE FUNCTION hook() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.seen(); RETURN NEW; END $$; "
      + "CREATE TRIGGER hook BEFORE INSERT ON _prisma_migrations FOR EACH ROW EXECUTE FUNCTION hook()",
    "CREATE RULE note AS ON INSERT TO _prisma_migrations DO ALSO SELECT public.seen()",
    "ALTER TABLE _prisma_migrations ADD CONSTRAINT c CHECK (trap(checksum))",
    "ALTER TABLE _prisma_migrations ALTER applied_steps_count SET DEFAULT seen()",
    "ALTER TABLE _prisma_migrations ADD COLUMN more int DEFAULT seen()",
    "CREATE TABLE refers (id varchar(36) REFERENCES _prisma_migrations ON DELETE CASCADE)",
    // The key of a table that it is a partition of.
    "CREATE TABLE histories (LIKE _prisma_migrations) PARTITION BY LIST (trap(checksum)); "
      + "ALTER TABLE histories ATTACH PARTITION _prisma_migrations FOR VALUES IN (true)",
    // Built-in functions that run what they are given.
    "ALTER TABLE _prisma_migrations ADD CHECK (query_to_xml('SELECT 1', true, false, '') IS NOT NULL)",
    "ALTER TABLE _prisma_migrations ALTER logs SET DEFAULT query_to_xml('SELECT 1', true, false, '')::text",
    "ALTER TABLE _prisma_migrations ADD CHECK (set_config('role', 'none', false) IS NOT NULL)",
    // An extension's, which runs what it is given like dblink_exec.
    "ALTER TABLE _prisma_migrations ALTER logs SET DEFAULT public.gen_salt('bf')",
  ])
  func `nothing is written to a history behind which somebody else's code is`(trap: String) throws {
    try TenantBench.with { deploy, sightings in
      if trap.contains("gen_salt") { try deploy.psql("CREATE EXTENSION pgcrypto SCHEMA public") }
      try deploy.cluster.psql(trap, database: deploy.database, user: "tenant")
      try deploy.migration("20240201000000_more", "CREATE TABLE public.more (a int);")
      let run = try deploy.run("deploy", "--json", "--create-repository")
      #expect(run.exit == 78, "\(run.stdout)")
      #expect(run.json.string("error", "code") == "foreign_code")
      #expect(try sightings() == ["tenant"])
      #expect(try deploy.psql("SELECT to_regclass('more') IS NULL") == "t")
      // As the owner it is the owner's own affair.
      try deploy.writePolicy(url: deploy.cluster.url(deploy.database, user: "tenant"))
      let own = try deploy.run("deploy", "--json", "--create-repository")
      #expect(own.exit == 0, "\(own.stdout)\(own.stderr)")
      #expect(try sightings() == ["tenant"])
    }
  }
}
