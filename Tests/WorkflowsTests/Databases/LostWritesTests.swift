import Diagnostics
import Foundation
import PostgresTools
import TestSupport
import Testing

/// What a rollback says that it loses, against a model that saw every write.
@Suite struct LostWritesTests {
  private typealias Expected = WriteModel.Expected

  /// What a run says, by table; with what is in doubt.
  private func lost(_ run: ProgramRun) throws -> (certain: [String: Expected], perhaps: [String: Int]) {
    let list = run.json
    let indices = try #require(list.array("lost_writes"), "\(run.stdout)\(run.stderr)").indices
    var certain: [String: Expected] = [:]
    var perhaps: [String: Int] = [:]
    for index in indices {
      let name = try #require(list.string("lost_writes", index, "name"))
      certain[name] = Expected(
        changed: try #require(list.number("lost_writes", index, "inserted_or_updated")),
        deleted: list.number("lost_writes", index, "deleted"))
      perhaps[name] = list.number("lost_writes", index, "perhaps")
    }
    return (certain, perhaps)
  }

  // MARK: Random workloads

  @Test(arguments: 1...4) func `it equals what was written, whatever was`(seed: UInt64) throws {
    try DeployBench.with(sql: WriteModel.schema) { bench in
      var random = SeededGenerator(seed: seed)
      var model = WriteModel()
      let (writer, open) = (try bench.session(), try bench.session())
      for index in model.tables.indices { try writer.query(model.insert(30, index)) }
      try write(&model, writer, &random, transactions: 4)

      // A transaction that is open beside the snapshot: in the model, its writes come after it.
      try open.query("BEGIN")
      var later = model
      later.takeSnapshot()
      try writeWithSavepoints(&later, open, &random)
      let snapshot = try #require(try bench.run("snapshot", "--json").json.string("backup", "id"))
      try writeWithSavepoints(&later, open, &random)
      try open.query("COMMIT")
      model = later
      try write(&model, writer, &random, transactions: 6)
      if seed % 2 == 0 { for sql in ["VACUUM FREEZE", "VACUUM FULL composite"] { try writer.query(sql) } }

      try expectPlan(model, try lost(bench.run("rollback", "--to", snapshot, "--plan", "--json")))
      let done = try lost(bench.confirmed("rollback", "--to", snapshot))
      #expect(done.certain == model.expected(), "seed \(seed)")
      #expect(done.perhaps.values.allSatisfy { $0 == 0 }, "seed \(seed)")
    }
  }

  /// A plan has no restored database to ask: it says what is certain, and how much more it may be.
  private func expectPlan(_ model: WriteModel, _ plan: (certain: [String: Expected], perhaps: [String: Int])) throws {
    for (name, expected) in model.expected() {
      let found = try #require(plan.certain[name], "\(name)")
      #expect(found.changed <= expected.changed, "\(name)")
      #expect(found.changed + (plan.perhaps[name] ?? 0) >= expected.changed, "\(name)")
    }
  }

  /// Transactions of all kinds, each at its end before the next begins.
  private func write(
    _ model: inout WriteModel, _ session: Session, _ random: inout SeededGenerator, transactions: Int
  ) throws {
    for _ in 0..<transactions {
      let before = model
      try session.query("BEGIN")
      try writeWithSavepoints(&model, session, &random)
      if Int.random(in: 0..<3, using: &random) == 0 {
        model = before
        try session.query("ROLLBACK")
      } else {
        try session.query("COMMIT")
      }
    }
  }

  private func writeWithSavepoints(
    _ model: inout WriteModel, _ session: Session, _ random: inout SeededGenerator
  ) throws {
    for _ in 0..<5 {
      let before = model
      let kind = Int.random(in: 0..<4, using: &random)
      if kind < 2 { try session.query("SAVEPOINT s") }
      try session.query(model.write(using: &random))
      if kind == 0 {
        try session.query("ROLLBACK TO s")
        model = before
      }
      if kind < 2 { try session.query("RELEASE s") }
    }
  }

  @Test func `a savepoint of a transaction that was open beside the snapshot is not taken for older`() throws {
    // Of its own: any other open transaction would put more rows in doubt.
    let cluster = try TestCluster()
    defer { cluster.stop() }
    try DeployBench.with(cluster: cluster) { bench in
      let open = try bench.session()
      try open.query("BEGIN; DELETE FROM orders WHERE id = 1; SAVEPOINT s")
      try open.query("UPDATE customers SET name = 'x' WHERE id < 3")
      let beside = try bench.session()
      try beside.query("INSERT INTO customers (name) VALUES ('older')")
      let snapshot = try #require(try bench.run("snapshot", "--json").json.string("backup", "id"))
      try open.query("COMMIT")
      let plan = try lost(bench.run("rollback", "--to", snapshot, "--plan", "--json"))
      #expect(plan.perhaps == ["customers": 3, "orders": 0])
      let done = try lost(bench.confirmed("rollback", "--to", snapshot))
      #expect(
        done.certain == [
          "customers": Expected(changed: 2, deleted: 0), "orders": Expected(changed: 0, deleted: 1),
        ])
    }
  }

  // MARK: The limits, as they are stated

  /// What is done to a table `t` of 30 rows after the snapshot, and what is reported.
  private static let limits: [(String, Expected)] = [
    ("TRUNCATE t", Expected(changed: 0, deleted: 30)),
    ("TRUNCATE t; INSERT INTO t VALUES (1, 0), (99, 0)", Expected(changed: 2, deleted: 29)),
    ("ALTER TABLE t DROP CONSTRAINT t_pkey; TRUNCATE t", Expected(changed: 0, deleted: 30)),
    // Without a key nobody knows which rows are gone.
    (
      "ALTER TABLE t DROP CONSTRAINT t_pkey; TRUNCATE t; INSERT INTO t VALUES (1, 0)",
      Expected(changed: 1, deleted: nil)
    ),
    // A rewritten table looks as if each row had been written.
    ("ALTER TABLE t ALTER v TYPE bigint", Expected(changed: 30, deleted: 0)),
    // As many as were written, not as many as differ.
    ("UPDATE t SET v = v", Expected(changed: 30, deleted: 0)),
    ("DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 0)", Expected(changed: 1, deleted: 0)),
    // Without its key's old name the deletions cannot be found.
    (
      "ALTER TABLE t RENAME id TO key; DELETE FROM t WHERE key < 9; UPDATE t SET v = 1 WHERE key = 9",
      Expected(changed: 1, deleted: nil)
    ),
    ("SELECT * FROM t FOR UPDATE; VACUUM FREEZE t", Expected(changed: 0, deleted: 0)),
  ]

  @Test func `truncated, rewritten and renamed tables are reported as it is stated`() throws {
    let names = Self.limits.indices.map { "t\($0)" }
    let sql = names.map {
      "CREATE TABLE \($0) (id int PRIMARY KEY, v int); INSERT INTO \($0) SELECT n, 0 FROM generate_series(1, 30) n;"
    }
    try DeployBench.with(sql: sql.joined()) { bench in
      let snapshot = try #require(try bench.run("snapshot", "--json").json.string("backup", "id"))
      for (name, limit) in zip(names, Self.limits) {
        // One by one, as VACUUM wants to be alone.
        for statement in limit.0.replacing(/\bt(_pkey)?\b/, with: { "\(name)\($0.1 ?? "")" }).split(separator: "; ") {
          try bench.psql(String(statement))
        }
      }
      let found = try lost(bench.confirmed("rollback", "--to", snapshot)).certain
      for (name, limit) in zip(names, Self.limits) {
        #expect(found[name] ?? Expected(changed: 0, deleted: 0) == limit.1, "\(limit.0)")
      }
    }
  }

  @Test func `in a database that was restored since, the rows' contents tell`() throws {
    try DeployBench.with { bench in
      let snapshot = try #require(try bench.run("snapshot", "--json").json.string("backup", "id"))
      #expect(try bench.confirmed("rollback", "--to", snapshot).exit == 0)
      try bench.psql("UPDATE customers SET name = 'new' WHERE id <= 3; DELETE FROM orders WHERE id > 195")
      let plan = try lost(bench.run("rollback", "--to", snapshot, "--plan", "--json"))
      #expect(plan.perhaps == ["customers": 40, "orders": 195])
      let done = try lost(bench.confirmed("rollback", "--to", snapshot))
      #expect(
        done.certain == [
          "customers": Expected(changed: 3, deleted: 0), "orders": Expected(changed: 0, deleted: 5),
        ])
      #expect(done.perhaps == ["customers": 0, "orders": 0])
    }
  }

  @Test func `tables that came, went or are partitioned are counted as what they are`() throws {
    let sql = """
      CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (100);
      CREATE TABLE high PARTITION OF parts FOR VALUES FROM (100) TO (200);
      INSERT INTO parts SELECT n FROM generate_series(90, 109) n;
      CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child () INHERITS (parent);
      INSERT INTO parent SELECT n FROM generate_series(1, 5) n; INSERT INTO child SELECT n FROM generate_series(6, 7) n;
      CREATE TABLE gone AS SELECT 1 AS a;
      """
    try DeployBench.with(sql: sql) { bench in
      let snapshot = try #require(try bench.run("snapshot", "--json").json.string("backup", "id"))
      try bench.psql(
        """
        INSERT INTO parts VALUES (150); DELETE FROM parts WHERE id IN (90, 91); INSERT INTO child VALUES (8);
        DELETE FROM ONLY parent WHERE id = 1; CREATE TABLE came AS SELECT generate_series(1, 3); DROP TABLE gone;
        CREATE TEMPORARY TABLE passing AS SELECT 1
        """)
      let found = try lost(bench.confirmed("rollback", "--to", snapshot)).certain
      #expect(
        found == [
          "low": Expected(changed: 0, deleted: 2), "high": Expected(changed: 1, deleted: 0),
          "child": Expected(changed: 1, deleted: nil), "parent": Expected(changed: 0, deleted: 1),
          "came": Expected(changed: 3, deleted: nil),
        ])
    }
  }

  @Test func `deletions from a table that was renamed are not told to be none`() throws {
    try DeployBench.with { bench in
      try bench.deploy("20240201000000_a", "ALTER TABLE orders RENAME TO purchases;")
      try bench.psql("DELETE FROM purchases WHERE id < 40")
      let plan = try bench.run("rollback", "--plan", "--json").json
      // Beside it stands what transactions of other tests, open meanwhile, have put in doubt.
      let names = (plan.array("lost_writes") ?? []).map { ($0 as? [String: Any])?["name"] as? String }
      let index = try #require(names.firstIndex(of: "purchases"), "\(names)")
      #expect(plan.value(["lost_writes", index, "deleted"]) is NSNull)
    }
  }

  // MARK: What takes too long

  /// A table that is locked, or so large that it cannot be counted in the time that a plan has, is not waited for.
  @Test func `a plan says at once what the server's counters tell, and the rollback counts it`() throws {
    let sql = "CREATE TABLE large AS SELECT 1 AS n; CREATE TABLE small AS SELECT 1 AS a; ANALYZE;"
    try DeployBench.with(sql: sql) { bench in
      let snapshot = try #require(try bench.run("snapshot", "--json").json.string("backup", "id"))
      try bench.psql("INSERT INTO large SELECT n FROM generate_series(1, 5000) n; INSERT INTO small VALUES (2)")
      try waitUntil("the counters have it") {
        try bench.psql("SELECT pg_stat_get_tuples_inserted('large'::regclass)") == "5001"
      }
      let holder = try bench.session()
      try holder.query("BEGIN; LOCK TABLE large IN ACCESS EXCLUSIVE MODE")
      let start = ContinuousClock.now
      let run = try bench.run("rollback", "--to", snapshot, "--plan", "--json")
      #expect(ContinuousClock.now - start < .seconds(30))
      #expect(run.exit == 0 && run.json.flag("lost_writes_complete") == false, "\(run.stdout)\(run.stderr)")
      let plan = try lost(run)
      #expect(plan.certain["large"]?.changed == 0 && plan.perhaps["large"] == 5000, "\(run.stdout)")
      #expect((plan.certain["small"]?.changed ?? 0) + (plan.perhaps["small"] ?? 0) == 1, "\(run.stdout)")
      let text = try bench.run("rollback", "--to", snapshot, "--plan").stdout
      #expect(text.contains("up to 5000 rows (exact number after the restore)"), "\(text)")
      try holder.query("ROLLBACK")
      let done = try bench.confirmed("rollback", "--to", snapshot)
      #expect(try lost(done).certain["large"]?.changed == 5000, "\(done.stdout)\(done.stderr)")
    }
  }
}
