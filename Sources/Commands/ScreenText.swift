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

/// A text for a terminal: lines that are wider go on in the next one, between two words, below their own text.
func wrapped(_ text: String, columns: Int) -> String {
  guard columns >= 30 else { return text }
  return text.split(separator: "\n", omittingEmptySubsequences: false)
    .map { $0.count <= columns ? String($0) : wrapped(line: String($0), columns) }.joined(separator: "\n")
}

private func wrapped(line: String, _ columns: Int) -> String {
  let indent = String(repeating: " ", count: min(textStart(line), columns / 2))
  var lines: [String] = []
  var rest = line[...]
  while rest.count > columns {
    let cut = rest.prefix(columns + 1).lastIndex(of: " ") ?? rest.endIndex
    // A word that is longer than a line, such as a path, stays whole.
    guard cut != rest.endIndex, rest[..<cut].contains(where: { $0 != " " }) else { break }
    lines.append(String(rest[..<cut].reversed().drop { $0 == " " }.reversed()))
    rest = indent + rest[cut...].drop { $0 == " " }
    if lines.count > 50 { break }
  }
  return (lines + [String(rest)]).joined(separator: "\n")
}

/// Where the text of a line begins: behind its first word, when two spaces part them, as in a table; else at its indentation.
private func textStart(_ line: String) -> Int {
  if let match = line.prefixMatch(of: /\s*\S+\s{2,}/), match.0.count <= 20 { return match.0.count }
  return line.prefix { $0 == " " }.count + 2
}
