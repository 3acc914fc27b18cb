import Diagnostics
import StreamPipeline
import Testing

/// Which statements of a dump go with which tables, told by their texts alone.
@Suite struct TableSelectionTests {
  /// The statements that are run for some tables, as their first lines.
  private func included(_ tables: [String], of statements: [String]) throws -> [String] {
    let read = statements.map { DumpedStatement(Array($0.utf8)) }
    let selection = try TableSelection(of: read, tables: tables)
    return zip(statements, selection.isIncluded).filter(\.1).map(\.0)
  }

  /// Beside tables `s.a` and `s.b`, in whose midst a statement stands, the one for `s.a` takes it or not.
  private func goes(_ statement: String, before: [String] = []) throws -> Bool {
    let all = before + ["CREATE TABLE s.a (\n    i integer\n)", "CREATE TABLE s.b (\n    i integer\n)", statement]
    return try included(["s.a"], of: all).contains(statement)
  }

  @Test(arguments: [
    "CREATE INDEX i ON s.a USING btree (i)", "ALTER TABLE ONLY s.a\n    ADD CONSTRAINT k PRIMARY KEY (i)",
    "COMMENT ON COLUMN s.a.i IS 'not of s.b'", "COMMENT ON TABLE s.a IS 'it''s s.b'", "GRANT SELECT ON TABLE s.a TO x",
    "REVOKE ALL ON TABLE s.a FROM PUBLIC", "ALTER TABLE s.a ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE s.a OWNER TO \"s.b\"",
    "ALTER TABLE ONLY s.a REPLICA IDENTITY FULL", "ALTER TABLE ONLY s.a ALTER COLUMN i SET DEFAULT 's.b'::text",
    "CREATE STATISTICS s.st ON i, j FROM s.a", "CREATE POLICY p ON s.a USING ((i = 1))", "COPY s.a (i) FROM stdin",
    "SET row_security = off", "SELECT pg_catalog.set_config('search_path', '', false)",
  ]) func `goes with its table`(statement: String) throws { #expect(try goes(statement)) }

  @Test(arguments: [
    "CREATE INDEX i ON s.b USING btree (i)",
    "ALTER TABLE ONLY s.b\n    ADD CONSTRAINT k FOREIGN KEY (i) REFERENCES s.a(i)",
    "ALTER TABLE ONLY s.a\n    ADD CONSTRAINT k FOREIGN KEY (i) REFERENCES s.b(i)",
    "CREATE VIEW s.v AS\n SELECT i FROM s.a",
    "COMMENT ON TABLE s.b IS 'like s.a'", "GRANT SELECT ON TABLE s.b TO \"s.a\"",
    "ALTER PUBLICATION p ADD TABLE ONLY s.a",
    "CREATE POLICY p ON s.a USING ((EXISTS ( SELECT 1 FROM s.b)))", "CREATE TYPE s.unused AS ENUM (\n    's.a'\n)",
    "ALTER DEFAULT PRIVILEGES FOR ROLE x IN SCHEMA s GRANT SELECT ON TABLES TO y", "COPY s.b (i) FROM stdin",
    "SELECT pg_catalog.setval('s.other', 3, true)", "SELECT pg_catalog.lo_create('1')",
  ]) func `goes with another, or with none`(statement: String) throws { #expect(try !goes(statement)) }

  @Test(arguments: [
    ("CREATE TYPE s.\"Mood, x\" AS ENUM (\n    'a'\n)", "CREATE TABLE s.t (\n    m s.\"Mood, x\"[]\n)"),
    (
      "CREATE FUNCTION s.\"f.g\"(integer) RETURNS integer\n    LANGUAGE sql\n    AS $_$SELECT 1$_$",
      "CREATE TABLE s.t (\n    i integer,\n    CONSTRAINT c CHECK ((s.\"f.g\"(i) > 0))\n)"
    ),
    (
      "CREATE SEQUENCE s.\"it's\"\n    START WITH 1",
      "CREATE TABLE s.t (\n    i integer DEFAULT nextval('s.\"it''s\"'::regclass)\n)"
    ),
    (
      "CREATE OPERATOR s.=== (\n    FUNCTION = s.eq\n)",
      "CREATE TABLE s.t (\n    i integer,\n    CONSTRAINT c CHECK ((i OPERATOR(s.===) 1))\n)"
    ),
    (
      "CREATE TYPE s.span AS RANGE (\n    subtype = integer,\n    multirange_type_name = s.spans\n)",
      "CREATE TABLE s.t (\n    i s.spans\n)"
    ),
    ("CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA s", "CREATE TABLE s.t (\n    i s.citext\n)"),
    (
      "CREATE EXTENSION IF NOT EXISTS plperl WITH SCHEMA pg_catalog",
      "CREATE FUNCTION s.f() RETURNS trigger\n    LANGUAGE plperl\n    AS $$ $$"
    ),
    ("CREATE COLLATION s.c (provider = icu, locale = 'de')", "CREATE TABLE s.t (\n    i text COLLATE s.c\n)"),
  ]) func `what a statement names comes along`(part: String, user: String) throws {
    let table = user.hasPrefix("CREATE TABLE") ? user : "CREATE TABLE s.t (\n    i integer\n)"
    let trigger =
      user == table ? [] : [user, "CREATE TRIGGER x BEFORE UPDATE ON s.t FOR EACH ROW EXECUTE FUNCTION s.f()"]
    let all = ["CREATE SCHEMA s", "CREATE SCHEMA other", part, "ALTER TYPE other.x OWNER TO y"] + trigger + [table]
    let run = try included(["s.t"], of: all)
    #expect(run == all.filter { !$0.contains("other") })
    #expect(try !included(["u.t"], of: all + ["CREATE TABLE u.t (\n    i integer\n)"]).contains(part))
  }

  @Test func `what is left out takes along what speaks of it`() throws {
    let key = "ALTER TABLE ONLY s.a\n    ADD CONSTRAINT \"a b\" FOREIGN KEY (i) REFERENCES s.b(i)"
    let trigger = "CREATE TRIGGER \"T\" BEFORE UPDATE ON s.a FOR EACH ROW EXECUTE FUNCTION s.f()"
    let all = [
      "CREATE TABLE s.a (\n    i integer\n)", "CREATE TABLE s.b (\n    i integer\n)",
      "CREATE FUNCTION s.f() RETURNS s.b\n    LANGUAGE sql\n    AS $$ $$", key,
      "COMMENT ON CONSTRAINT \"a b\" ON s.a IS 'x'",
      trigger, "ALTER TABLE s.a ENABLE ALWAYS TRIGGER \"T\"", "ALTER TABLE s.a ENABLE ALWAYS TRIGGER \"TT\"",
      "COPY s.a (i) FROM stdin",
    ]
    let read = all.map { DumpedStatement(Array($0.utf8)) }
    let selection = try TableSelection(of: read, tables: ["s.a"])
    #expect(zip(all, selection.isIncluded).filter(\.1).map(\.0) == [all[0], all[7], all[8]])
    #expect(
      selection.leftOut.count == 2 && selection.leftOut.allSatisfy { $0.hasSuffix("it needs s.b") },
      "\(selection.leftOut)")
  }

  @Test func `what another role has granted is granted by it, and nothing else`() throws {
    let grant = ["SET SESSION AUTHORIZATION ann", "GRANT SELECT ON TABLE s.b TO bob", "RESET SESSION AUTHORIZATION"]
    let own = grant.map { $0.replacing("s.b", with: "s.a") }
    let all =
      ["CREATE TABLE s.a (\n    i integer\n)", "CREATE TABLE s.b (\n    i integer\n)"] + grant + own
      + ["GRANT SELECT ON TABLE s.a TO x"]
    #expect(try included(["s.a"], of: all) == [all[0]] + own + [all[8]])
  }

  @Test func `an index is not taken for a function of its name, nor a comment's text for what it speaks of`() throws {
    let all = [
      "CREATE SCHEMA ext", "CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA ext",
      "CREATE FUNCTION s.i() RETURNS integer\n    LANGUAGE sql\n    AS $$SELECT 1$$",
      "COMMENT ON FUNCTION s.i() IS 'x'",
      "CREATE TABLE s.a (\n    i ext.citext\n)", "CREATE TABLE s.b (\n    i integer\n)",
      "CREATE INDEX i ON s.a USING btree (i)",
      "COMMENT ON INDEX s.i IS 'x'", "ALTER TABLE ONLY s.a\n    ADD CONSTRAINT k FOREIGN KEY (i) REFERENCES s.b(i)",
      "COMMENT ON TABLE s.a IS 'mind CONSTRAINT k in it'",
    ]
    #expect(try included(["s.a"], of: all) == [all[0], all[1], all[4], all[6], all[7], all[9]])
  }

  @Test func `a default operator class goes with its type, and what a function's comment quotes is no quote`() throws {
    let all = [
      "CREATE TYPE s.c AS (\n\ta integer\n)",
      "CREATE FUNCTION s.cmp(s.c, s.c) RETURNS integer\n    LANGUAGE sql\n    AS $$ $$",
      "CREATE OPERATOR CLASS s.ops\n    DEFAULT FOR TYPE s.c USING btree AS\n    FUNCTION 1 s.cmp(s.c, s.c)",
      "CREATE FUNCTION s.helper() RETURNS integer\n    LANGUAGE sql\n    AS $$ $$",
      "CREATE FUNCTION s.f() RETURNS trigger\n    LANGUAGE plpgsql\n    AS $$ -- don't\n s.helper() $$",
      "CREATE TABLE s.a (\n    c s.c,\n    n integer DEFAULT nextval(('s.q'::text)::regclass)\n)",
      "CREATE SEQUENCE s.q\n    START WITH 1",
      "CREATE TRIGGER t BEFORE UPDATE ON s.a FOR EACH ROW EXECUTE FUNCTION s.f()",
    ]
    #expect(try included(["s.a"], of: all) == all)
  }

  @Test func `a sequence that a table owns goes with it, whether a default names it or not`() throws {
    let sequence = [
      "CREATE SEQUENCE s.q\n    START WITH 1", "ALTER TABLE s.q OWNER TO x", "ALTER SEQUENCE s.q OWNED BY s.a.i",
      "SELECT pg_catalog.setval('s.q', 3, true)",
    ]
    #expect(try included(["s.a"], of: ["CREATE TABLE s.a (\n    i integer\n)"] + sequence).count == 5)
    let other = ["CREATE TABLE s.a (\n    i integer\n)", "CREATE TABLE s.b (\n    i integer\n)"] + sequence
    #expect(try included(["s.b"], of: other) == [other[1]])
  }

  @Test func `rows that a dump has as those of the root are not told to be missing`() throws {
    let all = [
      "CREATE TABLE s.a (\n    i integer\n)\nPARTITION BY HASH (i)", "CREATE TABLE s.p (\n    i integer\n)",
      "ALTER TABLE ONLY s.a ATTACH PARTITION s.p FOR VALUES WITH (modulus 1, remainder 0)",
    ]
    func leftOut(_ more: [String]) throws -> [String] {
      try TableSelection(of: (all + more).map { DumpedStatement(Array($0.utf8)) }, tables: ["s.a"]).leftOut
    }
    #expect(try leftOut(["COPY s.a (i) FROM stdin"]) == [])
    #expect(try leftOut([]) == ["the rows of s.p: the backup was taken without them"])
  }

  @Test func `settings go where something is made under them`() throws {
    let all = [
      "SET default_tablespace = one", "CREATE TABLE s.b (\n    i integer\n)", "SET default_tablespace = ''",
      "CREATE TABLE s.a (\n    i integer\n)", "SET default_tablespace = two", "CREATE INDEX i ON s.b USING btree (i)",
    ]
    #expect(try included(["s.a"], of: all) == [all[2], all[3]])
  }

  @Test func `a name that two tables read as has to be told apart`() throws {
    let all = ["CREATE TABLE a.\"b.c\" (\n    i integer\n)", "CREATE TABLE \"a.b\".c (\n    i integer\n)"]
    #expect(throws: Failure.self) { try included(["a.b.c"], of: all) }
    #expect(try included(["\"a.b\".c"], of: all) == [all[1]])
    #expect(try included(["c"], of: all) == [all[1]])
  }

  @Test func `a partition alone says what it had from its root`() throws {
    let ofRoot = [
      "ALTER TABLE s.r\n    ADD CONSTRAINT k FOREIGN KEY (i) REFERENCES s.x(i)",
      "CREATE TRIGGER touch BEFORE UPDATE ON s.r FOR EACH ROW EXECUTE FUNCTION s.f()",
    ]
    let rest = [
      "CREATE TABLE s.r (\n    i integer\n)\nPARTITION BY RANGE (i)", "CREATE TABLE s.p (\n    i integer\n)",
      "CREATE TABLE s.x (\n    i integer\n)",
      "CREATE FUNCTION s.f() RETURNS trigger\n    LANGUAGE plpgsql\n    AS $$ $$",
      "ALTER TABLE ONLY s.r ATTACH PARTITION s.p FOR VALUES FROM (1) TO (9)", "COPY s.p (i) FROM stdin",
      "COPY s.x (i) FROM stdin",
      "CREATE INDEX i ON ONLY s.r USING btree (i)", "CREATE POLICY y ON s.r USING ((i = 1))",
    ]
    let read = (rest + ofRoot).map { DumpedStatement(Array($0.utf8)) }
    let alone = try TableSelection(of: read, tables: ["s.p"]).leftOut
    #expect(alone.count == 3, "\(alone)")
    #expect(alone.contains { $0.contains("FOREIGN KEY") && $0.hasSuffix("it is of s.r") })
    #expect(alone.contains { $0.contains("CREATE TRIGGER touch") })
    #expect(try TableSelection(of: read, tables: ["s.r", "s.x"]).leftOut.isEmpty)
  }
}
