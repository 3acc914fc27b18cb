import Foundation
import TestSupport
import Testing

/// A backup and a restore take no more of a server's connections than it can spare.
@Suite struct ConnectionRoomTests {
  private static let sql = (1...6).map { "CREATE TABLE t\($0) AS SELECT 1 AS a;" }.joined()

  private func onSmallServer(_ body: (Workbench) throws -> Void) throws {
    let cluster = try TestCluster(settings: [
      "max_connections=9", "max_wal_senders=0", "wal_level=minimal", "max_replication_slots=0",
      "superuser_reserved_connections=0",
    ])
    defer { cluster.stop() }
    try Workbench.with(cluster: cluster, sql: Self.sql) { try body($0) }
  }

  @Test func `with few connections free there are fewer jobs, and everything goes on`() throws {
    try onSmallServer { bench in
      try bench.cluster.holding("SELECT 1", database: bench.database) {
        try bench.cluster.holding("SELECT 1", database: bench.database) {
          let check = try bench.holdfast("check", "--json")
          #expect(check.exit == 0, "\(check.stdout)")
          let id = try bench.backUp()
          let restore = try bench.holdfast("restore", id, "--into", bench.newDatabaseName())
          #expect(restore.exit == 0, "\(restore.stderr)")
        }
      }
    }
  }

  @Test func `check counts the sessions of a backup, and says when there are too few connections`() throws {
    try onSmallServer { bench in
      try bench.writePolicy(more: "jobs: 16")
      let check = try bench.holdfast("check", "--json")
      #expect(check.exit == 2)
      #expect(check.stdout.contains("a backup takes 20 connections, and the server has 9 left of 9"), "\(check.stdout)")
      #expect(check.stdout.contains("write jobs: 5"), "\(check.stdout)")
      try bench.writePolicy(more: "jobs: 5")
      #expect(try bench.holdfast("check").exit == 0)
      #expect(try bench.holdfast("backup").exit == 0)
    }
  }

  @Test(arguments: ["ROLE", "DATABASE"])
  func `the limits of role and database count`(kind: String) throws {
    try onSmallServer { bench in
      let role = "few_\(bench.database)"
      try bench.cluster.psql("CREATE ROLE \(role) LOGIN; GRANT pg_read_all_data TO \(role)")
      let name = kind == "ROLE" ? role : bench.database
      try bench.cluster.psql("ALTER \(kind) \(name) CONNECTION LIMIT 3")
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: role))
      let check = try bench.holdfast("check", "--json")
      #expect(check.exit == 2)
      #expect(check.stdout.contains("\(kind.lowercased()) \(name) has 3 left of 3"), "\(check.stdout)")
      try bench.cluster.psql("ALTER \(kind) \(name) CONNECTION LIMIT 4")
      #expect(try bench.holdfast("check").exit == 0)
      #expect(try bench.holdfast("backup").exit == 0)
      try bench.cluster.psql("DROP OWNED BY \(role); DROP ROLE \(role)")
    }
  }
}
