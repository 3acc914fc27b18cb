import BackupModel
import Testing

@Suite struct DumpScannerTests {
  @Test(arguments: HostileDump.all)
  func `finds every statement and row in a dump with`(hostile: HostileDump) throws {
    let reading = Reading(scanning: [hostile.text[...]])
    guard case .read(let content) = reading else {
      Issue.record("\(reading)")
      return
    }
    #expect(content.statements == hostile.statements)
    #expect(content.tables.map { "\($0.qualifiedName) \($0.rows)" } == hostile.tables)
  }

  @Test(arguments: HostileDump.all)
  func `reads the same as a naive reader of the whole text`(hostile: HostileDump) {
    #expect(Reading(scanning: [hostile.text[...]]) == Reading(naively: hostile.text))
  }

  @Test(arguments: HostileDump.all)
  func `reads the same wherever the text is split`(hostile: HostileDump) {
    let text = hostile.text
    let whole = Reading(scanning: [text[...]])
    #expect(everySplit(of: text).first { Reading(scanning: $0) != whole }?.first?.count == nil)
  }

  @Test(arguments: HostileDump.all)
  func `refuses the text when it was cut at any byte before the end comment`(hostile: HostileDump) throws {
    let text = hostile.text
    let end = try #require(text.ranges(of: Array("\n-- PostgreSQL database dump complete\n".utf8)).last)
    #expect(try endings(of: text).firstIndex(of: true) == end.upperBound - 1)
  }

  @Test func `leaves comments, session settings and restrict keys out of the schema's digest`() throws {
    let plain = dump("CREATE TABLE a.b (c int);")
    let other = dump(
      "SET x = 1;\n-- Name: b; Type: TABLE\n\\restrict other\nBEGIN;\n  CREATE TABLE a.b (c int)\n;\nCOMMIT;\n")
    #expect(try schemaDigest(plain) == schemaDigest(other))
    #expect(try schemaDigest(plain) != schemaDigest(dump("CREATE TABLE a.b (c int );")))
  }

  @Test func `takes where a table is made into the schema's digest, and not what was set for another`() throws {
    let table = "CREATE TABLE a.b (c int);"
    let digests = try ["", "SET default_tablespace = fast;\n", "SET default_table_access_method = heap;\n"].map {
      try schemaDigest(dump($0 + table))
    }
    #expect(Set(digests.map(\.digest)).count == 3)
    let view = "CREATE VIEW a.v AS SELECT 1;"
    #expect(try schemaDigest(dump(view)) == schemaDigest(dump("SET default_tablespace = fast;\n" + view)))
  }

  @Test func `gives the same schema digest for statements in another order, and another for one twice`() throws {
    let one = "CREATE TABLE a.b (c int);"
    let two = "CREATE TABLE a.c (c int);"
    #expect(try schemaDigest(dump(one + two)) == schemaDigest(dump(two + one)))
    #expect(try schemaDigest(dump(one + two)) != schemaDigest(dump(one + two + two)))
  }

  @Test(arguments: [
    (
      #"CHECK (((s)::text = ANY ((ARRAY['a'::character varying, 'b,'''::character varying])::text[])))"#,
      #"CHECK (((s)::text = ANY (ARRAY[('a'::character varying)::text, ('b,'''::character varying)::text])))"#
    ),
    (
      #"CHECK ((x = ANY ((ARRAY[f(1, 2), (g[1])])::"odd type"[])))"#,
      #"CHECK ((x = ANY (ARRAY[(f(1, 2))::"odd type", ((g[1]))::"odd type"])))"#
    ),
  ])
  func `gives one digest to both spellings of a cast array`(dumped: String, restored: String) throws {
    let first = try schemaDigest(dump("CREATE TABLE a.b (s varchar, \(dumped));"))
    #expect(try first == schemaDigest(dump("CREATE TABLE a.b (s varchar, \(restored));")))
    #expect(
      try first
        != schemaDigest(dump("CREATE TABLE a.b (s varchar, \(restored.replacing("ARRAY[", with: "ARRAY[NULL, ")));")))
  }

  /// A text is not an expression, whatever it looks like.
  @Test(arguments: ["'", "E'\\'", "\"", "$$", "$a$"])
  func `gives texts that look like a cast array digests of their own`(quote: String) throws {
    let end = quote.hasPrefix("E") ? "'" : quote
    let texts = ["(ARRAY[a, b])::text[]", "ARRAY[(a)::text, (b)::text]"].map { "SELECT (\(quote)\($0)\(end));" }
    #expect(try schemaDigest(dump(texts[0])) != schemaDigest(dump(texts[1])))
    // Behind it there are expressions again.
    let behind = texts[0].dropLast(2)
    let first = try schemaDigest(dump(behind + ", (ARRAY[a, b])::text[]);"))
    #expect(try first == schemaDigest(dump(behind + ", ARRAY[(a)::text, (b)::text]);")))
  }

  @Test(.timeLimit(.minutes(1)))
  func `takes no more than a moment for a hundred kilobytes of brackets`() throws {
    let count = 30_000
    for (opening, closing) in [("(ARRAY[", "])"), ("(ARRAY[", "])::text"), ("(ARRAY[1,", "])::text[]")] {
      let brackets = String(repeating: opening, count: count) + "1" + String(repeating: closing, count: count)
      _ = try schemaDigest(dump("SELECT \(brackets);"))
      _ = try schemaDigest(dump("COMMENT ON TABLE a.b IS '\(brackets)';"))
    }
  }

  @Test func `names the roles that own something, and no others`() throws {
    let text = dump(
      """
      ALTER TABLE a.b OWNER TO app;
      ALTER TABLE a.c OWNER TO "Odd "" role";
      ALTER VIEW a.v ALTER COLUMN c SET DEFAULT ' OWNER TO nobody';
      COMMENT ON TABLE a.b IS ' OWNER TO nobody';
      """)
    #expect(try scanned(text).scanner.owners == ["app", "Odd \" role"])
  }

  @Test func `keeps the tables in the order of the dump, wherever the text is split`() throws {
    let text = dump("COPY c.b (t) FROM stdin;\n1\n\\.\n\nCOPY \"a\".d (t) FROM stdin;\n\nx\n\\.\n")
    for pieces in everySplit(of: text) {
      let copied = try scanned(pieces).scanner.copied
      #expect(copied.map { "\($0.table.qualifiedName) \($0.table.rows) \($0.target.name)" } == ["c.b 1 b", "a.d 2 d"])
    }
  }

  private func schemaDigest(_ text: [UInt8]) throws -> CountedDigest { try scanned(text).digest.schema }
}
