import BackupModel
import Foundation
import TestSupport
import Testing

/// A migration can do anything to its database: a rollback leads out of it.
@Suite struct RollbackWayOutTests {
  private static let name = "20240201000000_a"

  @Test(arguments: [
    "ALTER DATABASE DATABASE_ SET session_preload_libraries = 'nope'",
    "ALTER DATABASE DATABASE_ SET role = 'pg_monitor'",
    "ALTER DATABASE DATABASE_ SET statement_timeout = '1ms'", "ALTER DATABASE DATABASE_ ALLOW_CONNECTIONS false",
    "ALTER DATABASE DATABASE_ SET default_transaction_read_only = on",
  ])
  func `out of a database that is hard to be in, or that lets nobody in`(change: String) throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE t (a int);")
      try bench.maintain(change.replacingOccurrences(of: "DATABASE_", with: bench.database))
      let plan = try bench.run("rollback", "--plan", "--json")
      #expect(plan.exit == 0, "\(plan.stdout)")
      let run = try bench.confirmed("rollback")
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      #expect(run.json.array("undoes") as? [String] == [Self.name])
      #expect(try bench.psql("SELECT to_regclass('t') IS NULL") == "t")
      try bench.expectNothingLeft()
    }
  }

  @Test(arguments: [
    "ALTER TABLE _prisma_migrations DROP COLUMN logs", "ALTER TABLE _prisma_migrations RENAME started_at TO began",
    "ALTER TABLE _prisma_migrations ALTER started_at TYPE timestamp",
    "ALTER TABLE _prisma_migrations ALTER started_at DROP NOT NULL; UPDATE _prisma_migrations SET started_at = NULL",
  ])
  func `out of a history that nobody can read`(change: String) throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE t (a int);")
      try bench.psql(change)
      #expect(try bench.run("migrations").exit != 70)
      let run = try bench.confirmed("rollback")
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      #expect(try bench.psql("SELECT to_regclass('t') IS NULL") == "t")
      try bench.deploy(Self.name, "CREATE TABLE t (b int);")
      try bench.expectNothingLeft()
    }
  }

  @Test func `a role that the migration has dropped is missed before anything is restored`() throws {
    try DeployBench.with { bench in
      let role = "reader_\(bench.database)"
      try bench.psql("CREATE ROLE \(role); GRANT SELECT ON orders TO \(role)")
      try bench.deploy(Self.name, "DROP OWNED BY \(role); DROP ROLE \(role);")
      for arguments in [["rollback", "--plan", "--json"], ["rollback", "--json", "--confirm", bench.database]] {
        let run = try ProgramRun(running: bench.command(arguments))
        #expect(run.exit == 69)
        #expect(run.json.string("error", "code") == "restore_needs", "\(run.stdout)")
        #expect(run.json.string("error", "why") != nil && run.stdout.contains(role))
      }
      try bench.psql("CREATE ROLE \(role)")
      #expect(try bench.confirmed("rollback").exit == 0)
      try bench.psql("DROP OWNED BY \(role)")
      bench.dropCopies()
      try bench.maintain("DROP ROLE \(role)")
    }
  }

  @Test(arguments: [
    (
      "CREATE TABLE kept_by_other (a int); ALTER TABLE kept_by_other OWNER TO OTHER_; "
        + "GRANT SELECT ON kept_by_other TO OWNER_",
      "ALTER TABLE kept_by_other OWNER TO OWNER_"
    ),
    ("CREATE TYPE mood AS ENUM ('a')", "ALTER TYPE mood OWNER TO OWNER_"),
    (
      "ALTER ROLE OTHER_ IN DATABASE DATABASE_ SET statement_timeout = '5s'",
      "ALTER ROLE OTHER_ IN DATABASE DATABASE_ RESET ALL"
    ),
  ])
  func `a deploy is refused to a role that could not bring back what is another's`(sql: String, mend: String) throws {
    try DeployBench.with { bench in
      let (owner, other) = ("owner_\(bench.database)", "other_\(bench.database)")
      func run(_ sql: String) throws {
        let filled = sql.replacing("OTHER_", with: other).replacing("OWNER_", with: owner).replacing(
          "DATABASE_", with: bench.database)
        for statement in filled.split(separator: "; ") { try bench.psql(String(statement)) }
      }
      try run("CREATE ROLE OWNER_ LOGIN CREATEDB; CREATE ROLE OTHER_; ALTER DATABASE DATABASE_ OWNER TO OWNER_")
      defer {
        bench.dropCopies()
        _ = try? run(
          "ALTER DATABASE DATABASE_ OWNER TO postgres; DROP OWNED BY OWNER_, OTHER_; DROP ROLE OWNER_, OTHER_")
      }
      for table in ["customers", "orders", "busy", "_prisma_migrations"] {
        try run("ALTER TABLE \(table) OWNER TO OWNER_")
      }
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: owner))
      try run(sql)
      try bench.migration(Self.name, "CREATE TABLE t (a int);")
      let refused = try bench.run("deploy", "--json")
      #expect(refused.exit == 77, "\(refused.stdout)")
      #expect(refused.json.string("error", "code") == "no_way_back")
      let details = refused.json.array("error", "details") as? [String] ?? []
      #expect(details.contains { $0.contains("lacks a privilege to restore") }, "\(details)")
      #expect(try bench.run("check").stdout.contains("seems to lack a privilege to restore"))
      try run(mend)
      let deploy = try bench.run("deploy", "--json")
      #expect(deploy.exit == 0, "\(deploy.stdout)")
      let back = try bench.confirmed("rollback")
      #expect(back.exit == 0, "\(back.stdout)")
    }
  }

  @Test func `a failed script that left nothing is resolved beside a materialized view`() throws {
    try DeployBench.with { bench in
      try bench.psql("CREATE MATERIALIZED VIEW counts AS SELECT count(*) FROM orders")
      try bench.migration(Self.name, "CREATE TABLE t (a int); SELECT 1 / 0;")
      #expect(try bench.run("deploy").exit == 1)
      #expect(try bench.confirmed("rollback").json.string("mode") == "resolve-only")
    }
  }

  @Test func `a script that takes its own row from the history has failed`() throws {
    try DeployBench.with { bench in
      try bench.migration(
        Self.name, "CREATE TABLE t (a int); DELETE FROM _prisma_migrations WHERE migration_name ~ '_a$';")
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 1)
      #expect(run.json.string("error", "code") == "history_lost", "\(run.stdout)")
      #expect(run.json.string("failed") == Self.name)
      #expect(try bench.confirmed("rollback").exit == 0)
      #expect(try bench.psql("SELECT to_regclass('t') IS NULL") == "t")
    }
  }

  @Test(arguments: [false, true]) func `a deploy is resumed with the scripts that it began with, or not`(
    isRemoved: Bool
  ) throws {
    try DeployBench.with { bench in
      try bench.writeCrashMigrations()
      try bench.stand("deploy", at: CrashPoint(lines: 2, isWritten: false)).kill()
      let folder = "\(bench.migrations)/\(DeployBench.crashed[1])"
      let script = try String(contentsOfFile: "\(folder)/migration.sql", encoding: .utf8)
      if isRemoved {
        try FileManager.default.removeItem(atPath: folder)
      } else {
        try bench.migration(DeployBench.crashed[1], "SELECT 1;")
      }
      let run = try bench.run("resume", "--json")
      #expect(run.exit == 1)
      #expect(run.json.string("error", "code") == "migration_changed", "\(run.stdout)")
      #expect(try bench.seen() == .before)
      try bench.migration(DeployBench.crashed[1], script)
      #expect(try bench.run("resume").exit == 0)
      #expect(try bench.seen() == .after)
    }
  }

  @Test func `out of a history that a session keeps locked`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE t (a int);")
      try bench.cluster.holding("LOCK TABLE _prisma_migrations", database: bench.database) {
        #expect(try bench.run("migrations", "--json").json.string("error", "code") == "history_locked")
        let status = try bench.run("status").stdout
        #expect(status.contains("\"_prisma_migrations\" locked"), "\(status)")
        let run = try bench.confirmed("rollback")
        #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      }
      #expect(try bench.psql("SELECT to_regclass('t') IS NULL") == "t")
    }
  }

  @Test func `what is lost with a database that is gone is not told to be nothing`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE t (a int);")
      try bench.maintain("DROP DATABASE \(bench.database)")
      let plan = try bench.run("rollback", "--plan", "--json").json
      #expect(plan.flag("lost_writes_complete") == false)
      #expect(try bench.run("rollback", "--plan").stdout.contains("it cannot be told"))
      #expect(try bench.confirmed("rollback").exit == 0)
    }
  }

  @Test func `a failed migration that was applied by another program since is not only resolved`() throws {
    try DeployBench.with { bench in
      try bench.migration(Self.name, "INSERT INTO orders (id, note) VALUES (9000, 'x'); SELECT 1/0;")
      #expect(try bench.run("deploy").exit == 1)
      #expect(try bench.run("resolve", Self.name, "--applied").exit == 0)
      try bench.psql("UPDATE orders SET note = 'by hand' WHERE id = 1")
      let run = try bench.confirmed("rollback")
      #expect(run.json.string("mode") == "restore", "\(run.stdout)")
      #expect(try bench.psql("SELECT count(*) FROM orders WHERE note = 'by hand'") == "0")
    }
  }
}
