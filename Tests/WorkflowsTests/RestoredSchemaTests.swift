import Foundation
import TestSupport
import Testing

/// The server words some definitions in another way once it has read them; and some of a database no dump restores as it stands.
@Suite struct RestoredSchemaTests {
  static let formats = ["directory", "custom", "plain"]

  /// Schemas whose dump is worded otherwise after a restore.
  private static let worded = [
    "CREATE TABLE t (beds int, price numeric, CHECK (beds BETWEEN 1 AND 8 AND price > 0)); INSERT INTO t VALUES (3, 10)",
    "CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT a FROM t WHERE a NOT BETWEEN 1 AND 3 OR b = 2",
    "CREATE TABLE t (a int, b int, g boolean GENERATED ALWAYS AS ((a, b) IN ((1, 2)) OR a = 3) STORED); INSERT INTO t VALUES (1, 2)",
    "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a) WHERE a BETWEEN 1 AND 2 AND b > 1",
    "CREATE DOMAIN d AS int CHECK (VALUE BETWEEN 1 AND 9 AND VALUE <> 5); CREATE TABLE t (a d); INSERT INTO t VALUES (4)",
    "CREATE TABLE t (a int, b int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a BETWEEN 1 AND 2 AND b > 1)",
    "CREATE TABLE t (j jsonb, l varchar[]); CREATE STATISTICS st ON (j->>'a'), (l[1] IN ('a', 'b')) FROM t",
    "CREATE TABLE t (s varchar[], CHECK (s[1] = ANY (ARRAY[ARRAY['a', 'b'], ARRAY['c', 'd']]::varchar[])))",
    """
    CREATE TABLE item (id int, name text); CREATE FUNCTION items() RETURNS SETOF item LANGUAGE sql STABLE AS 'SELECT * FROM public.item';
    CREATE VIEW names AS SELECT id, name FROM items(); ALTER TABLE item ADD COLUMN price numeric
    """,
    "DROP EXTENSION plpgsql CASCADE; CREATE EXTENSION plpgsql; CREATE TABLE t (a int)",
    // As a server of 15.20 keeps them: each server has its own, and this one refuses what a dump says of them.
    """
    CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'); ALTER TABLE t ALTER b SET (n_distinct = 5);
    UPDATE pg_attribute SET attoptions = ARRAY['pg_attver=26489224'] || coalesce(attoptions, '{}')
    WHERE attrelid = 't'::regclass AND attnum > 0
    """,
    """
    CREATE TABLE t (a int, b int);
    CREATE FUNCTION f(x int) RETURNS boolean LANGUAGE sql BEGIN ATOMIC SELECT x BETWEEN 1 AND 2 AND x <> 7; END;
    CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.a BETWEEN 1 AND 2 AND NEW.b > 1) EXECUTE FUNCTION g();
    CREATE RULE r AS ON UPDATE TO t WHERE OLD.a BETWEEN 1 AND 2 AND NEW.b > 1 DO ALSO NOTHING
    """,
  ]

  @Test(arguments: worded, formats) func `a schema that the server words in another way is equal`(
    sql: String, format: String
  ) throws {
    try Workbench.with(sql: sql, policy: "backup: {format: \(format)}") { bench in
      let copy = bench.newDatabaseName()
      let run = try bench.holdfast("restore", try bench.backUp(), "--into", copy)
      #expect(run.exit == 0, "\(run.stderr)")
      try nothingLeft(bench, but: copy)
    }
  }

  /// Where SQL has no place for an operator's schema, a restore finds another one.
  private static let looksUpAgain = [
    "CREATE VIEW v AS SELECT email IS DISTINCT FROM other AS d FROM t",
    "CREATE VIEW v AS SELECT NULLIF(email, other) FROM t",
    "CREATE VIEW v AS SELECT CASE email WHEN other THEN 1 END FROM t",
    "CREATE VIEW v AS SELECT t.n FROM t JOIN u USING (email)",
    "CREATE INDEX i ON t (n) WHERE email IS DISTINCT FROM other",
    "ALTER TABLE t ADD CHECK (NULLIF(email, 'x') IS NOT NULL)",
    "CREATE POLICY p ON t USING (email IS NOT DISTINCT FROM other)",
    "ALTER TABLE t ADD same boolean GENERATED ALWAYS AS (email IS NOT DISTINCT FROM other) STORED",
    "CREATE FUNCTION f() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM t JOIN u USING (email); END",
    // The same operator is written in them too.
    "CREATE VIEW masked AS SELECT email, t.n FROM t JOIN u USING (email) WHERE email = 'x'::citext",
    "ALTER TABLE t ADD CHECK (email = email AND NULLIF(email, 'admin') IS NOT NULL)",
    "CREATE DOMAIN d AS text DEFAULT NULLIF('A'::citext, 'a'::citext)::text",
    // A parameter before, a column after.
    "CREATE FUNCTION t(n int) RETURNS SETOF t STABLE BEGIN ATOMIC SELECT * FROM t WHERE t.n = $1; END",
  ]

  @Test(arguments: looksUpAgain) func `a definition that a restore gives another operator is not called equal`(
    sql: String
  ) throws {
    let tables = """
      CREATE EXTENSION citext; CREATE TABLE t (email citext, other citext, n int); CREATE TABLE u (email citext);
      CREATE VIEW named AS SELECT n FROM t WHERE email = other OR email IN (SELECT email FROM u)
      """
    try Workbench.with(sql: tables, policy: "migrations: {directory: ../migrations}") { bench in
      #expect(try bench.holdfast("check", "--deep").exit == 0)
      let copies = [bench.newDatabaseName("fine"), bench.newDatabaseName("other"), bench.newDatabaseName("accepted")]
      #expect(try bench.holdfast("restore", try bench.backUp(), "--into", copies[0]).exit == 0)
      try bench.cluster.psql(sql, database: bench.database)
      let check = try bench.holdfast("check", "--deep", "--json")
      #expect(check.exit == 2 && check.stdout.contains(" uses "), "\(check.stdout)")
      let id = try bench.backUp()
      let run = try bench.holdfast("restore", id, "--into", copies[1], "--json")
      #expect(run.exit == 65 && run.json.string("error", "code") == "restored_differs", "\(run.stdout)\(run.stderr)")
      #expect(!(try bench.cluster.databases().contains(copies[1])))
      #expect(try bench.holdfast("restore", id, "--into", copies[2], "--accept-schema-text").exit == 0)
    }
  }

  /// Damage done to the restored database before the comparison; whether it only changes how an object is defined.
  private static let damages = [
    ("DROP INDEX i", false), ("ALTER TABLE t DROP CONSTRAINT sane", true),
    ("ALTER TABLE t ALTER COLUMN b SET DEFAULT 8", true),
    ("CREATE OR REPLACE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT 2'", true),
    ("REVOKE SELECT ON t FROM PUBLIC", false), ("DROP POLICY p ON t", false),
    ("CREATE OR REPLACE VIEW v AS SELECT a, b FROM t WHERE a NOT BETWEEN 1 AND 3 OR b = 3", true),
    ("ALTER TABLE t DISABLE ROW LEVEL SECURITY", false), ("CREATE TABLE extra (a int)", false),
    ("COMMENT ON TABLE t IS 'changed'", false), ("ALTER TABLE t OWNER TO pg_monitor", false),
    ("ALTER TABLE t DROP CONSTRAINT sane; ALTER TABLE t ADD CONSTRAINT sane CHECK (b > 0) NOT VALID", false),
  ]

  @Test(arguments: damages) func `a real difference is found`(damage: String, isWording: Bool) throws {
    let sql = """
      CREATE TABLE t (a int, b int DEFAULT 7, CONSTRAINT sane CHECK (a BETWEEN 1 AND 8 AND b > 0)); INSERT INTO t VALUES (3, 10);
      CREATE INDEX i ON t (a) WHERE a BETWEEN 1 AND 2 AND b > 1; GRANT SELECT ON t TO PUBLIC;
      CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT 1';
      CREATE VIEW v AS SELECT a, b FROM t WHERE a NOT BETWEEN 1 AND 3 OR b = 2;
      ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a BETWEEN 1 AND 2 AND b > 1)
      """
    try Workbench.with(sql: sql) { bench in
      let id = try bench.backUp()
      #expect(try restore(id, bench, damage, []) == 65)
      // Whoever was shown both texts may go on; without an object nobody does.
      #expect(try restore(id, bench, damage, ["--accept-schema-text"]) == (isWording ? 0 : 65))
    }
  }

  private func restore(_ id: String, _ bench: Workbench, _ damage: String, _ more: [String]) throws -> Int32 {
    let copy = bench.newDatabaseName("copy\(more.count)")
    let command = ProgramRun.command(["restore", id, "--into", copy, "--policies", bench.policies] + more)
    let run = try SteppedRun(command, at: "prove the database", notesIn: bench.folder)
    _ = try #require(try run.reach())
    let half = try #require(try bench.cluster.databases().first { $0.hasPrefix("\(copy)__restore_") })
    try bench.cluster.psql(damage, database: half)
    let exit = try run.end().code
    #expect(try bench.cluster.databases().filter { $0.hasPrefix(copy) } == (exit == 0 ? [copy] : []))
    return exit
  }

  private func nothingLeft(_ bench: Workbench, but copy: String) throws {
    #expect(try bench.cluster.databases().filter { $0.hasPrefix(bench.database) } == [bench.database, copy])
  }
}
