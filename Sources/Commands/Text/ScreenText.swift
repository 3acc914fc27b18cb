/// A text with colours for the words that say how it stands. They repeat the words, for eyes in a hurry.
func painted(_ text: String) -> String {
  text.split(separator: "\n", omittingEmptySubsequences: false).map { painted(line: String($0)) }.joined(
    separator: "\n")
}

private func painted(line: String) -> String {
  var line = line
  for (word, color) in [
    ("ATTENTION", "33;1"), ("NOT POSSIBLE", "31;1"), ("DAMAGED", "31;1"), ("TOO OLD", "33;1"), ("  ✗ ", "31;1"),
    ("  ✓ ", "32"),
  ] { line.replace(word, with: "\u{1B}[\(color)m\(word)\u{1B}[0m") }
  if line.hasPrefix("  ! ") { line = "\u{1B}[33;1m  ! \u{1B}[0m" + line.dropFirst(4) }
  if line.hasSuffix(" fine") { line = line.dropLast(4) + "\u{1B}[32mfine\u{1B}[0m" }
  return line
}
