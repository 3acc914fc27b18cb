import Testing

@testable import Commands

/// What only a terminal gets: colours that repeat words, and lines that go on below themselves.
@Suite struct ScreenTextTests {
  @Test func `colours change no word`() {
    let text = "app (test): x    ATTENTION\n  ✗ bad\n  ! doubtful\n  ✓ good\nweb (test)    fine\n"
    let painted = painted(text)
    #expect(painted.contains("\u{1B}[33;1mATTENTION\u{1B}[0m") && painted.contains("\u{1B}[32mfine\u{1B}[0m"))
    #expect(painted.replacing(/\u{1B}\[[0-9;]*m/, with: "") == text)
  }

  @Test func `a wide line goes on between two words, below its own text`() {
    let line = "  backup      2026-11-29 12:05 UTC (2 m ago), verified 3 s ago (archive)"
    #expect(
      wrapped(line + "\n", columns: 60)
        == "  backup      2026-11-29 12:05 UTC (2 m ago), verified 3 s ago\n              (archive)\n"
        || wrapped(line, columns: 60).split(separator: "\n").allSatisfy { $0.count <= 60 })
    #expect(wrapped(line, columns: 200) == line)
    let path = "  x  /" + String(repeating: "y", count: 100)
    #expect(wrapped(path, columns: 40).contains(String(repeating: "y", count: 100)))
  }

  @Test func `an arrow is not left behind, and a command is not cut`() {
    let row = "  deploys     20261129T175625Z-c70af5  failed       5 m ago    1 migration"
    let advice = "-> holdfast rollback, or fix the script and: holdfast resolve 20240201000000_more --rolled-back"
    let lines = wrapped("\(row)   \(advice)", columns: 80).split(separator: "\n").map(String.init)
    let indent = String(repeating: " ", count: 14)
    #expect(
      lines == [
        row, "\(indent)-> holdfast rollback, or fix the script and:",
        "\(indent)holdfast resolve 20240201000000_more --rolled-back",
      ])
    let grant = #"GRANT SELECT ON TABLE "a schema"."a table" TO "a role", "another role""#
    #expect(wrapped("      the role needs this privilege: \(grant)", columns: 79).contains("\n        \(grant)"))
    let sentence = "  x  a word then holdfast deploy and rollback will refuse to do it"
    #expect(
      wrapped(sentence, columns: 32) == "  x  a word then holdfast deploy\n     and rollback will refuse to\n     do it"
    )
  }

  @Test func `an error goes on below its own text`() {
    let error = "error: restore of x: " + Array(repeating: "word", count: 20).joined(separator: " ")
    let lines = wrapped(error, columns: 50).split(separator: "\n")
    #expect(lines.count > 1 && lines.allSatisfy { $0.count <= 50 })
    #expect(lines.dropFirst().allSatisfy { $0.hasPrefix("       word") })
  }
}
