import StreamPipeline
import Testing

@Suite struct DumpFuzzTests {
  private static let words = [
    "'", "''", "\"", "\"\"", " $$ ", " $a$ ", " $a$", "--", "/*", "*/", "/", "*", "\n", "\r", "\r\n", " ", "\t", ";",
    ";\n", "(", ")",
    " E'", " e'", "E", "\\", "\\.\n", "\\\\.\n", "\\'", " E'''\\'", "COPY a.b (t) FROM stdin;\n",
    "COPY \"a'\".\"b;\"  FROM stdin;\n",
    "BEGIN ATOMIC ", "begin", " CREATE FUNCTION f ", "create or replace procedure p", " CASE ", " END ",
    "INSERT INTO a.b ",
    "\n\\restrict k\n", "\n-- PostgreSQL database dump complete\n", "SELECT pg_catalog.setval('a.s', 1, true)",
    "SET x = 1", "é", "x",
  ]

  @Test(arguments: 0..<8 as Range<UInt64>)
  func `reads any text as a naive reader does, however it is split`(seed: UInt64) {
    var dice = Dice(seed)
    var outcomes = (read: 0, refused: 0)
    for _ in 0..<250 {
      let text = Self.text(&dice)
      let whole = Self.beginning + text
      let expected = Reading(naively: whole)
      if case .read = expected { outcomes.read += 1 } else { outcomes.refused += 1 }
      let pieces = [Self.beginning[...]] + dice.pieces(of: text, longest: dice.pick([1, 7, 40]))
      for reading in [Reading(scanning: [whole[...]]), Reading(scanning: pieces)] where reading != expected {
        Issue.record(
          "\(String(reflecting: String(decoding: text, as: UTF8.self))):\n\(reading)\ninstead of\n\(expected)")
        return
      }
    }
    #expect(outcomes.read > 10 && outcomes.refused > 10, "\(outcomes)")
  }

  private static let beginning = Array("-- PostgreSQL database dump\n".utf8)

  private static func text(_ dice: inout Dice) -> [UInt8] {
    // A few words only in some of them, so that many a text comes to a good end.
    let usable = (0...dice.roll(2...12)).map { _ in dice.pick(words) }
    var body = (0..<dice.roll(0...30)).flatMap { _ in Array(dice.pick(usable).utf8) }
    if dice.roll(0...9) == 0 { body.insert(contentsOf: dice.bytes(3), at: dice.roll(0...body.count)) }
    return body + Array(dice.pick(["", ";", "\n;", "\n\\.\n", ")';\n"]).utf8)
      + Array("\n-- PostgreSQL database dump complete\n".utf8)
  }

  @Test(arguments: 0..<4 as Range<UInt64>)
  func `counts and digests hostile rows as a naive reader does`(seed: UInt64) throws {
    var dice = Dice(seed)
    for _ in 0..<40 {
      let rows = (0..<dice.roll(0...60)).map { _ in dice.row() }
      let text = tableDump(rows)
      let pieces = dice.pieces(of: text, longest: dice.pick([1, 5, 100, 4000]))
      let table = try #require(try scanned(pieces).digest.tables.first)
      #expect(table.rows == UInt64(rows.count))
      #expect(table.digest == naiveDigest(rows))
      #expect(Reading(scanning: pieces) == Reading(naively: text))
    }
  }
}

extension Dice {
  /// A row with anything in it but a newline; never the end line.
  mutating func row() -> [UInt8] {
    let parts = [
      "\\\\.", "\\\\", "\\N", ".", "\r", "\\n", "\t", "'", "$$", "--", "COPY a.b FROM stdin;", "\0", "x", "é",
    ]
    var row = (0..<roll(0...6)).flatMap { _ in Array(pick(parts).utf8) }
    if roll(0...5) == 0 { row += bytes(roll(0...300)).filter { $0 != 0x0A && $0 != UInt8(ascii: "\\") } }
    return row
  }
}
