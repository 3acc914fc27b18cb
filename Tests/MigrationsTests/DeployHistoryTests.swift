import Foundation
import Migrations
import TestSupport
import Testing

/// What a deploy finds of a history, and begins.
@Suite struct DeployHistoryTests {
  @Test func `what another deployer applies while the lock is waited for is not applied again`() throws {
    try Workbench.with { bench in
      let folder = try MigrationsOnDisk(bench)
      try folder.add("1", "CREATE TABLE one ();\n")
      try folder.add("2", "CREATE TABLE two ();\n")
      try bench.writePolicy(more: folder.policy)
      let runs = try bench.race([["deploy"]]) { holder in
        let table = try HistoryTable(holder, schema: nil)
        try table.create()
        try holder.query("CREATE TABLE public.one ()")
        let checksum = try #require(try MigrationFolder(path: folder.path).migration("1")?.checksum())
        try table.finish(try table.begin("1", checksum: checksum))
      }
      #expect(runs.map(\.exit) == [0], "\(runs.map(\.stdout))")
      #expect(runs.first?.json.strings("applied") == ["2"])
      let rows = try #require(try bench.cluster.historyRows(bench.database))
      #expect(rows.map(\.name) == ["1", "2"])
      #expect(rows.filter(\.isApplied).count == 2)
    }
  }

  @Test func `without a migration a deploy begins a history, but not in a database that has tables`() throws {
    for (sql, exit) in [("", 0), ("CREATE TABLE t ()", 1)] as [(String, Int32)] {
      try Workbench.with(sql: sql) { bench in
        try bench.writePolicy(more: MigrationsOnDisk(bench).policy)
        let run = try bench.holdfast("deploy", "--json")
        #expect(run.exit == exit)
        #expect(run.json.string("error", "code") == (exit == 0 ? nil : "P3005"))
        #expect(try bench.cluster.historyRows(bench.database) == (exit == 0 ? [] : nil))
        #expect(bench.shelfContents().filter { $0 != "deploys" && !$0.hasPrefix(".") } == [])
      }
    }
  }
}
