import Diagnostics
import Migrations
import PostgresTools
import TestSupport
import Testing

/// Rights and settings of the role that Holdfast connects as.
@Suite struct HistoryRightsTests {
  private func withHistory(schema: String = "public", _ body: (Workbench, _ role: String) throws -> Void) throws {
    try Workbench.with { bench in
      let table = try HistoryTable(bench.session(), schema: schema)
      try table.create()
      try table.finish(try table.begin("1", checksum: "c"))
      try bench.withRole { try body(bench, $0) }
    }
  }

  @Test func `a history that may not be read is an error, and not "not managed"`() throws {
    try withHistory { bench, role in
      for schema in ["public", nil] {
        let table = try HistoryTable(bench.session(as: role), schema: schema)
        #expect(table.isThere)
        let refusal = try failure { try table.rows() }
        #expect(refusal.exit == .noPermission)
        #expect(refusal.why.contains("42501"))
      }
      let folder = try MigrationsOnDisk(bench)
      try folder.add("1")
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: role), more: folder.policy)
      let run = try bench.holdfast("migrations", "--json")
      #expect(run.exit == 77)
      #expect(run.json.string("error", "code") == "server_error")
      #expect(run.json.value(["pending"]) == nil)
      let applied = try bench.holdfast("resolve", "1", "--applied", "--json")
      #expect(applied.exit == 77)
      try bench.cluster.psql("GRANT SELECT ON _prisma_migrations TO \(role)", database: bench.database)
      #expect(try bench.holdfast("migrations", "--json").json.strings("applied") == ["1"])
    }
  }

  @Test(arguments: ["shop", "public"])
  func `nor is one in a schema that may not be used`(_ schema: String) throws {
    try withHistory(schema: schema) { bench, role in
      try bench.cluster.psql("REVOKE ALL ON SCHEMA \(schema) FROM public", database: bench.database)
      for asked in schema == "public" ? ["public", nil] : [schema] {
        let table = try HistoryTable(bench.session(as: role), schema: asked)
        #expect(table.isThere)
        let refusal = try failure { try table.rows() }
        #expect(refusal.exit == .noPermission)
      }
    }
  }

  @Test func `a role that owns its schema needs no right to make schemas`() throws {
    try Workbench.with(sql: "CREATE SCHEMA shop") { bench in
      try bench.withRole { role in
        try bench.cluster.psql("GRANT USAGE, CREATE ON SCHEMA shop TO \(role)", database: bench.database)
        try HistoryTable(bench.session(as: role), schema: "shop").create()
        #expect(try bench.cluster.historyRows(bench.database, schema: "shop") == [])
        let refusal = try failure { try HistoryTable(bench.session(as: role), schema: "other").create() }
        #expect(refusal.exit == .noPermission)
      }
    }
  }

  @Test(arguments: [
    "DateStyle = 'German'", "DateStyle = 'SQL, DMY'", "DateStyle = 'Postgres, MDY'", "TimeZone = 'Asia/Kathmandu'",
    "client_encoding = 'LATIN1'", "bytea_output = 'escape'", "standard_conforming_strings = off",
    "extra_float_digits = -15", "default_transaction_isolation = 'serializable'", "enable_seqscan = off",
  ])
  func `the role's settings do not matter`(_ setting: String) throws {
    try withHistory { bench, role in
      try bench.cluster.psql(
        """
        UPDATE _prisma_migrations SET started_at = '2026-11-04 06:31:16.646+00', logs = 'Ошибка\\'
        """, database: bench.database)
      try bench.cluster.psql("ALTER ROLE \(role) SET \(setting)")
      try bench.cluster.psql("GRANT ALL ON _prisma_migrations TO \(role)", database: bench.database)
      let row = try #require(try HistoryTable(bench.session(as: role), schema: nil).rows().first)
      let plain = try #require(try HistoryTable(bench.session(), schema: nil).rows().first)
      #expect(row == plain)
      #expect(row.startedAt == "2026-11-04 06:31:16.646 UTC")
      #expect(row.logs == "Ошибка\\")
      #expect(row.isApplied)
    }
  }

  @Test func `a read-only role reads, and resolving is an error that changes nothing`() throws {
    try withHistory { bench, role in
      try bench.cluster.psql("ALTER ROLE \(role) SET default_transaction_read_only = on")
      try bench.cluster.psql("GRANT ALL ON _prisma_migrations TO \(role)", database: bench.database)
      let table = try HistoryTable(bench.session(as: role), schema: nil)
      #expect(try table.rows().count == 1)
      _ = try failure { try table.begin("2", checksum: "c") }
      #expect(try table.rows().count == 1)
    }
  }
}
