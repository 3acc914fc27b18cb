import StreamPipeline
import Testing

@Suite struct CopyTargetTests {
  @Test(arguments: [
    ("a.b (c)", "a b"), ("\"A b\".\"c.d\" (x)", "A b c.d"), ("\"a\"\"b\".\"\"\"\" (x)", "a\"b \""),
    ("a.\"\"\"x\"\"y\"\"\"", "a \"x\"y\""),
  ])
  func `its bare name is without the quotes`(statement: String, bare: String) throws {
    let target = try copyTarget(Array(statement.utf8))
    #expect(target.bareName == Array(bare.utf8))
  }

  /// é in LATIN1.
  @Test func `its bare name keeps bytes that are no UTF-8`() throws {
    let target = try copyTarget(Array("a.\"t".utf8) + [0xE9] + Array("\" (x)".utf8))
    #expect(target.bareName == Array("a t".utf8) + [0xE9])
  }

  private func copyTarget(_ bytes: [UInt8]) throws -> CopyTarget {
    let scanner = DumpScanner()
    let text = Array("-- PostgreSQL database dump\nCOPY ".utf8) + bytes + Array(" FROM stdin;\n\\.\n".utf8)
    try scanner.scan(text + Array("-- PostgreSQL database dump complete\n".utf8))
    return try #require(scanner.copied.first).target
  }
}
