import Diagnostics
import StreamPipeline
import Testing

@Suite struct DumpRefusalTests {
  @Test(arguments: [
    "INSERT INTO a.b VALUES (1);",
    "COPY a.b (t) FROM stdin;\n1\n\\.\nINSERT INTO a.b (t) VALUES (2) ON CONFLICT DO NOTHING;",
  ])
  func `refuses a dump whose rows are INSERT statements`(body: String) throws {
    let failure = try refusal(of: dump(body))
    #expect(failure.code == "insert_mode_dump")
    #expect(failure.exit == .dataDamaged)
    #expect(failure.nextStep.contains("--inserts"))
  }

  @Test(arguments: [
    #"\! id"#, "-- Name: x\n\\! id", "-- Name: x\r\\! id", #"SELECT 1 \! id"#, #"SELECT 1 \gexec"#,
    #"CREATE TABLE x (\i /etc/passwd"#,
    #"\restrict"#, #"\restrict a \! id"#, #"\unrestrict a \! id"#, #"\restrict a;\! id"#, #"\connect other"#,
    "\\unrestrict \(String(repeating: "a", count: 80)) \\! id", "COPY a.b (t) FROM stdin; \\! id\n1\n\\.",
    "COPY a.b (t) FROM stdin;\n1\n\\.\n\\! id", "COPY a.b (t) FROM stdin;\n1\n\\.\n\\.",
  ])
  func `refuses a planted psql command`(body: String) throws {
    let readings = everySplit(of: dump(body + "\n")).map { Reading(scanning: $0) }
    #expect(readings.first { $0 != .refused("foreign_meta_command") } == nil)
    #expect(try refusal(of: dump(body + "\n")).exit == .dataDamaged)
  }

  @Test func `says in which table's rows a cut dump ends`() throws {
    let failure = try refusal(of: Array("COPY a.\"b c\" (t) FROM stdin;\n1\n2\n".utf8))
    #expect(failure.code == "dump_cut_short")
    #expect(failure.why.contains("a.b c"))
  }

  @Test(arguments: ["Warning: it is late\n", "SELECT 1;\n", "'", "\n-- x\nWarning\n"])
  func `refuses a dump that has something before its beginning`(before: String) throws {
    for pieces in everySplit(of: Array(before.utf8) + dump("")) {
      let reading = Reading(scanning: pieces)
      #expect({ if case .refused = reading { true } else { false } }(), "read with \(before)")
    }
    #expect(try refusal(of: Array("Warning\n".utf8) + dump("")).code == "foreign_beginning")
    #expect(Reading(scanning: [(Array("\n-- started\n".utf8) + dump(""))[...]]) != .refused("foreign_beginning"))
  }

  @Test(arguments: ["SELECT 1;", "COPY a.b (t) FROM stdin;\n1\n\\.\n"])
  func `refuses what goes on after the end comment without another`(more: String) throws {
    let text = dump("") + Array(more.utf8)
    #expect(Reading(scanning: [text[...]]) == .refused("dump_cut_short"))
    #expect(Reading(scanning: [text[...], dump("")[...]]) != .refused("dump_cut_short"))
  }

  @Test func `refuses a COPY statement whose table it cannot read`() throws {
    #expect(try refusal(of: dump("COPY b FROM stdin;\n\\.\n")).code == "unreadable_dump")
  }

  @Test func `refuses what is written into no large object`() throws {
    #expect(try refusal(of: dump("SELECT pg_catalog.lowrite(0, '\\x00');")).code == "unreadable_dump")
  }

  private func refusal(of text: [UInt8]) throws -> Failure {
    try #require(throws: Failure.self) { try scanned(text) }
  }
}
