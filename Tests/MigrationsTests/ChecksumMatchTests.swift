import Foundation
import Migrations
import Testing

@Suite struct ChecksumMatchTests {
  private let script = "CREATE TABLE t ();\nSELECT 1;\n"

  @Test(arguments: [
    ("a\nb\n", "a\r\nb\r\n"),
    ("a\r\nb\r\n", "a\nb\n"),
    // Prisma turns every line feed, also one that has a carriage return already.
    ("a\r\r\nb\r\n", "a\r\nb\n"),
    ("a\nb\n", "a\r\nb\n"),
    ("\u{301}\r\n\u{301}", "\u{301}\n\u{301}"),
    ("\n\u{301}", "\r\n\u{301}"),
  ])
  func `a script matches whatever its line ends have become`(_ then: String, _ now: String) throws {
    let stored = try #require(try MigrationScript(name: "", text: then).checksum())
    #expect(try ChecksumMatch.matches(stored, now))
    #expect(try !ChecksumMatch.matches(stored, now + " "))
  }

  @Test(arguments: [("a\nb\n", "a\rb\r"), ("a\r\nb\n", "a\nb\n"), ("a\n", "a"), ("a\r\n", "a\r\r\n "), ("A", "a")])
  func `another text does not match`(_ then: String, _ now: String) throws {
    let stored = try #require(try MigrationScript(name: "", text: then).checksum())
    #expect(try !ChecksumMatch.matches(stored, now))
  }

  /// The old format wrote each byte without its leading zero: 0x05 as `5`, 0x00 as `0`.
  @Test func `a checksum in the old format matches, and no other of that length`() throws {
    var seen = 0
    for number in 0..<200 {
      let text = "SELECT \(number);\n"
      let checksum = try #require(try MigrationScript(name: "", text: text).checksum())
      let old = Data(hexadecimal: checksum).map { String($0, radix: 16) }.joined()
      guard old.count < 64 else { continue }
      seen += 1
      #expect(try ChecksumMatch.matches(old, text))
      #expect(try ChecksumMatch.matches(old, text.replacing("\n", with: "\r\n")))
      #expect(try !ChecksumMatch.matches(old, text + "\n"))
      #expect(try !ChecksumMatch.matches(String(old.dropLast()), text))
    }
    #expect(seen > 100)
  }

  @Test(arguments: ["", "0", "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"])
  func `nothing else matches an empty script`(_ stored: String) throws {
    #expect(try !ChecksumMatch.matches(stored, ""))
  }
}
