import BackupModel
import Foundation
import TestSupport
import Testing

/// Whole rows kept in columns, of tables whose columns a dump puts in another order.
@Suite struct RowTypeOrderTests {
  private static let tables = """
    CREATE TABLE vehicle (id int); CREATE TABLE car (doors int, seats int) INHERITS (vehicle);
    ALTER TABLE vehicle ADD COLUMN wheels int; INSERT INTO car (id, doors, seats, wheels) VALUES (1, 5, 7, 4);
    """

  @Test(
    arguments: [
      ("was", "CREATE TABLE kept (was car); INSERT INTO kept SELECT car FROM car"),
      ("was", "CREATE TABLE kept (was car[]); INSERT INTO kept SELECT ARRAY[car] FROM car"),
      ("was", "CREATE DOMAIN d AS car; CREATE TABLE kept (was d); INSERT INTO kept SELECT car::d FROM car"),
      (
        "was",
        "CREATE TYPE c AS (at int, one car); CREATE TABLE kept (was c); INSERT INTO kept SELECT (1, car)::c FROM car"
      ),
      (
        "was",
        "CREATE TYPE c AS (many car[]); CREATE DOMAIN d AS c[]; CREATE TABLE kept (was d); INSERT INTO kept VALUES (NULL)"
      ),
      (
        "was",
        "CREATE TYPE r AS RANGE (subtype = car); CREATE TABLE kept (was r); INSERT INTO kept SELECT r(car, car, '[]') FROM car"
      ),
      (
        "was", "CREATE TABLE van (load int) INHERITS (car); CREATE TABLE kept (was van); INSERT INTO kept VALUES (NULL)"
      ),
      (
        "order",
        "CREATE TABLE kept (\"order\" car) PARTITION BY HASH (\"order\"); CREATE TABLE kept_0 PARTITION OF kept FOR VALUES WITH (MODULUS 1, REMAINDER 0); INSERT INTO kept SELECT car FROM car"
      ),
    ])
  func `their fields would be exchanged: the backup says so, and is never restored as equal`(
    column: String, sql: String
  ) throws {
    try Workbench.with(sql: "\(Self.tables) \(sql)") { bench in
      let id = try bench.backUp()
      let missing = try bench.manifest(id).missing ?? []
      #expect(missing.map(\.kind) == ["row_type_order"], "\(missing)")
      #expect(missing.first?.name.contains(column) == true)
      #expect(try bench.holdfast("check").exit == 2)
      let copy = bench.newDatabaseName()
      let run = try bench.holdfast("restore", id, "--into", copy, "--json")
      #expect(run.exit == 65)
      #expect(run.json.string("error", "code") == "row_type_order")
      #expect(try !bench.cluster.databases().contains(copy))
    }
  }

  @Test(
    arguments: [
      // No rows; rows that are left out; another table's; one whose columns stay; a partition's.
      "CREATE TABLE kept (was car)", "CREATE TABLE kept (was vehicle); INSERT INTO kept SELECT vehicle FROM vehicle",
      "CREATE TABLE bus (seats int) INHERITS (vehicle); CREATE TABLE kept (was bus); INSERT INTO kept VALUES (ROW(1, 4, 50)::bus)",
      "CREATE TABLE p (a int, b int) PARTITION BY LIST (a); CREATE TABLE p1 (b int, a int); ALTER TABLE p ATTACH PARTITION p1 DEFAULT; "
        + "CREATE TABLE kept (was p1); INSERT INTO kept VALUES (ROW(1, 2)::p1)",
      "CREATE TABLE d (x int, a int, b int); ALTER TABLE d DROP COLUMN x; CREATE TABLE kept (was d); INSERT INTO kept VALUES (ROW(1, 2)::d)",
    ])
  func `what a dump keeps in its order is restored`(sql: String) throws {
    try Workbench.with(sql: "\(Self.tables) \(sql)") { bench in
      let id = try bench.backUp()
      #expect(try bench.manifest(id).complete == true)
      let copy = bench.newDatabaseName()
      try bench.restore(id, into: copy)
      #expect(try bench.differences(copy) == "")
    }
  }

  @Test(arguments: [
    "CREATE VIEW std AS SELECT (ROW(1, 4, 900, 7)::car).p AS p",
    "ALTER TABLE offers ADD other car DEFAULT ROW(1, 4, 900, 7)::car",
    "CREATE FUNCTION f(c car DEFAULT '(1,4,900,7)'::car) RETURNS int LANGUAGE sql AS 'SELECT ($1).p'",
  ]) func `rows that definitions have written out are found`(definition: String) throws {
    let sql = """
      CREATE TABLE base (a int); CREATE TABLE car (w int, p int) INHERITS (base); ALTER TABLE base ADD tag int;
      CREATE TABLE offers (id int)
      """
    try Workbench.with(sql: sql) { bench in
      #expect(try bench.manifest(bench.backUp()).complete == true)
      try bench.cluster.psql(definition, database: bench.database)
      let id = try bench.backUp()
      #expect(try bench.manifest(id).missing?.map(\.kind) == ["row_type_order"])
      let run = try bench.holdfast("restore", id, "--into", bench.newDatabaseName(), "--json")
      #expect(run.exit == 65 && run.json.string("error", "code") == "row_type_order", "\(run.stdout)")
      #expect(try bench.holdfast("export", id).stderr.contains("exchanges fields"))
    }
  }

  @Test func `the other tables are restored by name`() throws {
    let sql =
      "\(Self.tables) CREATE TABLE kept (was car); INSERT INTO kept SELECT car FROM car; CREATE TABLE other AS SELECT 1 AS a"
    try Workbench.with(sql: sql) { bench in
      let id = try bench.backUp()
      try bench.restore(id, into: bench.newDatabaseName(), "--table", "public.other")
      let (name, tables) = (bench.newDatabaseName("two"), ["public.kept", "public.car", "public.vehicle"])
      let run = try ProgramRun(
        ["restore", id, "--into", name, "--json", "--policies", bench.policies] + tables.flatMap { ["--table", $0] })
      #expect(run.json.string("error", "code") == "row_type_order", "\(run.stdout)")
    }
  }

  @Test func `no policy accepts it, and no deploy begins`() throws {
    try DeployBench.with(sql: "\(Self.tables) CREATE TABLE kept (was car); INSERT INTO kept SELECT car FROM car") {
      deploy in
      try deploy.migration("20240201000000_more", "CREATE TABLE more (a int);")
      let run = try deploy.run("deploy", "--json", program: deploy.spy)
      #expect(run.exit == 78)
      #expect(run.json.string("error", "code") == "incomplete_snapshot")
      #expect(run.json.string("error", "next_step")?.contains("accept_missing") == false)
      #expect(!deploy.spyWasRun)
      try deploy.writePolicy(more: "backup: {accept_missing: [row_type_order]}")
      #expect(try deploy.run("deploy").exit == 78)
    }
  }

  /// What changes is measured: pg_dump and psql decide, on inheritance of any shape.
  @Test(arguments: 1...6) func `says so of exactly those tables whose columns a dump puts in another order`(
    seed: UInt64
  ) throws {
    var dice = SeededGenerator(seed: seed)
    var lines: [String] = []
    for number in 0..<9 {
      let parents = (0..<number).filter { _ in Int.random(in: 0..<4, using: &dice) == 0 }
      let columns = (0..<Int.random(in: 0...2, using: &dice)).map { "own\(number)_\($0) int" }
      let inherits = parents.isEmpty ? "" : " INHERITS (\(parents.map { "t\($0)" }.joined(separator: ", ")))"
      lines.append("CREATE TABLE t\(number) (\(columns.joined(separator: ", ")))\(inherits);")
      for _ in 0..<2 {
        let table = Int.random(in: 0...number, using: &dice)
        lines.append("ALTER TABLE t\(table) ADD COLUMN later\(lines.count) int;")
      }
      if Bool.random(using: &dice) {
        lines.append("ALTER TABLE t\(number) ADD COLUMN gone int; ALTER TABLE t\(number) DROP COLUMN gone;")
      }
    }
    // One that becomes a child later.
    lines.append("CREATE TABLE late (z int, LIKE t3); ALTER TABLE late INHERIT t3;")
    let names = (0..<9).map { "t\($0)" } + ["late"]
    lines += names.map { "CREATE TABLE k_\($0) (was \($0)); INSERT INTO k_\($0) VALUES (NULL);" }
    try Workbench.with(sql: lines.joined(separator: "\n")) { bench in
      let told = Set((try bench.manifest(bench.backUp()).missing ?? []).map(\.name))
      let copy = bench.newDatabaseName()
      try bench.createDatabase(copy)
      let tool = "'\(bench.cluster.binaries)"
      let place = "-h '\(bench.cluster.socket)' -p \(bench.cluster.port) -U postgres"
      let run = try shell(
        "\(tool)/pg_dump' \(place) \(bench.database) | \(tool)/psql' -Xq \(place) -d \(copy)", in: bench.folder)
      #expect(run.exit == 0)
      let order =
        "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped AND attrelid = "
      let changed = try names.filter { name in
        let sql = "\(order)'\(name)'::regclass"
        return try bench.cluster.psql(sql, database: bench.database) != bench.cluster.psql(sql, database: copy)
      }
      #expect(told == Set(changed.map { "public.k_\($0).was" }))
    }
  }
}
