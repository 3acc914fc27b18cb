import Foundation
import TestSupport
import Testing

/// A database whose owner is not trusted, and what of the owner's runs in it.
enum TenantBench {
  /// Everything that a query of a table may call. What runs says in the server's log as whom, also where its transaction is undone.
  static let traps = """
    CREATE FUNCTION seen() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
      RAISE LOG 'trap runs as <%>', current_user; RETURN 0; END $$;
    CREATE FUNCTION trap(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.seen(); RETURN $1; END $$;
    CREATE FUNCTION trap(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.seen(); RETURN true; END $$;
    CREATE TABLE t (id int PRIMARY KEY, note text, more int); INSERT INTO t SELECT n, 'x', n FROM generate_series(1, 50) n;
    CREATE INDEX ON t (trap(more)); CREATE INDEX ON t (id) WHERE trap(note); CREATE STATISTICS on_t ON trap(more), id FROM t;
    CREATE TABLE child () INHERITS (t); INSERT INTO child VALUES (1000, 'y', 1); CREATE INDEX ON child (trap(more));
    CREATE TABLE guarded (a int); INSERT INTO guarded VALUES (1);
    CREATE POLICY p ON guarded USING (trap('x')); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
    """

  static let historyTraps = """
    CREATE INDEX ON _prisma_migrations (trap(applied_steps_count)); CREATE INDEX ON _prisma_migrations (id) WHERE trap(id);
    CREATE STATISTICS on_history ON trap(applied_steps_count), id FROM _prisma_migrations;
    """

  /// What else may run, by other ways than a query of a table.
  static let moreTraps = #"""
    CREATE FUNCTION hook() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.seen(); RETURN NEW; END $$;
    CREATE TRIGGER hook BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION hook();
    CREATE TABLE ruled (a int); CREATE RULE r AS ON UPDATE TO ruled DO ALSO SELECT seen();
    CREATE DOMAIN few AS int CHECK (trap(VALUE) > 0); CREATE TYPE mood AS ENUM ('a', 'b');
    CREATE FUNCTION as_text(mood) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.seen(); RETURN 'x'; END $$;
    CREATE FUNCTION same(mood, mood) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.seen(); RETURN true; END $$;
    CREATE CAST (mood AS text) WITH FUNCTION as_text(mood) AS IMPLICIT;
    CREATE OPERATOR = (LEFTARG = mood, RIGHTARG = mood, FUNCTION = same);
    CREATE TABLE feelings (m mood, d few, g int GENERATED ALWAYS AS (trap(1)) STORED, CHECK (trap('x')));
    INSERT INTO feelings VALUES ('a', 1);
    CREATE VIEW v AS SELECT trap(more) AS a FROM t; CREATE MATERIALIZED VIEW mv AS SELECT trap(more) AS a FROM t;
    CREATE SCHEMA evil; CREATE FUNCTION evil.eq(name, name) RETURNS boolean LANGUAGE sql AS 'SELECT public.seen() = 0';
    CREATE FUNCTION evil.eq(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT public.seen() = 0';
    CREATE FUNCTION evil.eq(oid, oid) RETURNS boolean LANGUAGE sql AS 'SELECT public.seen() = 0';
    CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.eq);
    CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq);
    CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.eq);
    CREATE TABLE U&"z: 0\000A  you lose    nothing\202E" (a int); COMMENT ON TABLE t IS E'\033]0;x\007\n; DROP TABLE t';
    """#

  static func with(_ body: (_ deploy: DeployBench, _ sightings: () throws -> Set<String>) throws -> Void) throws {
    let cluster = try TestCluster(settings: [
      "logging_collector=on", "log_directory=log", "log_filename=server.log", "log_statement=none",
    ])
    defer { cluster.stop() }
    try cluster.psql(
      "CREATE ROLE tenant LOGIN CREATEDB; CREATE ROLE reader LOGIN BYPASSRLS; GRANT pg_read_all_data TO reader")
    try DeployBench.with(cluster: cluster, sql: "") { deploy in
      try cluster.psql("ALTER DATABASE \(deploy.database) OWNER TO tenant")
      try cluster.psql("ALTER SCHEMA public OWNER TO tenant", database: deploy.database)
      try cluster.psql("ALTER TABLE _prisma_migrations OWNER TO tenant", database: deploy.database)
      try cluster.psql(Self.traps, database: deploy.database, user: "tenant")
      try body(deploy) {
        let log = try String(contentsOfFile: "\(cluster.folder)/d/log/server.log", encoding: .utf8)
        // The function's own text is in the log, too.
        return Set(log.matches(of: /trap runs as <([^>%]+)>/).map { String($0.1) })
      }
    }
  }
}
