import StreamPipeline
import Testing

@Suite struct ServersOwnOptionsTests {
  private func removed(_ statement: String) -> String {
    String(decoding: ServersOwnOptions.removed(from: Array(statement.utf8)), as: UTF8.self)
  }

  @Test(arguments: ["ALTER TABLE ONLY", "ALTER FOREIGN TABLE ONLY"])
  func `what the server keeps for itself goes, and the rest stays`(words: String) {
    let table = "\(words) public.\"a, SET (b\" ALTER COLUMN \"d\"\"(pg_e=1)\" SET "
    #expect(removed("\(table)(pg_attver=7)").isEmpty)
    #expect(removed("\(table)(pg_attver=7, n_distinct=-0.5)") == "\(table)(n_distinct=-0.5)")
    #expect(removed("\(table)(n_distinct=5, pg_attver=7)") == "\(table)(n_distinct=5)")
  }

  @Test(arguments: [
    "ALTER TABLE ONLY a.b ALTER COLUMN c SET (n_distinct=5, n_distinct_inherited=6)",
    "ALTER TABLE ONLY a.b ALTER COLUMN c SET (pg_attver='7')",
    "ALTER TABLE ONLY a.b ALTER COLUMN c SET (pg_attver=)",
    "ALTER TABLE ONLY a.b ALTER COLUMN c SET DEFAULT (pg_attver=7)",
    "ALTER TABLE ONLY a.b ALTER COLUMN c SET (pg_attver=7)) x",
    "ALTER TABLE a.b SET (pg_attver=7)", "ALTER TABLE ONLY a.b", "ALTER TABLE ONLY ", "", ")",
    "CREATE VIEW a.b AS SELECT (pg_attver=7)",
  ])
  func `every other statement stays as it is`(statement: String) {
    #expect(removed(statement) == statement)
  }
}
