import Foundation
import TestSupport
import Testing

/// `trust_owner: false`: what owners of tables made never has more rights than they have, also when their rows are restored by a superuser.
@Suite struct UntrustedOwnerTests {
  /// What is called while rows are loaded. It says in the server's log as whom it runs, after it has tried to be somebody else, and leaves a
  /// cursor that would be read at the commit.
  private static let traps = """
    CREATE FUNCTION say(what text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
      RAISE LOG 'trap % runs as <%> of <%>', what, current_user, session_user; RETURN true; END $$;
    CREATE FUNCTION trap(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
      PERFORM public.say(what);
      BEGIN EXECUTE 'RESET ROLE'; PERFORM public.say(what); EXCEPTION WHEN OTHERS THEN NULL; END;
      BEGIN PERFORM pg_catalog.set_config('session_authorization', 'postgres', false); PERFORM public.say(what);
        EXCEPTION WHEN OTHERS THEN NULL; END;
      BEGIN EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT public.say(''cursor'')'; EXCEPTION WHEN OTHERS THEN NULL; END;
      RETURN true; END $$;
    CREATE DOMAIN few AS int CHECK (trap('domain'));
    CREATE TABLE t (a int CHECK (trap('check')), d few); INSERT INTO t (a, d) VALUES (1, 1), (2, 2);
    CREATE VIEW v AS SELECT trap('constant') AS x; CREATE MATERIALIZED VIEW m AS SELECT trap('view');
    CREATE INDEX ON t ((a + 1)); CREATE FUNCTION on_t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    CREATE TRIGGER fires BEFORE INSERT ON t FOR EACH ROW WHEN (trap('trigger')) EXECUTE FUNCTION on_t();
    """

  private func withTenant(
    _ format: String, _ more: String, _ body: (_ deploy: DeployBench, _ sightings: () throws -> [String]) throws -> Void
  ) throws {
    let cluster = try TestCluster(settings: [
      "logging_collector=on", "log_directory=log", "log_filename=server.log", "log_statement=none",
    ])
    defer { cluster.stop() }
    try cluster.psql("CREATE ROLE tenant LOGIN")
    try DeployBench.with(cluster: cluster, sql: "") { deploy in
      try cluster.psql("ALTER DATABASE \(deploy.database) OWNER TO tenant")
      try cluster.psql("ALTER SCHEMA public OWNER TO tenant", database: deploy.database)
      try cluster.psql("CREATE TABLE of_postgres AS SELECT 1 AS a", database: deploy.database)
      try cluster.psql(Self.traps, database: deploy.database, user: "tenant")
      try deploy.writePolicy(
        url: cluster.url(deploy.database, user: "postgres"), more: "\(more)\nbackup: {format: \(format)}")
      #expect(try deploy.run("backup", "--create-repository").exit == 0)
      let log = "\(cluster.folder)/d/log/server.log"
      let before = try String(contentsOfFile: log, encoding: .utf8).utf8.count
      try body(deploy) {
        let text = String(try String(contentsOfFile: log, encoding: .utf8).utf8.dropFirst(before)) ?? ""
        // The function's own text is in the log, too.
        return text.matches(of: /trap (\w+) runs as <([^>%]+)> of <([^>%]+)>/).map { "\($0.1) \($0.2) \($0.3)" }
      }
    }
  }

  @Test(arguments: ["directory", "custom", "plain"])
  func `rows are restored with their owner's rights alone`(format: String) throws {
    try withTenant(format, "trust_owner: false") { deploy, sightings in
      let copy = "\(deploy.database)_copy"
      let run = try deploy.run("restore", "latest", "--into", copy, "--accept-old-client", "--json")
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      #expect(try deploy.psql("SELECT count(*) FROM t", database: copy) == "2")
      let seen = try sightings()
      for what in ["check", "domain"] {
        #expect(seen.contains { $0.hasPrefix("\(what) tenant holdfast_load_") }, "\(what) ran: \(Set(seen))")
      }
      // The server itself fences materialized views; a role of the restore has no rights but its owner's.
      for sighting in Set(seen) {
        let words = sighting.split(separator: " ")
        #expect(words[1] == "tenant" || words[1].hasPrefix("holdfast_load_"), "\(sighting)")
      }
      #expect(try deploy.psql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'holdfast%'") == "0")
      #expect(try deploy.psql("SELECT has_database_privilege('public', '\(copy)', 'CONNECT')") == "t")
    }
  }

  @Test func `a standby copy and a rollback are fenced, too`() throws {
    try withTenant("directory", "trust_owner: false") { deploy, sightings in
      try deploy.migration("20240201000000_more", "CREATE TABLE public.more (a int)")
      #expect(try deploy.run("deploy", "--accept-old-client").exit == 0)
      let before = Set(try sightings())
      #expect(before.allSatisfy { $0.contains(" tenant ") || $0.contains(" holdfast_load_") }, "\(before)")
      let rollback = try deploy.run(
        "rollback", "--confirm", deploy.database, "--accept-old-client", "--accept-schema-text")
      #expect(rollback.exit == 0, "\(rollback.stdout)\(rollback.stderr)")
      let seen = Set(try sightings())
      #expect(seen.contains { $0.hasPrefix("check tenant") }, "\(seen)")
      #expect(
        seen.allSatisfy { $0.split(separator: " ")[1] != "postgres" }, "\(seen)")
    }
  }

  @Test func `an owner whom no login can stand for is refused, and nothing is left`() throws {
    try withTenant("directory", "trust_owner: false") { deploy, sightings in
      try deploy.psql("CREATE TABLE everybodys (a int CHECK (public.trap('check'))); INSERT INTO everybodys VALUES (1)")
      try deploy.psql("ALTER TABLE everybodys OWNER TO pg_database_owner")
      #expect(try deploy.run("backup").exit == 0)
      let before = try sightings().count
      let run = try deploy.run(
        "restore", "latest", "--into", "\(deploy.database)_copy", "--accept-old-client", "--json")
      #expect(run.exit == 77, "\(run.stdout)")
      #expect(run.stdout.contains("owner_not_fenced"), "\(run.stdout)")
      #expect(try sightings().dropFirst(before).allSatisfy { !$0.contains(" postgres ") })
      #expect(try deploy.psql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'holdfast%'") == "0")
      #expect(try deploy.psql("SELECT count(*) FROM pg_database WHERE datname LIKE '%\\_copy'") == "0")
    }
  }

  /// The server works out what is constant in them as whoever defines them.
  @Test(arguments: [
    "CREATE INDEX ON t (trap('index'))", "CREATE INDEX ON t (a) WHERE trap('predicate')",
    "ALTER TABLE t ADD g boolean GENERATED ALWAYS AS (trap('generated')) STORED",
    "CREATE TABLE p (a text) PARTITION BY LIST (trap(a))", "CREATE STATISTICS s ON trap('statistics'), a FROM t",
    """
    CREATE FUNCTION plus(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM public.trap(''sum''); RETURN 1; END';
    CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = plus); CREATE INDEX ON t ((1 ### 1))
    """,
  ])
  func `definitions that call an owner's functions are refused before they are run`(sql: String) throws {
    try withTenant("directory", "trust_owner: false") { deploy, sightings in
      try deploy.cluster.psql(sql, database: deploy.database, user: "tenant")
      #expect(try deploy.run("backup").exit == 0)
      for command in [["restore", "latest", "--into", "\(deploy.database)_copy"], ["deploy"]] {
        if command == ["deploy"] { try deploy.migration("20240201000000_more", "CREATE TABLE public.more (a int)") }
        let run = try ProgramRun(
          running: deploy.command(command + ["--accept-old-client", "--json"]), within: 120)
        #expect(run.exit == 77, "\(command): \(run.stdout)")
        #expect(run.stdout.contains("trust_owner is false"), "\(run.stdout)")
      }
      let seen = Set(try sightings())
      #expect(seen.allSatisfy { !$0.contains(" postgres ") }, "\(seen)")
    }
  }

  @Test func `check tells what runs with whose rights`() throws {
    try withTenant("directory", "") { deploy, sightings in
      let trusting = try deploy.run("check")
      #expect(trusting.stdout.contains("with the rights of superuser postgres"), "\(trusting.stdout)")
      let restore = try deploy.run("restore", "latest", "--into", "\(deploy.database)_copy")
      #expect(restore.exit == 0)
      #expect(try sightings().contains { $0.contains(" postgres ") }, "it is as check says")
      try deploy.writePolicy(
        url: deploy.cluster.url(deploy.database, user: "postgres"), more: "trust_owner: false")
      #expect(try deploy.run("check").stdout.contains("by logins without a superuser's rights"))
    }
  }
}
