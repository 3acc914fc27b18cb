import BackupModel
import Testing

@Suite struct SizeTextTests {
  @Test(
    arguments: [
      (0, "0 B"), (1, "1 B"), (999, "999 B"), (1000, "1.0 kB"), (1049, "1.0 kB"), (1051, "1.1 kB"), (9_960, "10.0 kB"),
      (99_949, "99.9 kB"), (99_950, "100 kB"), (612_345_678, "612 MB"), (999_499, "999 kB"), (999_500, "1.0 MB"),
      (999_999_999, "1.0 GB"), (1_500_000_000_000, "1.5 TB"), (5_000_000_000_000_000, "5000 TB"),
    ] as [(UInt64, String)])
  func `has three digits at most and a unit`(bytes: UInt64, text: String) {
    #expect(sizeText(bytes) == text)
  }

  @Test func `counts in words`() {
    #expect([0, 1, 2].map { counted($0, "table") } == ["0 tables", "1 table", "2 tables"])
    #expect([fixed(1.25, 1), fixed(1.24, 1), fixed(9.99, 1), fixed(0.5, 0)] == ["1.3", "1.2", "10.0", "1"])
  }

  @Test func `quotes a mark though an accent follows it`() {
    #expect(quoteLiteral("a'\u{301}b") == "'a''\u{301}b'")
    #expect(quoteIdentifier("a\"\u{301}b") == "\"a\"\"\u{301}b\"")
    #expect(quoteLiteral("\\\u{301}") == " E'\\\\\u{301}'")
  }
}
