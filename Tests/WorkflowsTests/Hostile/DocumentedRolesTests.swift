import Foundation
import TestSupport
import Testing

/// The samples of docs/roles.md, as they stand there: with all of their lines, and without each.
@Suite struct DocumentedRolesTests {
  @Test func `a role for backups takes a whole one, and changes nothing`() throws {
    try onShop { shop in
      let role = try shop.grant("Scheduled backup", 0)
      try shop.bench.writePolicy(url: shop.cluster.url(shop.database, user: role))
      let check = try shop.bench.holdfast("check", "--json")
      #expect(check.exit == 0, "\(check.stdout)")
      let id = try shop.bench.backUp()
      // What was left out would show.
      try shop.bench.writePolicy()
      let copy = shop.bench.newDatabaseName()
      try shop.bench.restore(id, into: copy)
      #expect(try shop.bench.differences(copy) == "")
      #expect(throws: (any Error).self) { try shop.sql("DELETE FROM sales.orders", as: role) }
    }
  }

  @Test(arguments: [
    ("GRANT CONNECT", "GRANT CONNECT ON DATABASE \"shop\" TO \"holdfast_backup\""),
    ("GRANT pg_read_all_data", "GRANT USAGE ON SCHEMA sales TO \"holdfast_backup\""),
    ("GRANT pg_read_all_data", "GRANT SELECT ON sales.orders TO \"holdfast_backup\""),
    ("GRANT pg_read_all_data", "GRANT SELECT ON SEQUENCE sales.numbers TO \"holdfast_backup\""),
    ("ALTER ROLE", "ALTER ROLE \"holdfast_backup\" BYPASSRLS"),
  ])
  func `without a line of its sample the role is refused a backup, and check says what is missing`(
    line: String, fix: String
  ) throws {
    try onShop { shop in
      let role = try shop.grant("Scheduled backup", 0, without: line)
      try shop.bench.writePolicy(url: shop.cluster.url(shop.database, user: role))
      let backup = try shop.bench.holdfast("backup", "--json")
      #expect(backup.exit == 77)
      #expect(shop.bench.shelfContents().isEmpty)
      let check = try shop.bench.holdfast("check", "--json")
      #expect(check.exit == 2)
      #expect(shop.fixes(check, "problems").contains(shop.named(fix)), "\(check.stdout)")
    }
  }

  @Test func `large objects need the line that is for them`() throws {
    try onShop { shop in
      let role = try shop.grant("Scheduled backup", 0)
      try shop.sql("ALTER LARGE OBJECT \(try shop.sql("SELECT lo_from_bytea(0, 'x')")) OWNER TO shop_owner")
      try shop.bench.writePolicy(url: shop.cluster.url(shop.database, user: role))
      #expect(try shop.bench.holdfast("backup").exit == 77)
      let check = try shop.bench.holdfast("check", "--json")
      #expect(check.exit == 2 && check.stdout.contains("large object"), "\(check.stdout)")
      try shop.grant("Scheduled backup", 1)
      #expect(try shop.bench.holdfast("check").exit == 0)
      try shop.bench.backUp()
    }
  }

  @Test func `a role for deploys deploys, goes back, comes forth again and restores`() throws {
    try onShop { shop in
      try shop.grant("Deploy with the built-in applier", 0)
      try shop.becomeOwner()
      let check = try shop.deploy.run("check", "--json")
      #expect(check.exit == 0 && shop.fixes(check, "warnings").isEmpty, "\(check.stdout)")
      try shop.deploy.deploy("20240201000000_more", "CREATE TABLE more AS SELECT 1 AS a;")
      #expect(try shop.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'more'") == shop.named("shop_owner"))
      for (command, table) in [("rollback", "f"), ("undo", "t")] {
        let run = try shop.deploy.confirmed(command)
        #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
        #expect(try shop.sql("SELECT to_regclass('more') IS NOT NULL") == table)
      }
      let copy = shop.bench.newDatabaseName()
      let id = try shop.bench.backUp()
      try shop.bench.restore(id, into: copy)
      #expect(try shop.bench.differences(copy) == "")
    }
  }

  @Test(arguments: [
    ("ALTER DATABASE", "ALTER DATABASE \"shop\" OWNER TO \"shop_owner\""),
    ("ALTER ROLE", "ALTER ROLE \"shop_owner\" CREATEDB"),
  ])
  func `without a line of its sample the role is refused a deploy, and check says what is missing`(
    line: String, fix: String
  ) throws {
    try onShop { shop in
      try shop.grant("Deploy with the built-in applier", 0, without: line)
      try shop.becomeOwner()
      try shop.deploy.migration("20240201000000_more", "CREATE TABLE more AS SELECT 1 AS a;")
      let run = try shop.deploy.run("deploy", "--json")
      #expect(run.exit == 77)
      #expect(run.json.string("error", "why")?.contains(shop.named(fix)) == true, "\(run.stdout)")
      let check = try shop.deploy.run("check", "--json")
      #expect(shop.fixes(check, "warnings").contains(shop.named(fix)), "\(check.stdout)")
    }
  }

  @Test func `the application's sessions end for a role that may end them, and keep another from going back`() throws {
    try onShop { shop in
      try shop.grant("Rollback, restore and undo", 0, without: "GRANT pg_signal_backend")
      try shop.becomeOwner()
      try shop.deploy.deploy("20240201000000_more", "CREATE TABLE more AS SELECT 1 AS a;")
      try shop.sql("CREATE ROLE shop_app LOGIN; GRANT CONNECT ON DATABASE shop TO shop_app")
      try shop.cluster.holding("SELECT 1", database: shop.database, user: shop.named("shop_app")) {
        let check = try shop.deploy.run("check", "--json")
        let fix = shop.named("GRANT pg_signal_backend TO \"shop_owner\"")
        #expect(shop.fixes(check, "warnings").contains(fix), "\(check.stdout)")
        let refused = try shop.deploy.confirmed("rollback")
        #expect(refused.exit != 0 && refused.stdout.contains("pg_signal_backend"), "\(refused.stdout)")

        try shop.grant("Rollback, restore and undo", 0)
        #expect(shop.fixes(try shop.deploy.run("check", "--json"), "warnings").isEmpty)
        let run = try shop.deploy.confirmed("rollback")
        #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      }
    }
  }

  @Test func `what was restored is kept when sessions keep it from being swapped in`() throws {
    try onShop { shop in
      try shop.grant("Rollback, restore and undo", 0, without: "GRANT pg_signal_backend")
      try shop.becomeOwner()
      try shop.deploy.deploy("20240201000000_more", "CREATE TABLE more AS SELECT 1 AS a;")
      try shop.sql("CREATE ROLE shop_app LOGIN; GRANT CONNECT ON DATABASE shop TO shop_app")
      func oid(_ condition: String) throws -> String {
        try shop.cluster.psql("SELECT oid FROM pg_database WHERE datname \(condition)")
      }
      var restored = ""
      let run = try SteppedRun(
        ProgramRun.command(["rollback", "--confirm", shop.database, "--policies", shop.bench.policies]),
        at: "prove the database", notesIn: shop.bench.folder)
      _ = try #require(try run.reach())
      try shop.cluster.holding("SELECT 1", database: shop.database, user: shop.named("shop_app")) {
        #expect(try run.end().code == 1)
        restored = try oid("LIKE '\(shop.database)\\_\\_restore\\_%'")
      }
      #expect(try shop.deploy.confirmed("resume").exit == 0)
      #expect(try oid("= '\(shop.database)'") == restored && !restored.isEmpty)
    }
  }

  @Test func `a member of the owner goes back and restores as well`() throws {
    try onShop { shop in
      try shop.grant("Rollback, restore and undo", 0)
      try shop.sql("CREATE ROLE shop_app LOGIN CREATEDB IN ROLE shop_owner")
      try shop.deploy.writePolicy(url: shop.cluster.url(shop.database, user: shop.named("shop_app")))
      #expect(shop.fixes(try shop.deploy.run("check", "--json"), "warnings").isEmpty)
      try shop.deploy.deploy("20240201000000_more", "CREATE TABLE sales.more AS SELECT 1 AS a;")
      for command in ["rollback", "undo"] {
        let run = try shop.deploy.confirmed(command)
        #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      }
      let owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'shop'"
      #expect(try shop.sql(owner) == shop.named("shop_owner"))
    }
  }

  /// Only a superuser may end it; the server does when the name changes.
  @Test func `a worker of autovacuum on the live database keeps nobody from the swap`() throws {
    let cluster = try TestCluster(settings: ["autovacuum_naptime=1s"])
    defer { cluster.stop() }
    try onShop(cluster) { shop in
      try shop.grant("Rollback, restore and undo", 0)
      try shop.becomeOwner()
      let id = try shop.bench.backUp()
      let slowly =
        "autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 1"
      try shop.sql(
        "CREATE TABLE sales.busy WITH (\(slowly)) AS SELECT n, repeat('x', 500) AS t FROM generate_series(1, 20000) n",
        as: shop.named("shop_owner"))
      try shop.sql("UPDATE sales.busy SET n = n + 1", as: shop.named("shop_owner"))
      let workers =
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND datname = 'shop' AND query ~ 'busy'"
      try waitUntil("autovacuum works on it", seconds: 60) { try shop.sql(workers) != "0" }
      let run = try shop.bench.holdfast("restore", id, "--swap", "--confirm", shop.database, "--json")
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      #expect(try shop.sql("SELECT to_regclass('sales.busy') IS NULL") == "t")
    }
  }

  /// From there databases are made and renamed.
  @Test(arguments: [
    "CONNECTION LIMIT 0", "REVOKE", "ALLOW_CONNECTIONS false",
  ])
  func `where postgres lets nobody in, template1 serves; where neither does, check says so, and a deploy is refused`(
    way: String
  ) throws {
    let cluster = try TestCluster()
    defer { cluster.stop() }
    try onShop(cluster) { shop in
      try shop.grant("Deploy with the built-in applier", 0)
      try shop.becomeOwner()
      func close(_ name: String) throws {
        let statement =
          way == "REVOKE" ? "REVOKE CONNECT ON DATABASE \(name) FROM PUBLIC" : "ALTER DATABASE \(name) \(way)"
        try shop.sql(statement)
      }
      try close("postgres")
      let check = try shop.deploy.run("check", "--json")
      #expect(check.exit == 0, "\(check.stdout)")
      try shop.deploy.migration("20240201000000_more", "CREATE TABLE more AS SELECT 1 AS a;")
      let deploy = try shop.deploy.run("deploy", "--json")
      #expect(deploy.exit == 0, "\(deploy.stdout)")
      let rollback = try shop.deploy.confirmed("rollback")
      #expect(rollback.exit == 0, "\(rollback.stdout)")
      #expect(try shop.sql("SELECT to_regclass('more') IS NULL") == "t")

      try close("template1")
      let closed = try shop.deploy.run("check", "--json")
      #expect(closed.exit == 2)
      #expect(closed.stdout.contains("holdfast deploy and rollback will refuse"), "\(closed.stdout)")
      #expect(closed.stdout.contains("template1"))
      let refused = try shop.deploy.run("deploy", "--json")
      #expect(refused.exit != 0)
      #expect(refused.json.string("error", "next_step")?.contains("postgres or template1") == true, "\(refused.stdout)")
      try shop.sql("ALTER DATABASE postgres ALLOW_CONNECTIONS true")
    }
  }

  // MARK: The shop

  private static let sql = """
    CREATE SCHEMA sales; CREATE TABLE sales.orders AS SELECT n AS id, 'x' AS what FROM generate_series(1, 50) n;
    CREATE SEQUENCE sales.numbers; SELECT nextval('sales.numbers');
    CREATE TABLE sales.guarded AS SELECT n AS id FROM generate_series(1, 9) n;
    ALTER TABLE sales.guarded ENABLE ROW LEVEL SECURITY;
    CREATE POLICY few ON sales.guarded USING (id < 4);
    """

  private func onShop(_ cluster: TestCluster = .shared, _ body: (Shop) throws -> Void) throws {
    try DeployBench.with(cluster: cluster, sql: Self.sql) { deploy in
      let shop = Shop(deploy: deploy)
      defer { shop.dropRoles() }
      try shop.sql("CREATE ROLE shop_owner LOGIN; REVOKE CONNECT ON DATABASE shop FROM PUBLIC")
      try shop.sql("GRANT CONNECT ON DATABASE shop TO shop_owner")
      try shop.sql("ALTER SCHEMA sales OWNER TO shop_owner")
      for table in ["sales.orders", "sales.numbers", "sales.guarded", "_prisma_migrations"] {
        try shop.sql("ALTER TABLE \(table) OWNER TO shop_owner")
      }
      try body(shop)
    }
  }
}

/// The database of the samples under names of the test's own.
private struct Shop {
  let deploy: DeployBench
  var bench: Workbench { deploy.bench }
  var cluster: TestCluster { deploy.cluster }
  var database: String { bench.database }

  /// With the samples' names replaced.
  func named(_ text: String) -> String {
    text.replacing(/shop_owner|shop_app|holdfast_backup/) { "\($0.output)_\(database)" }
      .replacing(/\bshop\b/) { _ in database }
  }

  @discardableResult
  func sql(_ text: String, as user: String = "postgres") throws -> String {
    try cluster.psql(named(text), database: database, user: user)
  }

  /// Runs a sample below a heading of docs/roles.md.
  ///
  /// - Parameter line: how the one begins that is left out.
  /// - Returns: the role for backups.
  @discardableResult
  func grant(_ heading: String, _ number: Int, without line: String? = nil) throws -> String {
    let guide = try String(contentsOfFile: "\(SourceTree.path)/docs/roles.md", encoding: .utf8)
    let section = try #require(guide.components(separatedBy: "\n## ").first { $0.hasPrefix("\(heading)\n") })
    let samples = section.components(separatedBy: "```sql\n").dropFirst().compactMap {
      $0.components(separatedBy: "\n```").first
    }
    let lines = try #require(samples.indices.contains(number) ? samples[number] : nil).split(separator: "\n")
    let kept = lines.filter { sample in line.map { !sample.hasPrefix($0) } ?? true }
    try #require(kept.count == lines.count - (line == nil ? 0 : 1), "the sample has no such line")
    for statement in kept where !statement.hasPrefix("--") { try sql(String(statement)) }
    return named("holdfast_backup")
  }

  func becomeOwner() throws { try deploy.writePolicy(url: cluster.url(database, user: named("shop_owner"))) }

  /// What to do about each problem, or each warning, of a check; but passwords, which only a superuser can save.
  func fixes(_ check: ProgramRun, _ kind: String) -> [String] {
    (check.json.array(kind) ?? []).compactMap { ($0 as? [String: Any])?["fix"] as? String }
      .filter { !$0.hasPrefix("upgrade it") && !$0.hasPrefix("set them again") }
  }

  func dropRoles() {
    deploy.dropCopies()
    _ = try? cluster.psql("DROP DATABASE IF EXISTS \(database) WITH (FORCE)")
    for role in ["shop_owner", "shop_app", "holdfast_backup"] {
      _ = try? cluster.psql("DROP ROLE IF EXISTS \(named(role))")
    }
  }
}
