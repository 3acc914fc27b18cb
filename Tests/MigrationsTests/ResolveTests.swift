import Foundation
import TestSupport
import Testing

@Suite struct ResolveTests {
  private func withMigrations(
    _ names: [String] = ["1", "2"], _ body: (Workbench, MigrationsOnDisk) throws -> Void
  ) throws {
    try Workbench.with { bench in
      let folder = try MigrationsOnDisk(bench)
      for name in names { try folder.add(name, "SELECT '\(name)';\n") }
      try bench.writePolicy(more: folder.policy)
      try body(bench, folder)
    }
  }

  // MARK: baseline

  @Test func `baseline leaves the rows of resolve --applied, up to the one that is named`() throws {
    let golden = try GoldenCase(named: "baseline")
    try Workbench.with(sql: "CREATE TABLE \"User\" (id int)") { bench in
      let folder = try MigrationsOnDisk(bench)
      for case .files(let files) in golden.steps { try folder.write(files) }
      try bench.writePolicy(more: folder.policy)
      let run = try bench.holdfast("baseline", "--to", "20240101000000_init", "--json")
      #expect(run.exit == 0)
      #expect(run.json.strings("applied") == ["20240101000000_init"])
      let resolved = golden.steps.compactMap { step in
        if case .run(let command) = step, command.run.contains("resolve") { command.rows } else { nil }
      }
      #expect(try bench.cluster.historyRows(bench.database) == resolved.first)
      let again = try bench.holdfast("baseline", "--all", "--json")
      #expect(again.exit == 1)
      #expect(again.json.string("error", "code") == "already_managed")
      #expect(try bench.cluster.historyRows(bench.database) == resolved.first)
    }
  }

  @Test func `baseline records all in the order of application`() throws {
    try withMigrations(["20240101000000_a", "20240101_a", "b-1", "b_1"]) { bench, folder in
      let order = ["20240101_a", "20240101000000_a", "b_1", "b-1"]
      #expect(try bench.holdfast("baseline", "--all", "--json").json.strings("applied") == order)
      #expect(try bench.cluster.historyRows(bench.database)?.map(\.name) == order)
      let reading = try bench.holdfast("migrations", "--json")
      #expect(reading.exit == 0)
      #expect(reading.json.strings("applied") == order)
      try folder.write(["b-1": nil])
      #expect(try bench.holdfast("migrations", "--json").exit == 2)
    }
  }

  @Test(
    arguments: [
      (["2/migration.sql": nil], ["--all"], "P3015"), ([:], ["--to", "3"], "P3017"),
      (["migration_lock.toml": "provider = \"mysql\"\n"], ["--all"], "P3019"),
    ] as [([String: String?], [String], String)])
  func `a baseline that is refused leaves no table`(
    _ files: [String: String?], _ words: [String], _ code: String
  ) throws {
    try withMigrations { bench, folder in
      try folder.write(files)
      let run = try ProgramRun(["baseline", "--json", "--policies", bench.policies] + words)
      #expect(run.exit == 1)
      #expect(run.json.string("error", "code") == code)
      #expect(try bench.cluster.historyRows(bench.database) == nil)
    }
  }

  @Test func `baseline wants to know how far, and names what all would be`() throws {
    try withMigrations { bench, _ in
      let run = try bench.holdfast("baseline", "--json")
      #expect(run.exit == 64)
      #expect(run.json.array("error", "details") as? [String] == ["1", "2"])
      for words in [["--to", "1", "--all"], ["--undo", "--all"], ["--undo", "--to", "1"]] {
        #expect(try ProgramRun(["baseline", "--policies", bench.policies] + words).exit == 64, "\(words)")
      }
      #expect(try bench.cluster.historyRows(bench.database) == nil)
      let shown = try bench.holdfast("baseline", "--to", "1")
      #expect(
        shown.exit == 0 && shown.stderr.contains("without running it:\n  1\nstays pending:\n  2\n"), "\(shown.stderr)")
    }
  }

  @Test func `a baseline can be taken back until something was deployed`() throws {
    try Workbench.with(sql: "CREATE TABLE t (a int)") { bench in
      let folder = try MigrationsOnDisk(bench)
      for name in ["1", "2", "3"] { try folder.add(name, "SELECT '\(name)';\n") }
      try bench.writePolicy(more: folder.policy)
      #expect(try bench.holdfast("baseline", "--undo", "--json").json.string("error", "code") == "no_baseline")
      #expect(try bench.holdfast("baseline", "--all").exit == 0)
      let undone = try bench.holdfast("baseline", "--undo", "--json")
      #expect(undone.exit == 0 && undone.json.strings("removed") == ["1", "2", "3"], "\(undone.stdout)")
      // As before: the next deploy asks again what the database has.
      #expect(try bench.cluster.historyRows(bench.database) == nil)
      #expect(try bench.holdfast("deploy", "--json").json.string("error", "code") == "P3005")
      for command in ["check", "migrations"] {
        let run = try bench.holdfast(command)
        #expect(run.stdout.contains("holdfast baseline --to NAME"), "\(run.stdout)")
        #expect(!run.stdout.contains("next: holdfast deploy"), "\(run.stdout)")
      }

      #expect(try bench.holdfast("baseline", "--to", "1").exit == 0)
      #expect(try !bench.holdfast("check").stdout.contains("baseline"))
      #expect(try bench.holdfast("deploy").exit == 0)
      let late = try bench.holdfast("baseline", "--undo", "--json")
      #expect(late.exit == 1 && late.json.string("error", "code") == "deployed_since", "\(late.stdout)")
      #expect(try bench.cluster.historyRows(bench.database)?.count == 3)
    }
  }

  @Test func `taking a baseline back leaves what was resolved by hand since`() throws {
    try withMigrations { bench, _ in
      #expect(try bench.holdfast("baseline", "--to", "1").exit == 0)
      #expect(try bench.holdfast("resolve", "2", "--applied").exit == 0)
      let undone = try bench.holdfast("baseline", "--undo", "--json")
      #expect(undone.json.strings("removed") == ["1"], "\(undone.stdout)")
      #expect(try bench.cluster.historyRows(bench.database)?.map(\.name) == ["2"])
    }
  }

  @Test func `the beginning of a migration's name is told what it likely means`() throws {
    try withMigrations(["20240101000000_init", "20240201000000_more"]) { bench, _ in
      let run = try bench.holdfast("baseline", "--to", "20240101000000")
      #expect(run.stderr.contains("did you mean 20240101000000_init?"), "\(run.stderr)")
    }
  }

  // MARK: resolve

  @Test func `resolve --applied needs the script, and resolve --rolled-back does not`() throws {
    try withMigrations { bench, folder in
      let insert = "INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('a', 'c', '1')"
      #expect(try bench.holdfast("baseline", "--to", "1").exit == 0)
      try bench.cluster.psql("DELETE FROM _prisma_migrations; \(insert)", database: bench.database)
      try folder.write(["1/migration.sql": nil])
      let refused = try bench.holdfast("resolve", "1", "--applied", "--json")
      #expect(refused.json.string("error", "code") == "P3017")
      #expect(try bench.cluster.historyRows(bench.database)?.map(\.isFailed) == [true])
      #expect(try bench.holdfast("resolve", "1", "--rolled-back").exit == 0)
      #expect(try bench.cluster.historyRows(bench.database)?.map(\.isRolledBack) == [true])
    }
  }

  @Test func `a wrong provider forbids --applied and reading, not --rolled-back`() throws {
    try withMigrations { bench, folder in
      #expect(try bench.holdfast("baseline", "--all").exit == 0)
      try folder.write(["migration_lock.toml": "provider = \"sqlite\"\n"])
      try bench.cluster.psql("UPDATE _prisma_migrations SET finished_at = NULL", database: bench.database)
      let applied = try bench.holdfast("resolve", "1", "--applied", "--json")
      #expect(applied.json.string("error", "code") == "P3019")
      #expect(try bench.holdfast("migrations", "--json").json.string("error", "code") == "P3019")
      #expect(try bench.holdfast("resolve", "1", "--rolled-back").exit == 0)
    }
  }

  @Test func `a resolve of several failed rows marks them all and adds one`() throws {
    try withMigrations { bench, _ in
      #expect(try bench.holdfast("baseline", "--to", "1").exit == 0)
      let two = "INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('a', 'c', '2'), ('b', 'c', '2')"
      try bench.cluster.psql(two, database: bench.database)
      #expect(try bench.holdfast("resolve", "2", "--applied").exit == 0)
      let rows = try #require(try bench.cluster.historyRows(bench.database)).filter { $0.name == "2" }
      #expect(rows.map(\.isRolledBack) == [true, true, false])
      #expect(rows.map(\.isApplied) == [false, false, true])
    }
  }

  // MARK: Several at once

  @Test func `of several resolves at once one records the migration, the others see that`() throws {
    try withMigrations { bench, _ in
      let runs = try bench.race(Array(repeating: ["resolve", "1", "--applied"], count: 4))
      #expect(runs.map(\.exit).sorted() == [0, 1, 1, 1])
      #expect(runs.compactMap { $0.json.string("error", "code") } == ["P3008", "P3008", "P3008"])
      #expect(try bench.cluster.historyRows(bench.database)?.map(\.isApplied) == [true])
    }
  }

  @Test func `resolved both ways at once, a migration ends as applied`() throws {
    try withMigrations { bench, _ in
      #expect(try bench.holdfast("baseline", "--all").exit == 0)
      try bench.cluster.psql("UPDATE _prisma_migrations SET finished_at = NULL", database: bench.database)
      let runs = try bench.race([["resolve", "1", "--applied"], ["resolve", "1", "--rolled-back"]])
      #expect(runs.map(\.exit) == [0, 0])
      let rows = try #require(try bench.cluster.historyRows(bench.database))
      #expect(rows.filter { $0.name == "1" }.map(\.isRolledBack) == [true, false])
      #expect(rows.filter(\.isApplied).map(\.name) == ["1"])
    }
  }

  @Test func `of several baselines at once one records, the others see that`() throws {
    try withMigrations { bench, _ in
      let runs = try bench.race(Array(repeating: ["baseline", "--all"], count: 3))
      #expect(runs.map(\.exit).sorted() == [0, 1, 1])
      #expect(runs.compactMap { $0.json.string("error", "code") } == ["already_managed", "already_managed"])
      #expect(try bench.cluster.historyRows(bench.database)?.map(\.name) == ["1", "2"])
    }
  }

  @Test func `a lock that stays held ends resolve with 75 and the holder's name, and nothing is changed`() throws {
    try withMigrations { bench, _ in
      let holder = try bench.session(purpose: "migration")
      let pid = try holder.query("SELECT pg_backend_pid(), pg_advisory_lock(72707369)").first?.first ?? nil
      let run = try bench.holdfast("resolve", "1", "--applied", "--json")
      #expect(run.exit == 75)
      #expect(run.json.string("error", "code") == "locked")
      #expect(run.json.string("error", "why")?.contains("pid \(try #require(pid)) (holdfast migration)") == true)
      #expect(try bench.cluster.historyRows(bench.database) == nil)
    }
  }

  // MARK: Reading

  @Test func `stored logs are shown without what a terminal would obey`() throws {
    try withMigrations { bench, _ in
      #expect(try bench.holdfast("baseline", "--all").exit == 0)
      let logs = "E'ERROR: \\x1b[1;31mbad\\x1b[0m \\x1b]0;title\\x07end\\r\\n\\r\\n  second line\\r\\n'"
      let failed = "UPDATE _prisma_migrations SET finished_at = NULL, logs = \(logs) WHERE migration_name = '2'"
      let evil = "UPDATE _prisma_migrations SET migration_name = E'\\x1b[2Jx' WHERE migration_name = '1'"
      try bench.cluster.psql("\(failed); \(evil)", database: bench.database)
      let run = try bench.holdfast("migrations")
      #expect(run.exit == 2)
      #expect(run.stdout.contains("failed"))
      #expect(run.stdout.contains("second line\n"))
      #expect(run.stdout.contains("ERROR: bad"))
      #expect(run.stdout.contains("missing     \\u{1b}[2Jx\n"))
      #expect(!run.stdout.unicodeScalars.contains { $0.properties.generalCategory == .control && $0 != "\n" })
    }
  }

  @Test func `a folder without a script is told before a deploy stumbles over it`() throws {
    try withMigrations { bench, folder in
      try folder.write(["2/migration.sql": nil, "2/notes.txt": ""])
      let list = try bench.holdfast("migrations")
      #expect(list.exit == 2 && list.stdout.contains("pending     2: it has no migration.sql\n"), "\(list.stdout)")
      #expect(list.stdout.contains("next: restore the file migration.sql, or delete the folder 2\n"), "\(list.stdout)")
      let check = try bench.holdfast("check").stdout
      #expect(check.contains("! migration 2 has no migration.sql; holdfast deploy will refuse"), "\(check)")
      #expect(try bench.holdfast("deploy", "--json").json.string("error", "code") == "P3015")
    }
  }
}
