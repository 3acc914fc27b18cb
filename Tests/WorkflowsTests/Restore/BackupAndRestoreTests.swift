import Foundation
import TestSupport
import Testing

@Suite struct BackupAndRestoreTests {
  @Test func `a backup restores to a database that equals its source`() throws {
    try Workbench.with(
      sql:
        "CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 1000) i"
    ) {
      bench in
      let id = try bench.backUp()
      let copy = bench.newDatabaseName()
      let restore = try bench.holdfast("restore", id, "--into", copy, "--json")
      #expect(restore.exit == 0, "\(restore.stderr)")
      #expect(restore.json.string("verification", "level") == "digest")
      #expect(try bench.cluster.psql("SELECT count(*) FROM t", database: copy) == "1000")
      #expect(try bench.sessions() == 0)
    }
  }
}
