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
