import Foundation
import TestSupport
import Testing

/// Random schemas come back equal, in every format, and each single damage of them is found.
///
/// `HOLDFAST_RANDOM_SCHEMAS` is how many; a few in every run.
@Suite struct RandomSchemaTests {
  private static let count = ProcessInfo.processInfo.environment["HOLDFAST_RANDOM_SCHEMAS"].flatMap(Int.init) ?? 4
  private static let formats = ["directory", "custom", "plain"]

  @Test(arguments: 0..<count) func `a random schema is restored and equal`(number: Int) throws {
    let schema = RandomSchema(seed: UInt64(number) &* 0x9E37_79B9 &+ 7)
    let format = Self.formats[number % 3]
    try Workbench.with(sql: schema.sql, policy: "backup: {format: \(format), globals: false}") { bench in
      let copy = bench.newDatabaseName()
      let run = try bench.holdfast("restore", try bench.backUp(), "--into", copy, "--no-analyze")
      #expect(run.exit == 0, "seed \(number): \(run.stderr)")
      // What pg_dump and psql alone make of both is the same text.
      #expect(try fixedPoint(of: bench.database, bench) == fixedPoint(of: copy, bench), "seed \(number)")
    }
  }

  @Test(arguments: 0..<count) func `a random schema is rolled back and undone`(number: Int) throws {
    let schema = RandomSchema(seed: UInt64(number) &* 0xC2B2_AE35 &+ 5)
    try DeployBench.with(sql: schema.sql) { deploy in
      let bench = deploy.bench
      try deploy.writePolicy(more: "backup: {format: \(Self.formats[number % 3]), globals: false}")
      let before = try fixedPoint(of: bench.database, bench)
      try deploy.migration("20250101000000_second", "CREATE TABLE added (id int); ALTER TABLE t0 ADD COLUMN more int;")
      #expect(try deploy.run("deploy").exit == 0, "seed \(number)")
      let after = try fixedPoint(of: bench.database, bench)
      let back = try deploy.confirmed("rollback")
      #expect(back.exit == 0, "seed \(number): \(back.stderr)")
      #expect(try fixedPoint(of: bench.database, bench) == before, "seed \(number)")
      let undo = try deploy.confirmed("undo")
      #expect(undo.exit == 0, "seed \(number): \(undo.stderr)")
      #expect(try fixedPoint(of: bench.database, bench) == after && before != after, "seed \(number)")
    }
  }

  @Test(arguments: 0..<count) func `a single damage is found`(number: Int) throws {
    var schema = RandomSchema(seed: UInt64(number) &* 0x85EB_CA6B &+ 3)
    let damage = schema.damage()
    try Workbench.with(sql: schema.sql, policy: "backup: {format: \(Self.formats[number % 3]), globals: false}") {
      bench in
      let (id, copy) = (try bench.backUp(), bench.newDatabaseName())
      let run = try SteppedRun(
        ProgramRun.command(["restore", id, "--into", copy, "--policies", bench.policies]), at: "prove the database",
        notesIn: bench.folder)
      _ = try #require(try run.reach())
      let half = try #require(try bench.cluster.databases().first { $0.hasPrefix("\(copy)__restore_") })
      try bench.cluster.psql(damage, database: half)
      #expect(try run.end().code == 65, "seed \(number): \(damage)")
    }
  }

  /// The schema's text after one more trip through pg_dump and psql, and the rows.
  private func fixedPoint(of name: String, _ bench: Workbench) throws -> [Substring] {
    let trip = bench.newDatabaseName("trip_\(UInt16.random(in: 0...UInt16.max))")
    try bench.cluster.psql("CREATE DATABASE \(trip) TEMPLATE template0")
    let (cluster, tools) = (bench.cluster, bench.cluster.binaries)
    let server = "-h '\(cluster.socket)' -p \(cluster.port) -U postgres"
    let made = try shell(
      "'\(tools)/pg_dump' -T _prisma_migrations \(server) '\(name)' | '\(tools)/psql' -Xq \(server) -d '\(trip)' >/dev/null && '\(tools)/pg_dump' \(server) '\(trip)'",
      in: bench.folder)
    #expect(made.exit == 0, "\(made.stderr)")
    try bench.cluster.psql("DROP DATABASE \(trip)")
    return made.stdout.split(separator: "\n").filter { !$0.hasPrefix("\\") && !$0.hasPrefix("--") }
  }
}
