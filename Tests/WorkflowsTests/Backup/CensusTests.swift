import BackupModel
import Diagnostics
import Foundation
import TestSupport
import Testing

/// What a backup lacks of what the catalogs have: told by the backup, in its manifest, by check and by status.
@Suite struct CensusTests {
  private static let ordinary = """
    CREATE SCHEMA s; CREATE TABLE s."Ünder it's"(id int GENERATED ALWAYS AS IDENTITY, x int DEFAULT 0);
    INSERT INTO s."Ünder it's" (x) VALUES (1); CREATE TABLE columnless (); INSERT INTO columnless DEFAULT VALUES;
    CREATE TABLE generated (a int GENERATED ALWAYS AS (1) STORED); INSERT INTO generated DEFAULT VALUES;
    CREATE UNLOGGED TABLE u (id serial); CREATE VIEW v AS SELECT 1 AS a; CREATE VIEW w AS SELECT a FROM v;
    CREATE MATERIALIZED VIEW filled AS SELECT 1 AS a; CREATE MATERIALIZED VIEW empty AS SELECT 1 AS a WITH NO DATA;
    CREATE TABLE p (k text) PARTITION BY HASH (k); CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1); INSERT INTO p SELECT generate_series(1, 9);
    CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE q (k e) PARTITION BY HASH (k);
    CREATE TABLE q0 PARTITION OF q FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE q1 PARTITION OF q FOR VALUES WITH (MODULUS 2, REMAINDER 1); INSERT INTO q VALUES ('a'), ('b');
    CREATE SEQUENCE "it's"; SELECT lo_from_bytea(0, 'x'); CREATE PUBLICATION "Pub" FOR ALL TABLES;
    CREATE EXTENSION pgcrypto; CREATE EXTENSION pg_stat_statements; CREATE EXTENSION hstore; CREATE EXTENSION postgres_fdw;
    CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw; CREATE FOREIGN TABLE far (a int) SERVER elsewhere;
    CREATE USER MAPPING FOR PUBLIC SERVER elsewhere OPTIONS (user 'x', password 'y');
    CREATE TABLE parent (id int); CREATE TABLE child (x int) INHERITS (parent); CREATE TABLE kept (was child);
    INSERT INTO kept VALUES (ROW(1, 2)::child); CREATE TEMP TABLE t (a int);
    CREATE SUBSCRIPTION idle CONNECTION 'dbname=none' PUBLICATION p WITH (connect = false);
    """

  @Test(arguments: ["directory", "custom", "plain"])
  func `a superuser's backup of an ordinary database is complete`(format: String) throws {
    try Workbench.with(sql: Self.ordinary, policy: "backup: {format: \(format)}") { bench in
      defer { _ = try? bench.cluster.psql(Self.tidyUp, database: bench.database) }
      let run = try bench.holdfast("backup", "--json")
      #expect(run.exit == 0, "\(run.stderr)")
      #expect(run.json.flag("backup", "complete") == true, "\(run.stdout)")
      #expect(run.json.array("backup", "missing")?.isEmpty == true)
      #expect(!run.stderr.contains("lacks"))
      let manifest = try bench.manifest("latest")
      #expect(Set((manifest.notes ?? []).map { "\($0.kind) \($0.name)" }) == Self.notes)
      #expect(try bench.holdfast("check").exit == 0)
      #expect(try bench.holdfast("show", "latest").stdout.contains("yes: it has what the catalogs had"))
    }
  }

  private static let tidyUp = "ALTER SUBSCRIPTION idle SET (slot_name = NONE); DROP SUBSCRIPTION idle"
  private static let notes: Set<String> = ["foreign_rows public.far", "materialized_rows public.filled"]

  @Test func `a role that is no superuser lacks subscriptions and the options of user mappings`() throws {
    try Workbench.with(sql: Self.ordinary) { bench in
      defer { _ = try? bench.cluster.psql(Self.tidyUp, database: bench.database) }
      let role = try bench.makeReader()
      defer { bench.drop(role) }
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: role))
      let check = try bench.holdfast("check", "--json")
      #expect(check.exit == 2)
      #expect(
        check.stdout.contains("subscription idle") && check.stdout.contains("user mapping PUBLIC on server elsewhere"))

      let backup = try bench.holdfast("backup", "--json")
      #expect(backup.exit == 0, "\(backup.stderr)")
      #expect(backup.json.flag("backup", "complete") == false)
      #expect(backup.json.string("backup", "missing", 0, "kind") == "subscription")
      #expect(backup.stderr.contains("warning: the backup lacks subscription idle"))
      // pg_dump's own words, too.
      #expect(backup.stderr.contains("warning: pg_dump: subscriptions not dumped"), "\(backup.stderr)")
      #expect(try Set(bench.manifest("latest").missing.map(\.kinds) ?? []) == ["subscription", "user_mapping"])

      let status = try bench.holdfast("status", "--json")
      #expect(status.exit == 2)
      #expect(status.json.array("lacks")?.count == 2)
      for screen in try [bench.holdfast("backup"), bench.holdfast("list"), bench.holdfast("show", "latest")] {
        #expect(screen.exit == 0)
        #expect(screen.stdout.contains("incomplete") || screen.stdout.contains("NO: it lacks"), "\(screen.stdout)")
      }

      // What the policy accepts needs nobody's attention.
      try bench.writePolicy(
        url: bench.cluster.url(bench.database, user: role),
        more: "backup: {accept_missing: [subscription, user_mapping]}")
      #expect(try bench.holdfast("status").exit == 0)
      #expect(try bench.holdfast("check").exit == 0)
      #expect(try !bench.holdfast("backup").stderr.contains("warning: the backup lacks"))
    }
  }

  /// Each with what makes it.
  @Test(
    arguments: [
      (
        "extension_rows", "public.taken",
        "CREATE EXTENSION hstore; CREATE TABLE taken AS SELECT 1 AS a; ALTER EXTENSION hstore ADD TABLE taken"
      ),
      (
        "extension_objects", "index extra on public.own",
        "CREATE TABLE own (a int); CREATE EXTENSION hstore; ALTER EXTENSION hstore ADD TABLE own\nCREATE INDEX extra ON own (a)"
      ),
      (
        "extension_objects", "trigger extra on public.own",
        "CREATE TABLE own (a int); CREATE EXTENSION hstore; ALTER EXTENSION hstore ADD TABLE own\n"
          + "CREATE TRIGGER extra BEFORE UPDATE ON own FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
      ),
      (
        "extension_objects", "rule extra on public.own",
        "CREATE TABLE own (a int); CREATE EXTENSION hstore; ALTER EXTENSION hstore ADD TABLE own\n"
          + "CREATE RULE extra AS ON DELETE TO own DO INSTEAD NOTHING"
      ),
      (
        "extension_objects", "constraint extra on public.own",
        "CREATE TABLE own (a int); CREATE EXTENSION hstore; ALTER EXTENSION hstore ADD TABLE own\n"
          + "ALTER TABLE own ADD CONSTRAINT extra CHECK (a > 0)"
      ),
      (
        "system_schema", "function pg_catalog.ours",
        "SET allow_system_table_mods = on; CREATE FUNCTION pg_catalog.ours() RETURNS int LANGUAGE sql AS 'SELECT 1'"
      ),
      (
        "system_schema", "privileges on information_schema.tables",
        "REVOKE SELECT ON information_schema.tables FROM PUBLIC"
      ),
      (
        "system_schema", "privileges on schema information_schema",
        "REVOKE USAGE ON SCHEMA information_schema FROM PUBLIC"
      ),
      (
        "identity_type", "public.t.id",
        "CREATE TABLE t (id bigint GENERATED BY DEFAULT AS IDENTITY (CYCLE)); ALTER SEQUENCE t_id_seq AS smallint"
      ),
      (
        // What `ALTER TABLE child ALTER b SET EXPRESSION` of 17 comes to.
        "generated_expression", "public.child.b",
        """
        CREATE TABLE parent (a int, b int GENERATED ALWAYS AS (a * 2) STORED); CREATE TABLE child () INHERITS (parent); \
        CREATE TABLE other (a int, b int GENERATED ALWAYS AS (a * 3) STORED); \
        UPDATE pg_attrdef SET adbin = (SELECT adbin FROM pg_attrdef WHERE adrelid = 'other'::regclass) \
        WHERE adrelid = 'child'::regclass
        """
      ),
    ])
  func `what no dump carries is missing`(kind: String, name: String, sql: String) throws {
    try Workbench.with { bench in
      for transaction in sql.split(separator: "\n") {
        try bench.cluster.psql(String(transaction), database: bench.database)
      }
      let id = try bench.backUp()
      let manifest = try bench.manifest(id)
      #expect(manifest.complete == false)
      #expect((manifest.missing ?? []).contains { $0.kind == kind && $0.name == name }, "\(manifest.missing ?? [])")
      let check = try bench.holdfast("check", "--json")
      #expect(check.exit == 2)
      #expect(check.stdout.contains(name), "\(check.stdout)")
    }
  }

  @Test func `rows of unlogged tables are missing from a standby's backup, unless they are left out on purpose`() throws
  {
    let primary = try TestCluster()
    defer { primary.stop() }
    try Workbench.with(
      cluster: primary, sql: "CREATE UNLOGGED TABLE cache AS SELECT 1 AS a; ANALYZE cache; CREATE TABLE t (a int)"
    ) { bench in
      #expect(try bench.manifest(bench.backUp()).complete == true)
      let standby = try TestCluster(standbyOf: primary)
      defer { standby.stop() }
      try bench.writePolicy(url: standby.url(bench.database))
      #expect(try bench.manifest(bench.backUp()).missing?.map(\.name) == ["public.cache"])
      try bench.writePolicy(url: standby.url(bench.database), more: "backup: {exclude_table_data: [public.cache]}")
      #expect(try bench.manifest(bench.backUp()).complete == true)
    }
  }

  @Test func `values that a restore computes again are noted, and not called equal`() throws {
    let sql = """
      CREATE FUNCTION tax(n numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT n * 0.19';
      CREATE TABLE sum (a int, b int GENERATED ALWAYS AS (a + 1) STORED);
      CREATE TABLE invoice (net numeric, tax numeric GENERATED ALWAYS AS (public.tax(net)) STORED); INSERT INTO invoice VALUES (100);
      CREATE OPERATOR ### (RIGHTARG = numeric, FUNCTION = tax);
      CREATE TABLE total (n numeric, t numeric GENERATED ALWAYS AS (### n) STORED);
      CREATE TEXT SEARCH CONFIGURATION words (COPY = english);
      CREATE TABLE doc (t text, v tsvector GENERATED ALWAYS AS (to_tsvector('public.words', t)) STORED);
      CREATE OR REPLACE FUNCTION tax(n numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT n * 0.21'
      """
    try Workbench.with(sql: sql) { bench in
      let (id, copy) = (try bench.backUp(), bench.newDatabaseName())
      let notes = try bench.manifest(id).notes?.filter { $0.kind == "generated_values" }
      #expect(notes?.map(\.name).sorted() == ["public.doc.v", "public.invoice.tax", "public.total.t"])
      #expect(try bench.holdfast("show", id).stdout.contains("values of generated column"))
      let run = try bench.holdfast("restore", id, "--into", copy)
      #expect(run.exit == 0 && run.stderr.contains("generated columns were computed again"), "\(run.stderr)")
      #expect(try bench.cluster.psql("SELECT tax FROM invoice", database: copy) == "21.00")
    }
  }

  @Test func `foreign keys whose triggers are disabled are noted, and come back enabled`() throws {
    let sql = """
      CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (a int CONSTRAINT fk REFERENCES parent);
      INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1); ALTER TABLE child DISABLE TRIGGER ALL
      """
    try Workbench.with(sql: sql) { bench in
      let id = try bench.backUp()
      let notes = try bench.manifest(id).notes?.filter { $0.kind == "trigger_state" }
      #expect(notes?.map(\.name) == ["foreign key fk on public.child"])
      #expect(try bench.manifest(id).complete == true)
      try bench.cluster.psql("ALTER TABLE child ENABLE TRIGGER ALL", database: bench.database)
      #expect(try bench.manifest(bench.backUp()).notes?.contains { $0.kind == "trigger_state" } == false)
    }
  }

  /// Each with what makes it; a line is a transaction.
  @Test(
    arguments: [
      (
        "inherited_constraint", ["own_fk on public.a"],
        """
        CREATE TABLE p (r int REFERENCES ref) PARTITION BY LIST (r); CREATE TABLE a (r int CONSTRAINT own_fk REFERENCES ref);
        CREATE TABLE b PARTITION OF p FOR VALUES IN (2); ALTER TABLE p ATTACH PARTITION a FOR VALUES IN (1)
        """
      ),
      (
        "inherited_constraint", ["mid_fk on public.mid", "mid_fk on public.leaf"],
        """
        CREATE TABLE leaf (r int); CREATE TABLE mid (r int CONSTRAINT mid_fk REFERENCES ref) PARTITION BY LIST (r);
        ALTER TABLE mid ATTACH PARTITION leaf FOR VALUES IN (1);
        CREATE TABLE p (r int CONSTRAINT p_fk REFERENCES ref) PARTITION BY LIST (r); ALTER TABLE p ATTACH PARTITION mid FOR VALUES IN (1)
        """
      ),
      (
        "inherited_constraint", ["positive on public.c"],
        """
        CREATE TABLE p (n int); CREATE TABLE c () INHERITS (p); ALTER TABLE p ADD CONSTRAINT positive CHECK (n > 0) NOT VALID;
        CREATE TABLE d () INHERITS (p); ALTER TABLE p ADD CHECK (n < 9); ALTER TABLE c VALIDATE CONSTRAINT positive;
        ALTER TABLE d VALIDATE CONSTRAINT positive; ALTER TABLE d NO INHERIT p
        """
      ),
      (
        "comment",
        [
          "function lower(text)", "function public.hstore(record)", "table pg_class", "type public.ref",
          "constraint n on table public.c",
        ],
        """
        CREATE EXTENSION hstore; COMMENT ON SCHEMA public IS 'x'; COMMENT ON TABLE ref IS 'x'; COMMENT ON EXTENSION hstore IS 'x'
        CREATE TABLE p (n int CONSTRAINT n CHECK (n > 0)); CREATE TABLE c () INHERITS (p); COMMENT ON CONSTRAINT n ON p IS 'x'
        COMMENT ON CONSTRAINT n ON c IS 'x'; COMMENT ON TYPE ref IS 'x'; COMMENT ON FUNCTION lower(text) IS 'x'
        COMMENT ON FUNCTION hstore(record) IS 'x'; COMMENT ON TABLE pg_class IS 'x'
        """
      ),
      (
        "subscription_state", ["s"],
        """
        CREATE SUBSCRIPTION s CONNECTION 'dbname=none' PUBLICATION p WITH (connect = false); ALTER SUBSCRIPTION s ENABLE
        CREATE SUBSCRIPTION idle CONNECTION 'dbname=none' PUBLICATION p WITH (connect = false)
        """
      ),
    ])
  func `what a restore changes is noted, and told by it`(kind: String, names: [String], sql: String)
    throws
  {
    let tidyUp = "ALTER SUBSCRIPTION $ DISABLE; ALTER SUBSCRIPTION $ SET (slot_name = NONE); DROP SUBSCRIPTION $"
    func dropSubscriptions(_ bench: Workbench, _ database: String) {
      for name in ["s", "idle"] {
        _ = try? bench.cluster.psql(tidyUp.replacing("$", with: name), database: database)
      }
    }
    try Workbench.with(sql: "CREATE TABLE ref (id int PRIMARY KEY)") { bench in
      let copy = bench.newDatabaseName()
      defer { for database in [bench.database, copy] { dropSubscriptions(bench, database) } }
      let plain = try bench.backUp()
      #expect(try bench.manifest(plain).notes == [])
      for transaction in sql.split(separator: "\n") {
        try bench.cluster.psql(String(transaction), database: bench.database)
      }
      let id = try bench.backUp()
      let notes = try bench.manifest(id).notes?.filter { $0.kind == kind } ?? []
      #expect(Set(notes.map(\.name)) == Set(names))
      #expect(try bench.manifest(id).complete == true)
      let run = try bench.holdfast("restore", id, "--into", copy)
      #expect(run.exit == 0, "\(run.stderr)")
      let told = run.stderr.replacing(/\s+/, with: " ")
      #expect(told.contains("warning: no dump has the \(notes.summaries.joined())"), "\(told)")
    }
  }

  /// Restored, it is as it was: partitions' own checks, what is not inherited, keys between partitions, comments that a dump has.
  @Test func `what a restore leaves as it was is not noted`() throws {
    let sql = """
      CREATE EXTENSION hstore; CREATE EXTENSION citext SCHEMA pg_catalog; COMMENT ON EXTENSION hstore IS 'x'; COMMENT ON SCHEMA public IS 'x';
      CREATE TABLE p (n int, k int NOT NULL) PARTITION BY LIST (n); CREATE TABLE a (n int CONSTRAINT positive CHECK (n > 0), k int NOT NULL);
      ALTER TABLE p ATTACH PARTITION a FOR VALUES IN (1); ALTER TABLE p ADD CONSTRAINT positive CHECK (n > 0) NOT VALID;
      CREATE TABLE z (n int CONSTRAINT zc CHECK (n > 0) NO INHERIT); CREATE TABLE zz () INHERITS (z);
      ALTER TABLE zz ADD CONSTRAINT zc CHECK (n > 1); CREATE TABLE r (id int PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE r1 PARTITION OF r FOR VALUES FROM (0) TO (9); CREATE TABLE q (id int, r int REFERENCES r) PARTITION BY LIST (id);
      CREATE TABLE q1 PARTITION OF q FOR VALUES IN (1); CREATE TABLE s (id int GENERATED ALWAYS AS IDENTITY);
      COMMENT ON SEQUENCE s_id_seq IS 'x'; COMMENT ON COLUMN s.id IS 'x'; CREATE TYPE c AS (a int); COMMENT ON TYPE c IS 'x';
      CREATE DOMAIN d AS int CHECK (VALUE > 0); COMMENT ON CONSTRAINT d_check ON DOMAIN d IS 'x'; COMMENT ON CONSTRAINT zc ON zz IS 'x'
      """
    try Workbench.with(sql: sql) { bench in
      let notes = try bench.manifest(bench.backUp()).notes
      #expect(notes == [], "\(notes ?? [])")
    }
  }

  @Test(arguments: ["directory", "plain"])
  func `a database without a schema public is restored without one`(format: String) throws {
    try Workbench.with(
      sql: "CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 1 AS a; DROP SCHEMA public",
      policy: "backup: {format: \(format)}"
    ) { bench in
      let (id, copy) = (try bench.backUp(), bench.newDatabaseName())
      #expect(try bench.manifest(id).notes?.map(\.kind) == ["public_schema"])
      let run = try bench.holdfast("restore", id, "--into", copy)
      #expect(run.exit == 0 && run.stdout.contains("identical"), "\(run.stdout)\(run.stderr)")
      #expect(
        try bench.cluster.psql("SELECT count(*) FROM pg_namespace WHERE nspname = 'public'", database: copy) == "0")
    }
  }

  @Test func `an extension of another owner is noted`() throws {
    try Workbench.with(sql: "CREATE EXTENSION hstore") { bench in
      let role = try bench.makeReader()
      defer { bench.drop(role) }
      try bench.writePolicy(url: bench.cluster.url(bench.database, user: role))
      let manifest = try bench.manifest(bench.backUp())
      #expect(manifest.complete == true)
      #expect((manifest.notes ?? []).kinds == ["extension_owner", "role_passwords"])
      #expect(try bench.holdfast("check", "--json").exit == 0)
    }
  }

  @Test func `a dump whose contents lack a table that the catalogs have is incomplete`() throws {
    try Workbench.with(sql: "CREATE TABLE here AS SELECT 1 AS a; CREATE TABLE gone AS SELECT 2 AS a; CREATE SEQUENCE n")
    { bench in
      let tools = try StoppableTools(in: "\(bench.folder)/tools", real: bench.cluster.binaries)
      for (option, kinds) in [
        ("-T gone", ["table", "table_rows"]), ("-T n", ["sequence", "sequence"]),
        ("--exclude-table-data=gone", ["table_rows"]),
        ("--schema-only", ["sequence", "table_rows"]),
      ] {
        try tools.replace("pg_dump", "exec \"$real\" \"$@\" \(option)")
        try bench.writePolicy(more: "tools: {directory: \"\(tools.folder)\"}\nbackup: {format: plain}")
        let missing = try bench.manifest(bench.backUp()).missing ?? []
        #expect(Set(missing.map(\.kind)) == Set(kinds), "\(option): \(missing)")
      }
    }
  }

  @Test func `what the policy leaves out is not missing`() throws {
    try Workbench.with(
      sql: "CREATE TABLE a AS SELECT 1 AS a; CREATE SEQUENCE n; CREATE TABLE b AS SELECT 1 AS a",
      policy: "backup: {exclude_table_data: [public.a, public.n]}"
    ) { bench in
      let manifest = try bench.manifest(bench.backUp())
      #expect(manifest.complete == true)
    }
  }

  @Test(arguments: ["LATIN1", "SQL_ASCII", "EUC_JP"])
  func `a database in another encoding is complete`(encoding: String) throws {
    try Workbench.with { bench in
      let name = "\(bench.database)_enc"
      try bench.createDatabase(name, options: "TEMPLATE template0 ENCODING '\(encoding)' LOCALE 'C'")
      let letters = ["EUC_JP": ("U&", "\\3042"), "LATIN1": ("U&", "\\00E9")][encoding] ?? ("", "é")
      try bench.cluster.psql(
        "CREATE TABLE \(letters.0)\"t\(letters.1)\" AS SELECT 1 AS a; CREATE SEQUENCE \(letters.0)\"n\(letters.1)\"",
        database: name)
      try bench.writePolicy(url: bench.cluster.url(name))
      let manifest = try bench.manifest(bench.backUp())
      #expect(manifest.complete == true, "\(manifest.missing ?? [])")
    }
  }

  @Test func `of a backup of a version that did not look nobody says that it is complete`() throws {
    try BackupFiles.with { files in
      try files.reseal {
        $0.complete = nil
        $0.missing = nil
        $0.notes = nil
      }
      let bench = files.bench
      let show = try bench.holdfast("show", "latest", "--json")
      #expect(show.exit == 0)
      #expect(show.json.value(["backup", "complete"]) is NSNull)
      #expect(try bench.holdfast("show", "latest").stdout.contains("not known"))
      #expect(try bench.holdfast("status").exit == 0)
      try bench.restore(files.id, into: bench.newDatabaseName())
    }
  }
}

extension Workbench {
  func manifest(_ id: String) throws -> Manifest { try BackupFiles(bench: self, id: id).backup().manifest }

  /// A role for backups, of the test's own.
  func makeReader() throws -> String {
    let role = "reader_\(database)"
    try cluster.psql("CREATE ROLE \(role) LOGIN BYPASSRLS; GRANT pg_read_all_data TO \(role)")
    let owned = "SELECT format('GRANT SELECT ON LARGE OBJECT %s TO \(role)', oid) FROM pg_largeobject_metadata"
    for statement in try cluster.psql(owned, database: database).split(separator: "\n") {
      try cluster.psql(String(statement), database: database)
    }
    return role
  }

  func drop(_ role: String) {
    _ = try? cluster.psql("DROP OWNED BY \(role)", database: database)
    _ = try? cluster.psql("DROP ROLE \(role)")
  }
}
