import Foundation
import TestSupport
import Testing

/// Everything that PostgreSQL can hold, in one database, compared by a program that knows nothing of Holdfast.
@Suite struct HostileDatabaseTests {
  @Test(arguments: [
    "", "backup: {compression: none, globals: false, jobs: 1}", "backup: {compression: \"zstd:19\", jobs: 3}",
  ])
  func `it comes back equal, in every row, object and setting`(policy: String) throws {
    try onHostile(policy) { bench in
      let id = try bench.backUp()
      let names = try FileManager.default.subpathsOfDirectory(atPath: bench.path(of: id))
      #expect(names.contains("globals.sql") == !policy.contains("globals: false"))
      #expect(names.contains { $0.hasSuffix(".dat") && $0 != "data/toc.dat" } == policy.contains("none"))
      #expect(names.contains { $0.hasSuffix(".dat.zst") } == !policy.contains("none"))
      #expect(try bench.holdfast("verify", id, "--level", "archive").exit == 0)
      let copy = bench.newDatabaseName()
      try bench.restore(id, into: copy)
      #expect(try bench.differences(copy) == "")
    }
  }

  @Test func `its way back is tried, and check finds nothing that would keep it from going back`() throws {
    try onHostile("") { bench in
      let check = try bench.holdfast("check", "--deep")
      #expect(check.exit == 0 && check.stdout.contains("the way back was tried"), "\(check.stdout)")
    }
  }

  @Test func `the comparison sees one value, one large object, one setting`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a") { bench in
      let copy = bench.newDatabaseName()
      try bench.restore(bench.backUp(), into: copy)
      #expect(try bench.differences(copy) == "")
      for change in [
        "UPDATE t SET a = 2", "SELECT lo_from_bytea(0, 'x')", "ALTER DATABASE \"\(copy)\" SET work_mem = '5MB'",
      ] {
        let before = try bench.differences(copy)
        try bench.cluster.psql(change, database: copy)
        #expect(try bench.differences(copy) != before, "\(change)")
      }
    }
  }

  @Test func `tables saved without their rows come back empty, the others whole`() throws {
    let sql = """
      CREATE SCHEMA audit; CREATE TABLE audit."log one" AS SELECT generate_series(1, 5) a;
      CREATE TABLE kept AS SELECT generate_series(1, 7) a; CREATE TABLE sessions AS SELECT generate_series(1, 9) a;
      """
    let policy = "backup: {exclude_table_data: [audit.log*, public.sessions]}"
    try Workbench.with(sql: sql, policy: policy) { bench in
      let id = try bench.backUp()
      for proof in ["digest", "rows"] {
        let copy = bench.newDatabaseName(proof)
        try bench.restore(id, into: copy, "--verify", proof)
        let tables = ["audit.\"log one\"", "kept", "sessions"].map { "(SELECT count(*) FROM \($0))" }
        let counts = "SELECT " + tables.joined(separator: ", ")
        #expect(try bench.cluster.psql(counts, database: copy) == "0|7|0")
      }
    }
  }

  private func onHostile(_ policy: String, _ body: (Workbench) throws -> Void) throws {
    try Workbench.with(policy: policy) { bench in
      try Roles.makeHostile(bench.cluster)
      try bench.cluster.psql(file: "\(SourceTree.path)/Tests/Fixtures/hostile.sql", database: bench.database)
      try body(bench)
    }
  }
}
