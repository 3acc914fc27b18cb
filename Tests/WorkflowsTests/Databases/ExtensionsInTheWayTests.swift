import Foundation
import TestSupport
import Testing

/// Extensions that can live in one database only, or whose event triggers forbid what a restore does.
@Suite struct ExtensionsInTheWayTests {
  private static let cluster = Result {
    try TestCluster(extensions: [
      // As a scheduler whose worker reads one database.
      ExtraExtension(
        "one_database",
        script: """
          DO $$ BEGIN
            IF pg_catalog.current_database() ~ '__' THEN
              RAISE EXCEPTION 'can only create extension in database app' USING HINT = 'jobs are read from there';
            END IF;
          END $$;
          CREATE TABLE @extschema@.jobs (id int);
          """),
      ExtraExtension(
        "guarding",
        script: """
          CREATE FUNCTION @extschema@.guard() RETURNS event_trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION '% is forbidden here', tg_tag; END $$;
          CREATE EVENT TRIGGER guarding ON ddl_command_end
            WHEN TAG IN ('CREATE TABLE', 'CREATE INDEX', 'ALTER TABLE') EXECUTE FUNCTION @extschema@.guard();
          """),
    ])
  }

  @Test func `a deploy is refused when no other database could have its extension`() throws {
    try DeployBench.with(cluster: try Self.cluster.get()) { deploy in
      try deploy.migration("20250101000000_second", "CREATE TABLE second (id int);")
      #expect(try deploy.run("check", "--deep", "--json").exit == 0)
      try deploy.cluster.psql("CREATE EXTENSION one_database", database: deploy.database)

      let refused = try deploy.run("deploy", "--json")
      #expect(refused.exit == 78, "\(refused.stdout)\(refused.stderr)")
      #expect(refused.json.string("error", "code") == "no_way_back")
      #expect(refused.stdout.contains("can only create extension in database app"))
      #expect(refused.json.string("error", "next_step")?.contains("standby_copy: cloned") == true, "\(refused.stdout)")
      #expect(try deploy.databases() == [deploy.database])
      #expect(try deploy.run("check", "--deep").exit == 2)
      #expect(try deploy.cluster.psql("SELECT to_regclass('second') IS NULL", database: deploy.database) == "t")
    }
  }

  @Test func `with a copy of the database it is deployed, and rolled back by that copy`() throws {
    try DeployBench.with(cluster: try Self.cluster.get(), settings: ["standby_copy: cloned"]) { deploy in
      try deploy.cluster.psql("CREATE EXTENSION one_database", database: deploy.database)
      try deploy.migration("20250101000000_second", "CREATE TABLE second (id int);")
      let done = try deploy.run("deploy")
      #expect(done.exit == 0 && done.stderr.contains("the copy of the database is the only way back"), "\(done.stderr)")
      let back = try deploy.confirmed("rollback")
      #expect(back.exit == 0, "\(back.stderr)")
      #expect(
        try deploy.cluster.psql(
          "SELECT to_regclass('second') IS NULL AND to_regclass('jobs') IS NOT NULL", database: deploy.database) == "t")
    }
  }

  @Test(arguments: ["directory", "custom", "plain"])
  func `event triggers of an extension keep no format from being restored`(format: String) throws {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 2); CREATE INDEX ON t (n);"
    try Workbench.with(cluster: try Self.cluster.get(), sql: sql, policy: "backup: {format: \(format), globals: false}")
    {
      bench in
      try bench.cluster.psql("CREATE EXTENSION guarding", database: bench.database)
      #expect(throws: (any Error).self) { try bench.cluster.psql("CREATE TABLE u ()", database: bench.database) }
      let copy = bench.newDatabaseName()
      let run = try bench.holdfast("restore", try bench.backUp(), "--into", copy)
      #expect(run.exit == 0 && run.stdout.contains("Verified: identical to the backup"), "\(run.stdout)\(run.stderr)")
      #expect(try bench.differences(copy) == "")
    }
  }
}
