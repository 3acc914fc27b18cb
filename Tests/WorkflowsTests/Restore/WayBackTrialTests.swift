import Foundation
import TestSupport
import Testing

/// The way back is tried before it is needed; what would fail in a rollback refuses the deploy.
@Suite struct WayBackTrialTests {
  /// What an owner who is no superuser cannot make again, made by a superuser in the owner's database.
  private static let unrestorable: [(sql: String, named: String)] = [
    ("CREATE EXTENSION pg_stat_statements", "pg_stat_statements"),
    ("CREATE PUBLICATION everything FOR ALL TABLES", "everything"),
    (
      "CREATE FUNCTION internal_one(text) RETURNS text LANGUAGE internal IMMUTABLE AS 'upper'; "
        + "ALTER FUNCTION internal_one(text) OWNER TO ROLE_", "internal_one"
    ),
    (
      "CREATE FUNCTION leak(int) RETURNS int LANGUAGE sql LEAKPROOF IMMUTABLE AS 'SELECT 1'; ALTER FUNCTION leak(int) OWNER TO ROLE_",
      "leak"
    ),
    (
      "CREATE FUNCTION quiet() RETURNS int LANGUAGE sql SET log_min_messages = 'panic' AS 'SELECT 1'; ALTER FUNCTION quiet() OWNER TO ROLE_",
      "quiet"
    ),
    ("SELECT lo_create(4711); GRANT SELECT ON LARGE OBJECT 4711 TO ROLE_", "LARGE OBJECT"),
    ("ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT SELECT ON TABLES TO PUBLIC", "DEFAULT PRIVILEGES"),
    ("ALTER DATABASE \"DATABASE_\" SET log_min_messages = 'warning'", "log_min_messages"),
    (
      "CREATE SCHEMA elsewhere CREATE TABLE of_another (a int); GRANT USAGE ON SCHEMA elsewhere TO ROLE_; "
        + "GRANT SELECT ON elsewhere.of_another TO ROLE_", "elsewhere"
    ),
    ("GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_waldir() TO ROLE_", "pg_ls_waldir"),
    (
      "CREATE FOREIGN DATA WRAPPER f; CREATE SERVER remote FOREIGN DATA WRAPPER f; GRANT USAGE ON FOREIGN SERVER remote TO ROLE_",
      "FOREIGN DATA WRAPPER"
    ),
  ]

  /// As pg_dump 18 writes the NOT NULL of a child table for a server that cannot read it.
  @Test(arguments: [false, true])
  func `what only a newer pg_dump writes is told to need the server's own programs`(isNewer: Bool) throws {
    try Workbench.with(sql: "CREATE TABLE t (a int)") { bench in
      let tools = try FakeTools(on: bench)
      let spoil =
        "\"$real\" \"$@\" | sed 's/^CREATE TABLE public.t (/CREATE TABLE public.t ( CONSTRAINT n NOT NULL a,/'"
      for tool in ["pg_dump", "pg_restore", "pg_dumpall"] {
        try tools.replace(
          tool, version: isNewer ? "99.1" : nil, by: tool == "pg_dump" ? spoil : "exec \"$real\" \"$@\"")
      }
      try bench.writePolicy(more: tools.policy)
      let check = try bench.holdfast("check", "--deep", "--json")
      #expect(check.exit == 2 && check.stdout.contains("a rollback of this schema would fail"), "\(check.stdout)")
      #expect(check.stdout.contains("the programs of the server's own major") == isNewer, "\(check.stdout)")
    }
  }

  @Test(arguments: unrestorable.indices) func `a deploy whose rollback would fail is refused`(index: Int) throws {
    let (sql, named) = Self.unrestorable[index]
    try withOwner("way_\(index)") { bench, owner in
      #expect(try bench.holdfast("check", "--deep", "--json").exit == 0)
      let made = sql.replacing("ROLE_", with: owner).replacing("DATABASE_", with: bench.database)
      for statement in made.split(separator: "; ") {
        try bench.cluster.psql(String(statement), database: bench.database)
      }
      let deploy = try bench.holdfast("deploy", "--json")
      #expect(deploy.exit == 77, "\(deploy.stdout)\(deploy.stderr)")
      #expect(deploy.json.string("error", "code") == "no_way_back")
      #expect(deploy.stdout.contains(named), "\(deploy.stdout)")
      try nothingDone(bench)
      let check = try bench.holdfast("check", "--deep", "--json")
      #expect(check.exit == 2)
      #expect(check.stdout.contains(named), "\(check.stdout)")
    }
  }

  @Test func `a role that cannot read everything is told so before the way back is tried`() throws {
    try withOwner("way_reader") { bench, _ in
      try bench.cluster.psql("CREATE SCHEMA elsewhere CREATE TABLE unread (a int)", database: bench.database)
      let deploy = try bench.holdfast("deploy", "--json")
      #expect(deploy.exit == 77, "\(deploy.stdout)\(deploy.stderr)")
      #expect(deploy.json.string("error", "code") == "missing_privileges")
      #expect(deploy.stdout.contains("elsewhere"), "\(deploy.stdout)")
      try nothingDone(bench)
    }
  }

  @Test func `what a rollback changes in extensions is told, and refuses nothing`() throws {
    try withOwner("way_extension") { bench, owner in
      for statement in [
        "CREATE EXTENSION pg_trgm VERSION '1.3'", "CREATE EXTENSION hstore",
        "CREATE SCHEMA more AUTHORIZATION \(owner)",
        "CREATE FUNCTION more.added() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER EXTENSION hstore ADD FUNCTION more.added()",
      ] { try bench.cluster.psql(statement, database: bench.database) }
      let deploy = try bench.holdfast("deploy")
      #expect(deploy.exit == 0, "\(deploy.stderr)")
      #expect(deploy.stderr.contains("extension \"pg_trgm\": version 1."), "\(deploy.stderr)")
      #expect(deploy.stderr.contains("function more.added(): it was added to extension \"hstore\""), "\(deploy.stderr)")
      let restore = try bench.holdfast("restore", "latest", "--into", bench.newDatabaseName())
      #expect(restore.exit == 0 && restore.stderr.contains("it was 1.3"), "\(restore.stderr)")
    }
  }

  @Test func `a table that somebody keeps locked is named`() throws {
    try withOwner("way_locked") { bench, owner in
      try bench.cluster.psql("CREATE SCHEMA s CREATE TABLE busy (a int)", database: bench.database, user: owner)
      try bench.cluster.holding("LOCK TABLE s.busy", database: bench.database) {
        let deploy = try bench.holdfast("deploy", "--json")
        #expect(deploy.exit == 1 && deploy.json.string("error", "code") == "table_locked", "\(deploy.stdout)")
        #expect(deploy.stdout.contains("s.busy"), "\(deploy.stdout)")
      }
      try nothingDone(bench)
    }
  }

  @Test func `a database that nobody may connect to by the new name is found`() throws {
    let cluster = try TestCluster()
    defer { cluster.stop() }
    try withOwner("hba_owner", cluster) { bench, owner in
      let access = """
        local all all trust
        host \(bench.database) \(owner) 127.0.0.1/32 trust
        host postgres \(owner) 127.0.0.1/32 trust

        """
      try Data(access.utf8).write(to: URL(fileURLWithPath: "\(cluster.folder)/d/pg_hba.conf"))
      try cluster.psql("SELECT pg_reload_conf()")
      let deploy = try bench.holdfast("deploy", "--json")
      #expect(deploy.exit == 78 || deploy.exit == 77, "\(deploy.stdout)\(deploy.stderr)")
      #expect(deploy.json.string("error", "code") == "no_way_back")
      try nothingDone(bench)
    }
  }

  @Test func `status says ready only for what was tried`() throws {
    try withOwner("status_owner") { bench, _ in
      #expect(try bench.holdfast("deploy").exit == 0)
      var status = try bench.holdfast("status", "--json")
      #expect(status.json.string("rollback", "proven_by") == "schema", "\(status.stdout)")
      #expect(try bench.holdfast("status").stdout.contains("ready: about"))
      // A snapshot of a version that tried nothing.
      let snapshot = try #require(status.json.string("deploys", 0, "snapshot"))
      try BackupFiles(bench: bench, id: snapshot).reseal { $0.wayBack = nil }
      let text = try bench.holdfast("status").stdout
      #expect(text.contains("not yet tried: about") && !text.contains("ready"), "\(text)")
      #expect(try bench.holdfast("status", "--json").json.value(["rollback", "proven_by"]) is NSNull)
      // A restore of it proves the most.
      try bench.restore(snapshot, into: bench.newDatabaseName())
      status = try bench.holdfast("status", "--json")
      #expect(status.json.string("rollback", "proven_by") == "restore", "\(status.stdout)")
      #expect(try bench.holdfast("status").stdout.contains("ready: "))
    }
  }

  @Test func `a schema that changes between the trial and the snapshot is tried again`() throws {
    try withOwner("race_owner") { bench, owner in
      let other = try SteppedRun(
        ProgramRun.command(["snapshot", "--policies", bench.policies]), at: "try the way back", notesIn: bench.folder)
      _ = try #require(try other.reach())
      try bench.cluster.psql("CREATE TABLE meanwhile (a int)", database: bench.database, user: owner)
      #expect(try other.end().code == 0)
      let list = try bench.holdfast("list", "--json")
      let id = try #require(list.json.string("backups", 0, "id"))
      let manifest = JSONDocument(try String(contentsOfFile: "\(bench.path(of: id))/manifest.json", encoding: .utf8))
      #expect(manifest.value(["way_back", "at"]) != nil)
    }
  }

  // MARK: The bench

  @Test(arguments: ["directory", "custom", "plain"])
  func `a table goes back to an owner who may create there by a grant alone`(format: String) throws {
    try withOwner("of_member_\(format)") { bench, owner in
      let group = "\(owner)_group"
      try bench.cluster.psql("DROP ROLE IF EXISTS \(group)")
      try bench.cluster.psql("CREATE ROLE \(group); GRANT \(group) TO \(owner)")
      defer {
        _ = try? bench.cluster.psql("DROP DATABASE \"\(bench.database)\" WITH (FORCE)")
        _ = try? bench.cluster.psql("DROP ROLE \(group)")
      }
      try bench.cluster.psql(
        """
        GRANT CREATE ON SCHEMA public TO \(group);
        CREATE TABLE of_group (id int PRIMARY KEY); INSERT INTO of_group VALUES (1); ALTER TABLE of_group OWNER TO \(group);
        CREATE FUNCTION answer() RETURNS int LANGUAGE sql AS 'SELECT 42'; ALTER FUNCTION answer() OWNER TO \(group);
        REVOKE EXECUTE ON FUNCTION answer() FROM PUBLIC; GRANT EXECUTE ON FUNCTION answer() TO \(group)
        """, database: bench.database)
      try bench.writePolicy(
        url: bench.cluster.url(bench.database, user: owner),
        more: "backup: {globals: false, format: \(format)}\nmigrations: {directory: ../migrations}")
      #expect(try bench.holdfast("baseline", "--all").exit == 0)
      let second = "\(bench.folder)/migrations/20250102000000_second"
      try FileManager.default.createDirectory(atPath: second, withIntermediateDirectories: true)
      try Data("CREATE TABLE second (id int)".utf8).write(to: URL(fileURLWithPath: "\(second)/migration.sql"))
      let deploy = try bench.holdfast("deploy", "--json")
      #expect(deploy.exit == 0, "\(deploy.stdout)\(deploy.stderr)")
      let back = try bench.holdfast("rollback", "--confirm", bench.database)
      #expect(back.exit == 0, "\(back.stderr)")
      let owners = try bench.cluster.psql(
        "SELECT relname, pg_get_userbyid(relowner) FROM pg_class WHERE relname IN ('of_group', 'second')",
        database: bench.database)
      #expect(owners == "of_group|\(group)")
    }
  }

  @Test func `how the database's sessions spell names makes no difference`() throws {
    try withOwner("quoting") { bench, _ in
      try bench.cluster.psql("CREATE EXTENSION hstore", database: bench.database)
      try bench.cluster.psql("ALTER DATABASE \(bench.database) SET quote_all_identifiers = on")
      let check = try bench.holdfast("check", "--deep")
      #expect(check.exit == 0 && !check.stdout.contains("after a rollback"), "\(check.stdout)")
      #expect(!check.stderr.contains("after a rollback"), "\(check.stderr)")
    }
  }

  @Test func `who keeps a database from being copied is named`() throws {
    try withOwner("copying") { bench, owner in
      try bench.writePolicy(
        url: bench.cluster.url(bench.database, user: owner),
        more: "backup: {globals: false}\nmigrations: {directory: ../migrations, standby_copy: cloned}")
      // A superuser's session, which this role may not end.
      try bench.cluster.holding("SELECT 1", database: bench.database) {
        let refused = try bench.holdfast("deploy", "--json")
        #expect(refused.exit == 1 && refused.json.string("error", "code") == "clone_failed", "\(refused.stdout)")
        #expect(refused.stdout.contains(/other-[0-9]+ of postgres, pid [0-9]+/), "\(refused.stdout)")
      }
      try nothingDone(bench)
      #expect(try bench.holdfast("deploy").exit == 0)
    }
  }

  private func withOwner(
    _ owner: String, _ cluster: TestCluster = .shared, _ body: (Workbench, _ owner: String) throws -> Void
  ) throws {
    try Workbench.with(cluster: cluster) { bench in
      try cluster.psql("DROP ROLE IF EXISTS \(owner)")
      try cluster.psql("CREATE ROLE \(owner) LOGIN CREATEDB")
      try cluster.psql("ALTER DATABASE \(bench.database) OWNER TO \(owner)")
      defer {
        for name in (try? cluster.databases().filter { $0.hasPrefix(bench.database) }) ?? [] {
          _ = try? cluster.psql("DROP DATABASE \"\(name)\" WITH (FORCE)")
        }
        _ = try? cluster.psql("DROP ROLE IF EXISTS \(owner)")
      }
      let folder = "\(bench.folder)/migrations/20250101000000_first"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try Data("CREATE TABLE first (id int PRIMARY KEY)".utf8).write(
        to: URL(fileURLWithPath: "\(folder)/migration.sql"))
      try Data("provider = \"postgresql\"\n".utf8)
        .write(to: URL(fileURLWithPath: "\(bench.folder)/migrations/migration_lock.toml"))
      try bench.writePolicy(
        url: cluster.url(bench.database, user: owner),
        more: "backup: {globals: false}\nmigrations: {directory: ../migrations}")
      try body(bench, owner)
    }
  }

  private func nothingDone(_ bench: Workbench) throws {
    #expect(try bench.cluster.databases().filter { $0.hasPrefix(bench.database) } == [bench.database])
    #expect(try bench.cluster.psql("SELECT to_regclass('first') IS NULL", database: bench.database) == "t")
  }
}
