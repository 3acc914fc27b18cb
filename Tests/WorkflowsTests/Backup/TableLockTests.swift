import Foundation
import PostgresTools
import TestSupport
import Testing

/// A table that is truncated or rewritten beside a backup is in it as it was before, or as it is after, never as nothing.
@Suite struct TableLockTests {
  /// It gets its lock in the moment in which pg_dump ends.
  @Test(arguments: ["directory", "plain", "custom"])
  func `a statement that waits for the dump to end does not spoil it`(format: String) throws {
    let sql =
      "CREATE TABLE big AS SELECT repeat(md5(i::text), 20) FROM generate_series(1, 30000) i; CREATE TABLE z AS SELECT 1 AS a"
    try Workbench.with(sql: sql, policy: "backup: {format: \(format), globals: false}") { bench in
      let run = try ChildProcess(
        starting: ProgramRun.command(["backup", "--policies", bench.policies]), capturesOutput: false)
      let copying = "SELECT count(*) FROM pg_stat_activity WHERE datname = '\(bench.database)' AND query ~ '^COPY'"
      try waitUntil("pg_dump copies") { try bench.cluster.psql(copying) != "0" }
      try bench.cluster.psql("TRUNCATE z; INSERT INTO z VALUES (2), (3)", database: bench.database)
      let end = try run.end()
      #expect(end.code == 0, "\(end.standardError)")
      let copy = bench.newDatabaseName()
      try bench.restore("latest", into: copy)
      #expect(try bench.cluster.psql("SELECT sum(a) FROM z", database: copy) == "1")
    }
  }

  /// The server's room for locks is shared: ours have to go when pg_dump has its own.
  @Test func `a database with as many tables as pg_dump alone can lock is backed up`() throws {
    let cluster = try TestCluster(settings: [
      "max_locks_per_transaction=10", "max_connections=20", "max_prepared_transactions=0", "max_wal_senders=2",
      "max_replication_slots=2",
    ])
    defer { cluster.stop() }
    try Workbench.with(cluster: cluster, policy: "backup: {jobs: 2}") { bench in
      let file = "\(bench.folder)/tables.sql"
      try (1...190).map { "CREATE TABLE t\($0) (a int);\n" }.joined().write(
        toFile: file, atomically: false, encoding: .utf8)
      try cluster.psql(file: file, database: bench.database)
      let dump = [
        "-Fd", "-j2", "-f", "\(bench.folder)/dump", "-h", cluster.socket, "-p", "\(cluster.port)", "-U", "postgres",
      ]
      let plain = try ChildProcess(
        starting: ChildCommand(
          executable: "\(cluster.binaries)/pg_dump", arguments: dump + [bench.database],
          environment: Toolbox.baseEnvironment()),
        capturesOutput: false
      ).end()
      try #require(plain.succeeded, "\(plain.standardError)")
      #expect(try bench.holdfast("backup").exit == 0)
    }
  }

  @Test(arguments: [
    "TRUNCATE orders; INSERT INTO orders SELECT n, 1, 'new' FROM generate_series(1, 300) n",
    "ALTER TABLE orders ALTER note TYPE varchar(900) USING note || 'x'; DELETE FROM orders WHERE id > 150",
  ])
  func `a transaction that rewrites it, and that the backup waits for, is in the backup`(sql: String) throws {
    try DeployBench.with { bench in
      let writer = try bench.session()
      try writer.query("BEGIN; \(sql)")
      let backup = try bench.start("backup")
      try waitUntil("the backup waits for the table") {
        try bench.psql(
          """
          SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
          WHERE NOT granted AND application_name = 'holdfast backup' AND datname = current_database()
          """) == "1"
      }
      try writer.query("COMMIT")
      #expect(try backup.end().code == 0)
      let restored = "\(bench.database)_r"
      #expect(try bench.run("restore", "latest", "--into", restored).exit == 0)
      let count = try bench.psql("SELECT count(*) FROM orders", database: restored)
      #expect(try count == bench.psql("SELECT count(*) FROM orders"))
      #expect(count != "0")
    }
  }
}
