import Foundation
import TestSupport
import Testing

/// `trust_owner: false`: what owners of tables made never has more rights than they have, also when their rows are restored by a superuser.
@Suite struct UntrustedOwnerTests {
  /// Checks that hold for their owner alone.
  private static let checks = """
    CREATE DOMAIN few AS int CHECK (current_user = 'tenant' AND session_user <> 'postgres');
    CREATE TABLE t (a int CHECK (current_user = 'tenant' AND session_user <> 'postgres'), d few); INSERT INTO t VALUES (1, 1), (2, 2);
    CREATE TABLE p (a int CHECK (current_user = 'tenant')) PARTITION BY LIST (a);
    CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); INSERT INTO p VALUES (1);
    CREATE TABLE large AS SELECT n, md5(n::text) AS s FROM generate_series(1, 60000) n; ALTER TABLE large ADD CHECK (current_user = 'tenant');
    CREATE VIEW v AS SELECT a FROM t; CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM t; CREATE INDEX ON t ((a + 1));
    CREATE SEQUENCE s; SELECT nextval('s');
    """

  /// What notes in the server's log as whom it runs.
  private static let traps = """
    CREATE FUNCTION trap(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
      RAISE LOG 'trap % runs as <%> of <%>', what, current_user, session_user; RETURN true; END $$;
    CREATE TABLE u (a int); INSERT INTO u VALUES (1);
    """

  private func withTenant(
    _ format: String, _ more: String, _ sql: String = checks,
    _ body: (_ deploy: DeployBench, _ sightings: () throws -> [String]) throws -> Void
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
      try cluster.psql(sql, database: deploy.database, user: "tenant")
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

  private static let formats = ["directory", "custom", "plain"]

  @Test(arguments: formats) func `rows are restored with their owner's rights alone`(format: String) throws {
    try withTenant(format, "trust_owner: false") { deploy, _ in
      let copy = "\(deploy.database)_copy"
      let run = try deploy.run("restore", "latest", "--into", copy, "--accept-old-client", "--json")
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      #expect(try deploy.psql("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM p)", database: copy) == "2|1")
      #expect(try deploy.psql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'holdfast%'") == "0")
      #expect(try deploy.psql("SELECT has_database_privilege('public', '\(copy)', 'CONNECT')") == "t")
      try deploy.writePolicy(url: deploy.cluster.url(deploy.database, user: "postgres"))
      let trusting = try deploy.run("restore", "latest", "--into", "\(copy)_trusting", "--json")
      #expect(trusting.exit == 1, "the checks are true for their owner alone: \(trusting.stdout)")
    }
  }

  @Test func `a standby copy and a rollback are fenced, too`() throws {
    try withTenant("directory", "trust_owner: false") { deploy, _ in
      try deploy.set(["standby_copy: restored"])
      try deploy.writePolicy(
        url: deploy.cluster.url(deploy.database, user: "postgres"), more: "trust_owner: false")
      try deploy.migration("20240201000000_more", "CREATE TABLE public.more (a int)")
      let refused = try deploy.run("deploy", "--json")
      // Where the machine's client is one with known holes.
      if try deploy.run("check").stdout.contains("known security holes") {
        #expect(refused.exit == 78 && refused.stdout.contains("old_client"), "\(refused.stdout)")
      } else {
        #expect(refused.exit == 0)
      }
      #expect(try deploy.run("deploy", "--accept-old-client").exit == 0)
      let rollback = try deploy.run("rollback", "--confirm", deploy.database, "--accept-old-client")
      #expect(rollback.exit == 0, "\(rollback.stdout)\(rollback.stderr)")
      #expect(try deploy.psql("SELECT count(*) FROM t") == "2")
      #expect(try deploy.psql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'holdfast%'") == "0")
    }
  }

  /// Ways in which a server runs an owner's function as whoever restores, with rows or without.
  private static let attacks = [
    "SELECT 1", "CREATE INDEX ON u (trap('index'))",
    "ALTER TABLE u ADD g boolean GENERATED ALWAYS AS (trap('generated')) STORED",
    "CREATE DOMAIN d AS text CHECK (trap(VALUE)); CREATE VIEW v AS SELECT '{a}'::d[] AS x",
    """
    CREATE FUNCTION sf(d text, int) RETURNS text LANGUAGE sql AS 'SELECT $1'; CREATE DOMAIN d AS text CHECK (trap(VALUE));
    CREATE FUNCTION sd(d, int) RETURNS d LANGUAGE sql AS 'SELECT $1'; CREATE AGGREGATE ag(int) (SFUNC = sd, STYPE = d, INITCOND = 'aa')
    """,
    """
    CREATE TABLE par (a int) PARTITION BY LIST (a); CREATE TABLE chi (a int, CONSTRAINT c CHECK (trap('attached')));
    ALTER TABLE par ATTACH PARTITION chi FOR VALUES IN (1)
    """,
    "CREATE FUNCTION of(u) RETURNS boolean LANGUAGE sql AS 'SELECT public.trap(''row'')'; ALTER TABLE u ADD CHECK (of(u.*))",
    """
    CREATE TYPE en AS ENUM ('x'); CREATE FUNCTION ent(en) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
      PERFORM public.trap('cast'); RETURN 'x'; END $$; CREATE CAST (en AS text) WITH FUNCTION ent(en) AS IMPLICIT;
    CREATE TABLE pk (a text PRIMARY KEY); INSERT INTO pk VALUES ('x'); CREATE TABLE fk (a en REFERENCES pk); INSERT INTO fk VALUES ('x')
    """,
    """
    CREATE FUNCTION plus(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM public.trap(''sum''); RETURN 1; END';
    CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = plus); CREATE INDEX ON u ((1 ### 1))
    """,
  ]

  @Test(arguments: attacks) func `an owner's functions are refused before they are run`(sql: String) throws {
    try withTenant("directory", "trust_owner: false", Self.traps + sql) { deploy, sightings in
      for format in Self.formats {
        try deploy.writePolicy(
          url: deploy.cluster.url(deploy.database, user: "postgres"),
          more: "trust_owner: false\nbackup: {format: \(format)}")
        #expect(try deploy.run("backup").exit == 0)
        let run = try deploy.run(
          "restore", "latest", "--into", "\(deploy.database)_copy", "--accept-old-client", "--json")
        #expect(run.exit == 77 && run.stdout.contains("owner_not_fenced"), "\(format): \(run.stdout)")
      }
      try deploy.migration("20240201000000_more", "CREATE TABLE public.more (a int)")
      let run = try deploy.run("deploy", "--accept-old-client", "--json")
      #expect(run.exit == 77 && run.stdout.contains("trust_owner is false"), "\(run.stdout)")
      let seen = Set(try sightings())
      #expect(seen.allSatisfy { !$0.contains(" postgres ") }, "\(seen)")
    }
  }

  @Test func `what no pg_dump has written is not run`() throws {
    try withTenant("plain", "trust_owner: false") { deploy, _ in
      let bench = deploy.bench
      let id = try #require(try deploy.run("list", "--json").json.string("backups", 0, "id"))
      let forged = try shell(
        """
        set -e; zstd -dcq data.sql.zst > x; sed -i 's/^SET row_security = off;/&\\nCREATE ROLE forged_role;/' x; grep -q forged x
        zstd -qf x -o data.sql.zst; raw=$(stat -c %s x); rm x
        old=$(awk '$2 == "data.sql.zst" { print $1 }' SHA256SUMS); new=$(sha256sum data.sql.zst | cut -d' ' -f1)
        size=$(stat -c %s data.sql.zst)
        perl -0pi -e 's/("bytes" : )\\d+(,\\s*"path" : "data.sql.zst",\\s*"raw_bytes" : )\\d+/${1}'$size'${2}'$raw'/; s/'$old'/'$new'/' manifest.json
        perl -pi -e 's/'$old'/'$new'/' SHA256SUMS
        m=$(sha256sum manifest.json | cut -d' ' -f1); perl -pi -e 's/^\\w+(  manifest.json)/'$m'$1/' SHA256SUMS
        """, in: bench.path(of: id))
      #expect(forged.exit == 0, "\(forged.stderr)")
      let run = try deploy.run(
        "restore", id, "--into", "\(deploy.database)_copy", "--accept-old-client", "--json")
      #expect(run.exit == 77 && run.stdout.contains("CREATE ROLE forged_role"), "\(run.stdout)")
      #expect(try deploy.psql("SELECT count(*) FROM pg_roles WHERE rolname = 'forged_role'") == "0")
    }
  }

  @Test func `with trust they do run`() throws {
    let sql = Self.traps + Self.attacks[2]
    try withTenant("directory", "", sql) { (deploy, sightings) throws in
      let run = try deploy.run("restore", "latest", "--into", "\(deploy.database)_copy")
      #expect(run.exit == 0)
      let seen = try sightings()
      #expect(seen.contains { $0.contains(" postgres ") }, "\(seen)")
    }
  }

  /// What an owner's login may not do, or has from somebody else, is no row that is left out.
  @Test(arguments: [
    "ALTER TABLE t OWNER TO pg_database_owner",
    """
    CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2); ALTER TABLE p2 OWNER TO tenant; SET ROLE tenant; INSERT INTO p VALUES (2);
    RESET ROLE; ALTER TABLE p2 OWNER TO postgres
    """,
  ])
  func `rows that cannot be fenced are refused, and nothing is left`(sql: String) throws {
    try withTenant("directory", "trust_owner: false") { deploy, _ in
      try deploy.psql(sql)
      #expect(try deploy.run("backup").exit == 0)
      let run = try deploy.run(
        "restore", "latest", "--into", "\(deploy.database)_copy", "--accept-old-client", "--json")
      #expect(run.exit == 77 && run.stdout.contains("owner_not_fenced"), "\(run.stdout)")
      #expect(try deploy.psql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'holdfast%'") == "0")
      #expect(try deploy.psql("SELECT count(*) FROM pg_database WHERE datname LIKE '%\\_copy'") == "0")
    }
  }

  @Test(arguments: formats) func `an owner loads rows in a schema of somebody else's`(format: String) throws {
    try withTenant(format, "trust_owner: false") { deploy, _ in
      try deploy.psql(
        """
        CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO tenant; CREATE TABLE app.t (a int); INSERT INTO app.t VALUES (1);
        ALTER TABLE app.t OWNER TO tenant
        """)
      #expect(try deploy.run("backup").exit == 0)
      let run = try deploy.run(
        "restore", "latest", "--into", "\(deploy.database)_copy", "--accept-old-client", "--json")
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
    }
  }

  @Test func `a check that comes behind the rows is refused, also where it calls built-in functions alone`() throws {
    let sql = """
      CREATE TABLE late (a int); ALTER TABLE late ADD CHECK ((CASE WHEN current_user = 'postgres'
        THEN length(query_to_xml('SELECT 1/0', true, false, '')::text) ELSE 1 END) > 0 AND (null::late) IS NULL);
      INSERT INTO late VALUES (1)
      """
    try withTenant("directory", "trust_owner: false", sql) { deploy, _ in
      let run = try deploy.run(
        "restore", "latest", "--into", "\(deploy.database)_copy", "--accept-old-client", "--json")
      #expect(run.exit == 77 && run.stdout.contains("owner_not_fenced"), "\(run.stdout)")
    }
  }

  @Test func `a superuser's functions are no obstacle, and its event triggers see nothing`() throws {
    try withTenant("directory", "trust_owner: false") { deploy, _ in
      try deploy.psql(
        """
        CREATE TABLE ddl_log (x text); CREATE FUNCTION noted() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
          INSERT INTO public.ddl_log VALUES (tg_tag); END $$; CREATE EVENT TRIGGER notes ON ddl_command_end EXECUTE FUNCTION noted()
        """)
      try deploy.psql(
        "CREATE FUNCTION helps(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'; CREATE DOMAIN small AS int CHECK (helps(VALUE) < 10); ALTER TABLE t ADD s small; TRUNCATE ddl_log"
      )
      #expect(try deploy.run("backup").exit == 0)
      let copy = "\(deploy.database)_copy"
      let run = try deploy.run("restore", "latest", "--into", copy, "--accept-old-client", "--json")
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      #expect(try deploy.psql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'holdfast%'") == "0")
    }
  }

  @Test func `check tells what runs with whose rights`() throws {
    try withTenant("directory", "") { deploy, _ in
      #expect(try deploy.run("check").stdout.contains("with the rights of superuser postgres"))
      try deploy.writePolicy(
        url: deploy.cluster.url(deploy.database, user: "postgres"), more: "trust_owner: false")
      #expect(try deploy.run("check").stdout.contains("by logins without a superuser's rights"))
      #expect(try deploy.run("check", "--deep", "--accept-old-client").stdout.contains("the way back was tried"))
      try deploy.cluster.psql(Self.traps, database: deploy.database, user: "tenant")
      let check = try deploy.run("check", "--accept-old-client")
      #expect(check.exit == 2 && check.stdout.contains("cannot be restored"), "\(check.stdout)")
    }
  }
}
