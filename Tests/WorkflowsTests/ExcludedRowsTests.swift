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
}
