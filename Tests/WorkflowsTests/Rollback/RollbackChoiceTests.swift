import BackupModel
import Foundation
import TestSupport
import Testing

/// Which deploy a rollback goes back behind, and what it wants to be told first.
@Suite struct RollbackChoiceTests {
  private static let names = ["20240201000000_a", "20240202000000_b"]

  /// Two deploys of a table each.
  private func withTwo(_ body: (DeployBench, [String]) throws -> Void) throws {
    try DeployBench.with { bench in
      let ids = try zip(Self.names, ["a", "b"]).map { name, table in
        try bench.deploy(name, "CREATE TABLE \(table) (x int);")
      }
      try body(bench, ids)
      try bench.expectNothingLeft()
    }
  }

  private func tables(_ bench: DeployBench) throws -> String {
    try bench.psql("SELECT string_agg(relname, '' ORDER BY relname) FROM pg_class WHERE relname IN ('a', 'b')")
  }

  @Test func `the last deploy goes first, and the one before it only by name`() throws {
    try withTwo { bench, ids in
      let first = try bench.confirmed("rollback")
      #expect(first.json.string("deploy") == ids[1], "\(first.stdout)")
      #expect(try tables(bench) == "a")
      let again = try bench.confirmed("rollback")
      #expect(again.exit == 66)
      #expect(again.json.string("error", "code") == "already_rolled_back", "\(again.stdout)")
      #expect(again.json.string("error", "next_step")?.hasSuffix("--deploy \(ids[0])") == true, "\(again.stdout)")
      #expect(try tables(bench) == "a")
      let status = try bench.run("status")
      #expect(!status.stdout.contains("ready"), "\(status.stdout)")
      #expect(status.stdout.contains("--deploy \(ids[0])"), "\(status.stdout)")

      #expect(try bench.confirmed("rollback", "--deploy", ids[0]).json.string("deploy") == ids[0])
      #expect(try tables(bench) == "")
      let run = try bench.confirmed("rollback")
      #expect(run.exit == 66)
      #expect(run.json.string("error", "code") == "already_rolled_back")
    }
  }

  @Test func `a deploy after a rollback is the last one, and can be rolled back`() throws {
    try withTwo { bench, ids in
      #expect(try bench.confirmed("rollback").exit == 0)
      let third = try #require(try bench.run("deploy", "--json").json.string("deploy"))
      let run = try bench.confirmed("rollback")
      #expect(run.json.string("deploy") == third, "\(run.stdout)")
      #expect(try tables(bench) == "a")
    }
  }

  @Test func `after a failed deploy only the migration that failed is to be mended`() throws {
    try DeployBench.with { bench in
      try bench.migration(Self.names[0], "CREATE TABLE a (x int);")
      try bench.migration(Self.names[1], "SELECT 1/0;")
      #expect(try bench.run("deploy").exit == 1)
      let run = try bench.run("rollback", "--confirm", bench.database)
      #expect(run.stdout.contains("next: fix \(Self.names[1]), then: holdfast deploy"), "\(run.stdout)")
    }
  }

  @Test func `a migration is gone back behind, and what came after it goes too`() throws {
    try withTwo { bench, ids in
      let run = try bench.confirmed("rollback", "--before", Self.names[0])
      #expect(run.json.string("deploy") == ids[0], "\(run.stdout)")
      #expect(run.json.array("undoes") as? [String] == Self.names)
      #expect(try tables(bench) == "")
      // The deploy of b is gone with it.
      #expect(try bench.run("status", "--json").json.value(["rollback"]) is NSNull)
      #expect(try bench.run("rollback", "--plan", "--json").exit == 66)
      // Undone, both stand again.
      #expect(try bench.confirmed("undo").exit == 0)
      #expect(try bench.run("status", "--json").json.string("rollback", "deploy") == ids[1])
      #expect(try bench.run("rollback", "--plan", "--json").json.string("deploy") == ids[1])
    }
  }

  @Test func `the deploy that first applied a migration counts, not one that tried`() throws {
    try DeployBench.with { bench in
      try bench.migration(Self.names[0], "SELECT 1/0;")
      try bench.migration(Self.names[1], "CREATE TABLE b (x int);")
      #expect(try bench.run("deploy").exit == 1)
      #expect(try bench.run("resolve", Self.names[0], "--rolled-back").exit == 0)
      let second = try bench.deploy(Self.names[0], "CREATE TABLE a (x int);")
      for name in [Self.names[0], Self.names[1]] {
        #expect(try bench.run("rollback", "--before", name, "--plan", "--json").json.string("deploy") == second)
      }
    }
  }

  @Test func `a deploy is named by enough of its id`() throws {
    try withTwo { bench, ids in
      for id in [ids[0], String(ids[0].suffix(6))] {
        #expect(try bench.run("rollback", "--deploy", id, "--plan", "--json").json.string("deploy") == ids[0])
      }
      let run = try bench.confirmed("rollback", "--deploy", "2")
      #expect(run.exit == 66)
      #expect(run.json.string("error", "code") == "ambiguous_deploy", "\(run.stdout)")
      #expect(try bench.run("rollback", "--deploy", "nothing", "--plan").exit == 66)
      #expect(try tables(bench) == "ab")
    }
  }

  @Test func `a backup is gone back to, and the deploys after it no longer stand`() throws {
    try withTwo { bench, ids in
      let snapshot = try #require(try bench.deploys().first { $0.id == ids[1] }?.backup)
      let run = try bench.confirmed("rollback", "--to", snapshot)
      #expect(run.exit == 0, "\(run.stdout)")
      #expect(run.json.string("backup") == snapshot)
      #expect(try tables(bench) == "a")
      let plan = try bench.run("rollback", "--deploy", ids[0], "--plan", "--json")
      #expect(plan.json.string("deploy") == ids[0], "\(plan.stdout)")
      #expect(try bench.confirmed("undo").exit == 0)
      #expect(try tables(bench) == "ab")
    }
  }

  @Test func `only one way to say it may be used`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.names[0], "CREATE TABLE a (x int);")
      #expect(try bench.confirmed("rollback", "--to", "latest", "--before", Self.names[0]).exit == 64)
    }
  }

  @Test func `a plan changes nothing, and needs no confirmation`() throws {
    // Of its own: any other open transaction would put rows in doubt.
    let cluster = try TestCluster()
    defer { cluster.stop() }
    try DeployBench.with(cluster: cluster) { bench in
      let id = try bench.deploy(Self.names[0], "CREATE TABLE a (x int);")
      try bench.psql("DELETE FROM orders WHERE id <= 20; INSERT INTO customers (name) VALUES ('new')")
      let journal = "\(bench.bench.shelf)/deploys/\(id)/journal.jsonl"
      let before = (try bench.databases(), try bench.backups(), FileManager.default.contents(atPath: journal))
      let run = try bench.run("rollback", "--plan", "--json")
      #expect(run.exit == 0, "\(run.stderr)")
      #expect(run.json.string("kept_as") == "\(bench.database)__before_\(id.suffix(6))")
      #expect(run.json.value(["seconds"]) is NSNull)
      #expect(run.json.string("lost_writes", 0, "name") == "customers")
      #expect(run.json.number("lost_writes", 0, "inserted_or_updated") == 1)
      #expect(run.json.string("lost_writes", 1, "name") == "orders")
      #expect(run.json.number("lost_writes", 1, "deleted") == 20)
      let text = try bench.run("rollback", "--plan").stdout
      #expect(text.contains("public.orders: 20 deleted"), "\(text)")
      #expect(try bench.databases() == before.0)
      #expect(try bench.backups() == before.1)
      #expect(FileManager.default.contents(atPath: journal) == before.2)
      try bench.expectNothingLeft()
    }
  }

  @Test(arguments: ["rollback", "undo"]) func `nothing is swapped unless the database's name is given`(
    command: String
  ) throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.names[0], "CREATE TABLE a (x int);")
      if command == "undo" { #expect(try bench.confirmed("rollback").exit == 0) }
      let (databases, now) = (try bench.databases(), try tables(bench))
      for arguments in [[], ["--confirm", "postgres"]] {
        let run = try ProgramRun(running: bench.command([command, "--json"] + arguments))
        #expect(run.exit == 64)
        #expect(run.json.string("error", "code") == "not_confirmed", "\(run.stdout)")
        #expect(run.json.string("error", "next_step")?.contains("--confirm \(bench.database)") == true)
      }
      #expect(try bench.databases() == databases)
      #expect(try tables(bench) == now)
    }
  }

  @Test func `without the database a rollback that is done names the restore`() throws {
    try withTwo { bench, ids in
      #expect(try bench.confirmed("rollback").exit == 0)
      try bench.maintain("DROP DATABASE \"\(bench.database)\"")
      let run = try bench.run("rollback")
      #expect(run.exit == 66, "\(run.stderr)")
      #expect(run.stderr.contains("holdfast restore latest --into \(bench.database)\n"), "\(run.stderr)")
      #expect(try bench.run("restore", "latest", "--into", bench.database).exit == 0)
    }
  }

  @Test func `without a backup none is offered`() throws {
    try withTwo { bench, ids in
      for id in try bench.backups() { try FileManager.default.removeItem(atPath: bench.bench.path(of: id)) }
      for arguments in [["rollback"], ["rollback", "--deploy", ids[0]]] {
        let run = try ProgramRun(running: bench.command(arguments))
        #expect(run.exit == 66, "\(run.stderr)")
        #expect(run.stderr.contains("there is no ") && run.stderr.contains("backup"), "\(run.stderr)")
        #expect(!run.stderr.contains("holdfast list"), "\(run.stderr)")
      }
    }
  }

  @Test func `a table that was dropped comes back, and the plan says so`() throws {
    try DeployBench.with { bench in
      // A partitioned table is none that was dropped.
      try bench.psql(
        "CREATE TABLE parted (x int) PARTITION BY HASH (x); CREATE TABLE parted_0 PARTITION OF parted "
          + "FOR VALUES WITH (MODULUS 1, REMAINDER 0); INSERT INTO parted VALUES (1)")
      try bench.deploy(Self.names[0], "DROP TABLE orders CASCADE;")
      let plan = try bench.run("rollback", "--plan").stdout
      #expect(plan.contains("you lose    no rows; public.orders, dropped or renamed since, comes back"), "\(plan)")
      #expect(!plan.contains("no table was written"), "\(plan)")
    }
  }
}
