import StreamPipeline
import Testing

@Suite struct SchemaDifferenceTests {
  private func statements(_ texts: [String]) -> [SchemaStatement] { texts.map { SchemaStatement(Array($0.utf8)) } }

  private func differences(_ expected: [String], _ found: [String]) -> [SchemaDifference] {
    SchemaDifference.between(statements(expected), statements(found))
  }

  @Test func `equal schemas differ in nothing, in any order`() {
    #expect(
      differences(["CREATE SCHEMA a", "CREATE TABLE a.t (\n)"], ["CREATE TABLE a.t (\n)", "CREATE SCHEMA a"]) == [])
  }

  /// An object's definition, and what the server may make of it.
  private static let worded = [
    (
      "CREATE TABLE s.t (\n    n integer,\n    CHECK (((n > 1) AND (n < 2)) AND ok)\n)",
      "CREATE TABLE s.t (\n    n integer\n)"
    ),
    ("CREATE UNLOGGED TABLE s.t (\n)", "CREATE UNLOGGED TABLE s.t (\n    n integer\n)"),
    ("CREATE VIEW s.v AS\n SELECT 1", "CREATE VIEW s.v AS\n SELECT 2"),
    (
      "CREATE MATERIALIZED VIEW s.v AS\n SELECT 1\n  WITH NO DATA",
      "CREATE MATERIALIZED VIEW s.v AS\n SELECT 2\n  WITH NO DATA"
    ),
    ("CREATE INDEX i ON s.t USING btree (((a AND b) AND c))", "CREATE INDEX i ON s.t USING btree ((a AND b AND c))"),
    ("CREATE POLICY p ON s.t USING ((a AND b))", "CREATE POLICY p ON s.t USING (b)"),
    (
      "CREATE RULE r AS\n    ON INSERT TO s.t DO NOTHING",
      "CREATE RULE r AS\n    ON INSERT TO s.t\n   WHERE a DO NOTHING"
    ),
    (
      "CREATE TRIGGER g BEFORE UPDATE ON s.t FOR EACH ROW WHEN (a) EXECUTE FUNCTION s.f()",
      "CREATE TRIGGER g BEFORE UPDATE ON s.t FOR EACH ROW WHEN (b) EXECUTE FUNCTION s.f()"
    ),
    ("CREATE STATISTICS s.st ON a, (b) FROM s.t", "CREATE STATISTICS s.st ON a, (c) FROM s.t"),
    (
      "CREATE DOMAIN s.d AS integer\n\tCONSTRAINT c CHECK (a)", "CREATE DOMAIN s.d AS integer\n\tCONSTRAINT c CHECK (b)"
    ),
    ("CREATE FUNCTION s.f(n integer) RETURNS integer AS 'a'", "CREATE FUNCTION s.f(n integer) RETURNS integer AS 'b'"),
    ("ALTER TABLE ONLY s.t ALTER COLUMN a SET DEFAULT (1)", "ALTER TABLE ONLY s.t ALTER COLUMN a SET DEFAULT 1"),
    (
      "ALTER TABLE s.t\n    ADD CONSTRAINT c CHECK (a) NOT VALID",
      "ALTER TABLE s.t\n    ADD CONSTRAINT c CHECK (b) NOT VALID"
    ),
    (
      "ALTER TABLE ONLY s.t ATTACH PARTITION s.p FOR VALUES IN ((1))",
      "ALTER TABLE ONLY s.t ATTACH PARTITION s.p FOR VALUES IN (1)"
    ),
    ("ALTER PUBLICATION p ADD TABLE ONLY s.t WHERE ((a))", "ALTER PUBLICATION p ADD TABLE ONLY s.t WHERE (a)"),
  ]

  @Test(arguments: worded) func `one object in two wordings is a pair`(first: String, second: String) {
    let found = differences([first, "CREATE SCHEMA s"], ["CREATE SCHEMA s", second])
    #expect(found.map(\.isWording) == [true])
    #expect(found.first?.lines.count == 2)
  }

  @Test func `what is missing, what is there besides, and what has no expressions is no wording`() {
    for (first, second) in [
      (["CREATE INDEX i ON s.t USING btree (a)"], []), ([], ["CREATE VIEW s.v AS\n SELECT 1"]),
      (["GRANT SELECT ON TABLE s.t TO a"], ["GRANT INSERT ON TABLE s.t TO a"]),
      (["ALTER TABLE s.t OWNER TO a"], ["ALTER TABLE s.t OWNER TO b"]),
      (["COMMENT ON TABLE s.t IS 'a'"], ["COMMENT ON TABLE s.t IS 'b'"]),
      (["CREATE VIEW s.v AS\n SELECT 1"], ["CREATE VIEW s.w AS\n SELECT 1"]),
      (["CREATE POLICY p ON s.t USING (a)"], ["CREATE POLICY p ON s.u USING (a)"]),
      (
        ["ALTER TABLE ONLY s.t ALTER COLUMN a SET STORAGE PLAIN"],
        ["ALTER TABLE ONLY s.t ALTER COLUMN a SET STORAGE MAIN"]
      ),
      (["CREATE TYPE s.e AS ENUM (\n    'a'\n)"], ["CREATE TYPE s.e AS ENUM (\n    'b'\n)"]),
    ] { #expect(differences(first, second).contains { !$0.isWording }, "\(first) \(second)") }
  }

  @Test func `the tablespace of a table counts`() {
    let bytes = Array("CREATE TABLE s.t (\n)".utf8)
    let found = SchemaDifference.between(
      [SchemaStatement(bytes, settings: Array("default_tablespace=fast;".utf8))], [SchemaStatement(bytes)])
    #expect(found.count == 1)
  }

  @Test func `overloaded functions are paired by their number`() {
    let (one, two) = ("CREATE FUNCTION s.f(a integer) AS 'x'", "CREATE FUNCTION s.f(a text) AS 'x'")
    #expect(differences([one, two], [one]).map(\.isWording) == [false])
    #expect(differences([one, two], [one + " ", two + " "]).map(\.isWording) == [true, true])
  }
}
