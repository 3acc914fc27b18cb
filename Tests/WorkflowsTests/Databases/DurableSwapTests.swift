import Foundation
import TestSupport
import Testing

/// What the journal tells is so, also on a server that was told not to wait for its disk, and crashes.
@Suite struct DurableSwapTests {
  @Test func `a rollback that is done outlasts a crash`() throws {
    let cluster = try TestCluster(settings: ["synchronous_commit=off", "wal_writer_delay=10s"])
    defer { cluster.stop() }
    try DeployBench.with(cluster: cluster) { bench in
      try bench.deploy("20240201000000_more", "CREATE TABLE more (a int);")
      #expect(try bench.confirmed("rollback").exit == 0)
      cluster.kill()
      try cluster.start()
      #expect(try bench.psql("SELECT to_regclass('more') IS NULL") == "t")
      #expect(try bench.history().last == "20240201000000_more|f|t|t|0")
      #expect(try bench.databases().contains { $0.contains("__before_") })
    }
  }

  @Test func `a migration that is journaled as applied is`() throws {
    let cluster = try TestCluster(settings: ["synchronous_commit=off", "wal_writer_delay=10s"])
    defer { cluster.stop() }
    try DeployBench.with(cluster: cluster) { bench in
      try bench.deploy("20240201000000_more", "CREATE TABLE more (a int);")
      cluster.kill()
      try cluster.start()
      #expect(try bench.psql("SELECT to_regclass('more') IS NOT NULL") == "t")
      #expect(try bench.history().last == "20240201000000_more|t|f|f|1")
    }
  }
}
