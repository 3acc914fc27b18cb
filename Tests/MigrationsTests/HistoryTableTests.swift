import Diagnostics
import Migrations
import PostgresTools
import TestSupport
import Testing

@Suite struct HistoryTableTests {
  private static let columns = """
    SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull,
      pg_get_expr(adbin, adrelid)), ', ' ORDER BY attnum)
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attnum > 0 AND attrelid =
    """
  private static let constraints = """
    SELECT string_agg(conname || ' ' || pg_get_constraintdef(oid), ', ') FROM pg_constraint WHERE conrelid =
    """

  @Test func `the table that is made is the one that Prisma makes`() throws {
    try Workbench.with { bench in
      let golden = try GoldenCase(named: "fresh-deploy")
      try bench.cluster.psql(file: golden.state(after: 2), database: bench.database)
      try HistoryTable(bench.session(), schema: "ours").create()
      for query in [Self.columns, Self.constraints] {
        let theirs = try bench.cluster.psql("\(query) 'public._prisma_migrations'::regclass", database: bench.database)
        let ours = try bench.cluster.psql("\(query) 'ours._prisma_migrations'::regclass", database: bench.database)
        #expect(ours == theirs)
        #expect(ours.contains("_prisma_migrations_pkey") || ours.contains("applied_steps_count"))
      }
    }
  }

  @Test func `a table that is locked is told as that, also in a transaction, and the session's limit stays`() throws {
    try Workbench.with { bench in
      let session = try bench.session()
      let table = try HistoryTable(session, schema: nil)
      try table.create()
      try session.query("SET lock_timeout = '7s'")
      #expect(try table.rows() == [])
      #expect(try session.query("SHOW lock_timeout") == [["7s"]])
      let other = try bench.session()
      try other.query("BEGIN; LOCK TABLE _prisma_migrations")
      try session.query("BEGIN")
      let locked = try failure { try table.rows() }
      #expect(locked.code == "history_locked")
      try session.query("ROLLBACK")
      #expect(try session.query("SHOW lock_timeout") == [["7s"]])
    }
  }

  @Test func `rows change at the moments and in the columns in which Prisma changes them`() throws {
    try Workbench.with { bench in
      let table = try HistoryTable(bench.session(), schema: nil)
      #expect(!table.isThere)
      #expect(try table.rows() == [])
      try table.create()
      try table.create()
      #expect(table.isThere)
      func rows() throws -> [GoldenRow]? { try bench.cluster.historyRows(bench.database) }
      let begun = GoldenRow(begun: "1", checksum: "c")
      let first = try table.begin("1", checksum: "c")
      #expect(try rows() == [begun])
      try table.fail(first, logs: "ERROR: no")
      var failed = begun
      failed.logs = "text"
      #expect(try rows() == [failed])
      try table.rollBackFailed("2")
      #expect(try rows() == [failed])
      try table.rollBackFailed("1")
      failed.isRolledBack = true
      #expect(try rows() == [failed])

      try table.finish(try table.begin("1", checksum: "c"))
      var finished = begun
      finished.isFinished = true
      // Counted by whoever runs the script.
      finished.steps = try #require(try rows()?.last).steps
      #expect(try rows() == [failed, finished])
      try table.insertApplied("2", checksum: "d")
      var baselined = GoldenRow(begun: "2", checksum: "d")
      (baselined.isFinished, baselined.startedEqualsFinished, baselined.logs) = (true, true, "")
      #expect(try rows() == [failed, finished, baselined])
      try table.rollBackFailed("1")
      #expect(try rows() == [failed, finished, baselined], "what is finished is not rolled back")
      #expect(try table.rows().map(\.isApplied) == [false, true, true])
    }
  }

  // MARK: Where it is

  @Test(arguments: [
    "shop", "my shop", "a\"b", "O'Brien", "a, public", "$user", "UPPER", "back\\slash", "ünï", "select", " ", "a\"; --",
  ])
  func `a schema of any name is made and used, and no other`(_ schema: String) throws {
    try Workbench.with { bench in
      let table = try HistoryTable(bench.session(), schema: schema)
      #expect(!table.isThere)
      try table.create()
      try table.finish(try table.begin("1", checksum: "c"))
      let again = try HistoryTable(bench.session(), schema: schema)
      #expect(again.isThere)
      #expect(try again.rows().map(\.name) == ["1"])
      let places = "SELECT string_agg(nspname, '|') FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
      #expect(
        try bench.cluster.psql("\(places) WHERE relname = '_prisma_migrations'", database: bench.database) == schema)
      #expect(try HistoryTable(bench.session(), schema: "other").isThere == false)
    }
  }

  @Test func `without a schema in the URL the role's search path leads`() throws {
    try Workbench.with { bench in
      try bench.withRole { role in
        let own = "CREATE SCHEMA \(role) AUTHORIZATION \(role)"
        try bench.cluster.psql("\(own); GRANT CREATE ON SCHEMA public TO \(role)", database: bench.database)
        try HistoryTable(bench.session(as: role), schema: "public").create()
        let inPublic = try HistoryTable(bench.session(as: role), schema: nil)
        #expect(inPublic.isThere, "the first schema has none, the second has one")
        _ = try inPublic.begin("in public", checksum: "c")

        try HistoryTable(bench.session(as: role), schema: role).create()
        #expect(try HistoryTable(bench.session(as: role), schema: nil).rows() == [])
        let whole = try HistoryTable(bench.session(), schema: nil)
        #expect(try whole.rows().map(\.name) == ["in public"], "another role's path leads elsewhere")
      }
    }
  }

  @Test func `a table that is made without a schema in the URL is made where the search path leads`() throws {
    try Workbench.with { bench in
      try bench.withRole { role in
        try bench.cluster.psql("CREATE SCHEMA \(role) AUTHORIZATION \(role)", database: bench.database)
        try HistoryTable(bench.session(as: role), schema: nil).create()
        #expect(try bench.cluster.historyRows(bench.database, schema: role) == [])
        #expect(try bench.cluster.historyRows(bench.database) == nil)
      }
    }
  }

  @Test(arguments: ["''", "nowhere"])
  func `a search path that leads nowhere leads to public`(_ path: String) throws {
    try Workbench.with { bench in
      try bench.cluster.psql("CREATE ROLE \(bench.database) SUPERUSER LOGIN", database: bench.database)
      defer { _ = try? bench.cluster.psql("DROP ROLE \(bench.database)") }
      try bench.cluster.psql("ALTER ROLE \(bench.database) SET search_path = \(path)")
      let made = try HistoryTable(bench.session(as: bench.database), schema: nil)
      try made.create()
      let found = try HistoryTable(bench.session(as: bench.database), schema: nil)
      #expect(found.isThere)
      #expect(try bench.cluster.historyRows(bench.database) == [])
    }
  }

  @Test func `only a table counts, not a view or a partitioned table of that name`() throws {
    for made in ["VIEW _prisma_migrations AS SELECT 1", "TABLE _prisma_migrations (i int) PARTITION BY LIST (i)"] {
      try Workbench.with(sql: "CREATE \(made)") { bench in
        for schema in ["public", nil] {
          let table = try HistoryTable(bench.session(), schema: schema)
          #expect(!table.isThere)
        }
      }
    }
  }

  @Test func `a table that another session makes meanwhile is seen`() throws {
    try Workbench.with { bench in
      let reading = try HistoryTable(bench.session(), schema: nil)
      let making = try HistoryTable(bench.session(), schema: nil)
      let checking = try HistoryTable(bench.session(), schema: nil)
      let other = try HistoryTable(bench.session(), schema: nil)
      try other.create()
      _ = try other.begin("1", checksum: "c")
      #expect(try reading.rows().map(\.name) == ["1"])
      try making.create()
      _ = try making.begin("2", checksum: "c")
      try checking.refuseUnmanaged()
      #expect([reading.isThere, making.isThere, checking.isThere] == [true, true, true])
      #expect(try bench.cluster.historyRows(bench.database)?.map(\.name) == ["1", "2"])
    }
  }

  // MARK: An empty schema

  @Test(arguments: [
    "CREATE VIEW v AS SELECT 1", "CREATE TYPE e AS ENUM ('a')", "CREATE TABLE p (i int) PARTITION BY RANGE (i)",
    "CREATE TABLE spatial_ref_sys (i int); CREATE TABLE \"Geometry_Columns\" (i int)",
    "CREATE SCHEMA other; CREATE TABLE other.t (i int)", "CREATE SEQUENCE s", "CREATE TABLE _prisma_migrations (i int)",
  ])
  func `a history may begin beside what is no table of the schema`(_ sql: String) throws {
    try Workbench.with(sql: sql) { bench in
      try HistoryTable(bench.session(), schema: nil).refuseUnmanaged()
      try HistoryTable(bench.session(), schema: "public").refuseUnmanaged()
    }
  }

  @Test(arguments: ["t", "my_spatial_ref_sys", "raster_columns2", "a\"b"])
  func `a history does not begin beside a table`(_ name: String) throws {
    let quoted = name.replacing("\"", with: "\"\"")
    try Workbench.with(sql: "CREATE TABLE \"\(quoted)\" (i int)") { bench in
      for schema in ["public", nil] {
        let refusal = try failure { try HistoryTable(bench.session(), schema: schema).refuseUnmanaged() }
        #expect(refusal.code == "P3005")
        #expect(refusal.exit == .failed)
        #expect(refusal.why.contains(name))
      }
      try HistoryTable(bench.session(), schema: "other").refuseUnmanaged()
    }
  }
}
