import Foundation
import TestSupport
import Testing

/// A rollback takes back what the undone migrations did, and nothing else.
@Suite struct RollbackPropertiesTests {
  private static let name = "20240201000000_more"

  @Test func `the live database's owner, privileges, settings and limit stay, and the plan says so`() throws {
    try DeployBench.with { bench in
      let role = "svc_\(bench.database)"
      try bench.maintain("CREATE ROLE \(role)")
      defer { _ = try? bench.maintain("DROP OWNED BY \(role); DROP ROLE \(role)") }
      try bench.deploy(Self.name, "CREATE TABLE more (a int)")
      let now = """
        REVOKE CONNECT ON DATABASE "\(bench.database)" FROM PUBLIC; GRANT CONNECT ON DATABASE "\(bench.database)" TO \(role);
        ALTER DATABASE "\(bench.database)" SET statement_timeout TO '7min'; ALTER DATABASE "\(bench.database)" CONNECTION LIMIT 7;
        COMMENT ON DATABASE "\(bench.database)" IS 'now'
        """
      for statement in now.split(separator: ";") { try bench.maintain(String(statement)) }
      let plan = try bench.run("rollback", "--plan", "--json")
      let names = (plan.json.array("properties") ?? []).compactMap { ($0 as? [String: Any])?["name"] as? String }
      #expect(
        Set(names) == ["privileges", "setting statement_timeout", "connection limit", "comment"], "\(plan.stdout)")
      #expect(try bench.run("rollback", "--plan").stdout.contains("connection limit: 7 stays (the snapshot has none)"))
      let facts = """
        SELECT datconnlimit || ' ' || shobj_description(oid, 'pg_database') || ' ' || has_database_privilege('public', oid, 'CONNECT')
          || ' ' || has_database_privilege('\(role)', oid, 'CONNECT')
          || ' ' || (SELECT setconfig::text FROM pg_db_role_setting WHERE setdatabase = oid)
        FROM pg_database WHERE datname = '\(bench.database)'
        """
      let before = try bench.cluster.psql(facts)
      let run = try bench.confirmed("rollback")
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      #expect(try bench.cluster.psql(facts) == before)
    }
  }

  @Test func `what an undone migration has set goes with it`() throws {
    try DeployBench.with { bench in
      let script = """
        CREATE TABLE more (a int);
        DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem TO ''9MB''', current_database()); END $$
        """
      try bench.deploy(Self.name, script)
      let plan = try bench.run("rollback", "--plan", "--json")
      #expect(plan.json.string("properties", 0, "name") == "setting work_mem", "\(plan.stdout)")
      #expect(plan.json.string("properties", 0, "keeps") == "backup")
      #expect(try bench.confirmed("rollback").exit == 0)
      #expect(
        try bench.psql(
          "SELECT count(*) FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ) == "0")
    }
  }

  @Test func `a template stays one, and who gave a privilege stays who gave it`() throws {
    try Workbench.with(sql: "CREATE TABLE t (a int)") { bench in
      let (role, other) = ("giver_\(bench.database)", "taker_\(bench.database)")
      try bench.cluster.psql("CREATE ROLE \(role)")
      try bench.cluster.psql("CREATE ROLE \(other)")
      let copy = bench.newDatabaseName()
      defer {
        for name in [bench.database, copy] {
          _ = try? bench.cluster.psql("ALTER DATABASE \(name) IS_TEMPLATE false")
          _ = try? bench.cluster.psql("DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
        }
        _ = try? bench.cluster.psql("DROP ROLE \(role), \(other)")
      }
      try bench.cluster.psql("GRANT CREATE ON DATABASE \(bench.database) TO \(role) WITH GRANT OPTION")
      try bench.cluster.psql(
        "SET ROLE \(role); GRANT CREATE ON DATABASE \(bench.database) TO \(other); RESET ROLE", database: "postgres")
      try bench.cluster.psql("ALTER DATABASE \(bench.database) IS_TEMPLATE true")
      try bench.restore(try bench.backUp(), into: copy)
      #expect(try bench.differences(copy) == "")
    }
  }

  @Test func `what was confirmed is what is done`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int)")
      let changes = [
        "ALTER DATABASE \"\(bench.database)\" SET work_mem TO '9MB'",
        "INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, applied_steps_count) "
          + "VALUES ('x', 'x', now(), '20240301000000_other', 1)",
      ]
      for change in changes {
        let run = try SteppedRun(
          bench.command(["rollback", "--confirm", bench.database]), at: "do what the plan says",
          notesIn: bench.bench.folder)
        _ = try #require(try run.reach())
        try bench.psql(change)
        let end = try run.end()
        #expect(end.code == 1 && end.standardError.contains("the database was changed since the plan was shown"))
        #expect(try bench.psql("SELECT to_regclass('more') IS NOT NULL") == "t")
        try bench.expectNothingLeft()
      }
    }
  }

  @Test func `a snapshot that a hook took since the last deploy is where plain rollback goes`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int)")
      Thread.sleep(forTimeInterval: 1.1)
      let snapshot = try #require(try bench.run("snapshot", "--json").json.string("backup", "id"))
      try bench.psql(
        """
        CREATE TABLE by_hook (a int); INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, applied_steps_count)
        VALUES ('x', 'x', now(), '20240301000000_hook', 1)
        """)
      #expect(try bench.run("status", "--json").json.string("rollback", "snapshot") == snapshot)
      let plan = try bench.run("rollback", "--plan", "--json")
      #expect(plan.json.string("backup") == snapshot, "\(plan.stdout)\(plan.stderr)")
      #expect(plan.json.array("undoes") as? [String] == ["20240301000000_hook"])
      #expect(try bench.confirmed("rollback").exit == 0)
      #expect(try bench.psql("SELECT to_regclass('more') IS NOT NULL AND to_regclass('by_hook') IS NULL") == "t")
      // Once more does not go further back.
      #expect(try bench.run("rollback", "--plan", "--json").json.string("backup") != snapshot)
    }
  }

  @Test func `rows that the migration itself wrote are told apart`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "UPDATE orders SET note = 'by migration' WHERE id <= 50; CREATE TABLE more (a int)")
      try bench.psql("UPDATE orders SET note = 'by user' WHERE id > 190")
      let plan = try bench.run("rollback", "--plan", "--json")
      #expect(plan.json.number("lost_writes", 0, "by_migrations") == 50, "\(plan.stdout)")
      #expect(plan.json.number("lost_writes", 0, "inserted_or_updated") == 10)
    }
  }

  @Test func `what no rollback takes back is named before the deploy and in the plan`() throws {
    try DeployBench.with { bench in
      let role = "made_\(bench.database)"
      defer { _ = try? bench.maintain("DROP ROLE IF EXISTS \(role)") }
      try bench.migration(Self.name, "CREATE TABLE more (a int); CREATE ROLE \(role); GRANT pg_monitor TO \(role)")
      let run = try bench.run("deploy")
      #expect(run.exit == 0)
      #expect(
        run.stderr.contains("no rollback takes back what is outside of the database: CREATE ROLE"), "\(run.stderr)")
      let plan = try bench.run("rollback", "--plan", "--json")
      #expect(plan.json.array("not_undone")?.count == 2, "\(plan.stdout)")
      #expect(try bench.run("rollback", "--plan").stdout.contains("stays done"))
    }
  }
}
