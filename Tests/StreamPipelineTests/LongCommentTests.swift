import BackupModel
import Diagnostics
import StreamPipeline
import Testing

/// A comment is as large as its owner likes.
@Suite struct LongCommentTests {
  private static let odd = "it''s; $a$ -- /* \\ " + String(repeating: "long ", count: 40)

  private static func comment(_ size: Int, of words: String = odd, on what: String = "TABLE a.b")
    -> [UInt8]
  {
    let text = String(repeating: words, count: size / words.utf8.count + 1)
    return Array("COMMENT ON \(what) IS '\(text)' \n;\n".utf8)
  }

  private static func dump(_ statements: [UInt8]...) -> [UInt8] {
    let begin = Array("--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE a.b (\n    t text\n);\n".utf8)
    return begin + statements.joined() + Array("\n\n--\n-- PostgreSQL database dump complete\n--\n\n".utf8)
  }

  private func digests(_ dump: [UInt8], pieces: Int, kept: Bool) throws -> (DatabaseDigest, CountedDigest) {
    let scanner = DumpScanner(keepStatements: kept)
    for start in stride(from: 0, to: dump.count, by: pieces) {
      try dump[start..<min(start + pieces, dump.count)].withUnsafeBytes { try scanner.scan($0) }
    }
    return (try scanner.finish(), scanner.definitions)
  }

  @Test(arguments: [
    comment(1 << 20), comment(5 << 19), comment(3 << 20, of: " "), comment(3 << 20, on: "LARGE OBJECT 7"),
    comment(3 << 20, on: "COLUMN a.b.\"COMMENT ON ';\""),
  ])
  func `has the digest that it has as a whole, however the dump is split`(comment: [UInt8]) throws {
    let dump = Self.dump(comment, Self.comment(100), comment)
    let (whole, definitions) = try digests(dump, pieces: dump.count, kept: true)
    #expect(whole.schema.count == 4)
    for pieces in [dump.count, 64 << 10, 1021] {
      #expect(try digests(dump, pieces: pieces, kept: false) == (whole, definitions))
    }
  }

  @Test func `differs by any byte of it`() throws {
    var dump = Self.dump(Self.comment(3 << 20))
    let (whole, _) = try digests(dump, pieces: 64 << 10, kept: false)
    dump[2 << 20] ^= 1
    #expect(try digests(dump, pieces: 64 << 10, kept: false).0 != whole)
  }

  @Test(arguments: ["", "'", "';\n"]) func `that does not end makes no dump`(end: String) throws {
    let dump = Self.dump(Self.comment(3 << 20).dropLast(5) + Array(end.utf8))
    let ends = (try? digests(dump, pieces: 64 << 10, kept: false)) != nil
    #expect(ends == (end == "';\n"))
  }

  @Test func `needs no memory`() throws {
    let scanner = DumpScanner()
    try scanner.scan(Array("-- PostgreSQL database dump\nCOMMENT ON TABLE a.b IS '".utf8))
    let before = try residentBytes()
    let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 256 << 10)
    for _ in 0..<(4 << 10) { try scanner.scan(piece) }
    // Other tests take their memory at the same time; a held comment would be far above that.
    #expect(try residentBytes() - before < 400 << 20)
    try scanner.scan(Array("';\n-- PostgreSQL database dump complete\n".utf8))
    #expect(try scanner.finish().schema.count == 1)
  }
}
