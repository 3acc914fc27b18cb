import BackupModel
import Foundation
import TestSupport
import Testing

/// A rollback brings back the database of before the deploy, whole, and keeps the one it replaces.
@Suite struct RollbackTests {
  private static let name = "20240201000000_more"
  /// A migration that changes, adds, renames and removes.
  private static let script = """
    ALTER TABLE orders RENAME note TO remark;
    DROP VIEW busy;
    CREATE TABLE more (a int REFERENCES customers);
    INSERT INTO more SELECT id FROM customers;
    UPDATE customers SET name = upper(name);
    CREATE INDEX ON orders (customer);
    """
  /// About the database DATABASE_.
  private static let properties = """
    ALTER DATABASE DATABASE_ OWNER TO pg_monitor;
    ALTER DATABASE DATABASE_ CONNECTION LIMIT 50;
    ALTER DATABASE DATABASE_ SET work_mem TO '5MB';
    ALTER DATABASE DATABASE_ SET search_path TO "$user", public;
    ALTER ROLE postgres IN DATABASE DATABASE_ SET lock_timeout TO '7s';
    REVOKE CONNECT ON DATABASE DATABASE_ FROM PUBLIC;
    GRANT CONNECT, TEMPORARY ON DATABASE DATABASE_ TO pg_signal_backend WITH GRANT OPTION;
    COMMENT ON DATABASE DATABASE_ IS 'it''s the "shop"'
    """

  @Test func `the database equals the one before the deploy, and the kept one equals the one replaced`() throws {
    try DeployBench.with { bench in
      try bench.give(Self.properties, to: bench.database)
      // What belongs to the database and no migration has changed stays as it is.
      let changed = "; ALTER DATABASE DATABASE_ SET work_mem TO '6MB'"
      let before = try bench.copy("was", properties: Self.properties + changed)
      try bench.deploy(Self.name, Self.script)
      try bench.psql("INSERT INTO more SELECT 1; DELETE FROM orders WHERE id > 190")
      try bench.psql("ALTER DATABASE \(bench.database) SET work_mem TO '6MB'")
      let replaced = try bench.copy("now", properties: Self.properties + changed)

      let run = try bench.confirmed("rollback")
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      #expect(run.json.string("mode") == "restore")
      #expect(run.json.string("database") == bench.database)
      #expect(run.json.array("undoes") as? [String] == [Self.name])
      try bench.expectEqual(to: before)
      let kept = try #require(run.json.string("kept_as"))
      #expect(try bench.databases() == [bench.database, kept])
      try bench.expectEqual(to: replaced, kept)
      #expect(try bench.psql("SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'orders'") == "t", "it is analyzed")
      try bench.expectNothingLeft()
    }
  }

  @Test func `the history has the undone migration as rolled back, and the mended one deploys`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, Self.script)
      let id = try bench.psql("SELECT id FROM _prisma_migrations WHERE migration_name = '\(Self.name)'")
      #expect(try bench.confirmed("rollback").exit == 0)
      #expect(try bench.history() == [DeployBench.firstRow, "\(Self.name)|f|t|t|0"])
      let row = "SELECT id, logs LIKE 'rolled back by holdfast %; began %, finished %' FROM _prisma_migrations"
      #expect(try bench.psql("\(row) WHERE migration_name = '\(Self.name)'") == "\(id)|t")
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      #expect(try bench.history() == [DeployBench.firstRow, "\(Self.name)|f|t|t|0", "\(Self.name)|t|f|f|1"])
      // And back again, over the row that is there already.
      #expect(try bench.confirmed("rollback").exit == 0)
      #expect(try bench.history() == [DeployBench.firstRow, "\(Self.name)|f|t|t|0", "\(Self.name)|f|t|t|0"])
    }
  }

  @Test func `a script that failed half way is rolled back`() throws {
    try DeployBench.with { bench in
      let before = try bench.copy()
      try bench.migration(Self.name, "\(Self.script) COMMIT; SELECT 1/0;")
      #expect(try bench.run("deploy").exit == 1)
      let run = try bench.confirmed("rollback")
      #expect(run.json.string("mode") == "restore")
      try bench.expectEqual(to: before)
      #expect(try bench.history().last == "\(Self.name)|f|t|t|0")
    }
  }

  @Test func `a script that left nothing is only resolved, and nothing written since is lost`() throws {
    try DeployBench.with { bench in
      try bench.migration(Self.name, "\(Self.script) SELECT 1/0;")
      #expect(try bench.run("deploy").exit == 1)
      try bench.psql("INSERT INTO customers (name) VALUES ('new'); SELECT lo_from_bytea(0, 'new')")
      let now = try bench.copy()
      let run = try bench.confirmed("rollback")
      #expect(run.exit == 0, "\(run.stdout)")
      #expect(run.json.string("mode") == "resolve-only")
      #expect(run.json.value(["kept_as"]) is NSNull)
      #expect(run.json.array("lost_writes")?.isEmpty == true)
      #expect(try bench.databases() == [bench.database])
      try bench.expectEqual(to: now)
      #expect(try bench.history().last == "\(Self.name)|f|t|t|0")
      #expect(try bench.confirmed("undo").json.string("error", "code") == "nothing_to_undo")
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
    }
  }

  @Test func `a failed script is no proof that nothing changed where the schema is another by now`() throws {
    try DeployBench.with { bench in
      try bench.migration(Self.name, "SELECT 1/0;")
      #expect(try bench.run("deploy").exit == 1)
      try bench.psql("CREATE INDEX by_hand ON orders (note)")
      #expect(try bench.run("rollback", "--plan", "--json").json.string("mode") == "restore")
      try bench.psql("DROP INDEX by_hand")
      #expect(try bench.run("rollback", "--plan", "--json").json.string("mode") == "resolve-only")
    }
  }

  @Test func `a database that is gone altogether is restored`() throws {
    try DeployBench.with { bench in
      let before = try bench.copy()
      try bench.deploy(Self.name, Self.script)
      try bench.maintain("DROP DATABASE \(bench.database)")
      let run = try bench.confirmed("rollback")
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      #expect(run.json.value(["kept_as"]) is NSNull)
      #expect(try bench.databases() == [bench.database])
      try bench.expectEqual(to: before)
      #expect(try bench.confirmed("undo").json.string("error", "code") == "nothing_to_undo")
      try bench.expectNothingLeft()
    }
  }

  @Test func `a snapshot has the rows that backups leave out, and a plan tells where a backup lacks some`() throws {
    try DeployBench.with { bench in
      try bench.writePolicy(more: "backup: {exclude_table_data: [orders]}")
      let before = try bench.copy()
      let lacking = try bench.bench.backUp()
      try bench.deploy(Self.name, Self.script)
      let plan = try bench.run("rollback", "--to", lacking, "--plan").stdout
      #expect(plan.contains("lacks rows  of tables that match exclude_table_data (orders)"), "\(plan)")
      #expect(try !bench.run("rollback", "--plan").stdout.contains("lacks rows"))
      #expect(try bench.confirmed("rollback").exit == 0)
      try bench.expectEqual(to: before)
    }
  }

  @Test func `a restore --swap is a rollback to that backup, and can be undone`() throws {
    try DeployBench.with { bench in
      let id = try bench.bench.backUp()
      let before = try bench.copy()
      try bench.psql("DELETE FROM orders")
      let run = try bench.confirmed("restore", id, "--swap")
      #expect(run.exit == 0, "\(run.stdout)")
      try bench.expectEqual(to: before)
      #expect(run.json.string("verification", "level") == "digest")
      #expect(try bench.confirmed("undo").exit == 0)
      #expect(try bench.psql("SELECT count(*) FROM orders") == "0")
      try bench.expectNothingLeft()
    }
  }
}
