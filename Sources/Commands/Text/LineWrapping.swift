/// A text for a terminal: lines that are wider go on in the next one, between two words, below their own text. A command stays in one line.
func wrapped(_ text: String, columns: Int) -> String {
  guard columns >= 30 else { return text }
  return text.split(separator: "\n", omittingEmptySubsequences: false)
    .map { $0.count <= columns ? String($0) : wrapped(line: String($0), columns) }.joined(separator: "\n")
}

private func wrapped(line: String, _ columns: Int) -> String {
  let indent = String(repeating: " ", count: min(textStart(line), columns / 2))
  var lines: [String] = []
  var current = ""
  var isEmpty = true
  for unit in units(of: line) {
    // What is longer than a line, such as a path, stays whole.
    if isEmpty || current.count + unit.spaces + unit.text.count <= columns {
      current += String(repeating: " ", count: unit.spaces) + unit.text
    } else {
      lines.append(current)
      current = indent + unit.text
    }
    isEmpty = false
  }
  return (lines + [current]).joined(separator: "\n")
}

/// Where the text of a line begins: behind its first words, when two spaces part them, as in a table, or behind `hint:`; else at its
/// indentation.
private func textStart(_ line: String) -> Int {
  if let match = line.prefixMatch(of: /(error|hint|warning):\s/) { return match.0.count }
  if let match = line.prefixMatch(of: /\s*\S+( \S+)?\s{2,}/), match.0.count <= 20 { return match.0.count }
  return line.prefix { $0 == " " }.count + 2
}

// MARK: Units

/// Words that stay together, and how many spaces come before them.
private struct Unit {
  var spaces: Int
  var text: String
}

private func units(of line: String) -> [Unit] {
  var units: [Unit] = []
  var glue = Glue()
  var spaces = 0
  for part in line.split(separator: " ", omittingEmptySubsequences: false) {
    if part.isEmpty {
      spaces += 1
      continue
    }
    if glue.holds(String(part)), var last = units.popLast() {
      last.text += String(repeating: " ", count: spaces) + part
      units.append(last)
    } else {
      units.append(Unit(spaces: spaces, text: String(part)))
    }
    glue.take(String(part))
    spaces = 1
  }
  return units
}

/// Whether the next word belongs to the one before: to an arrow, or to a command that somebody is to copy.
private struct Glue {
  private enum State: Equatable {
    case none
    case arrow
    /// A command that a colon or an arrow announces: all up to a mark of punctuation.
    case command
    case statement
    /// Holdfast's name in a sentence: its command, and what looks like options and names.
    case mention
  }
  private var state = State.none
  private var last = ""

  func holds(_ word: String) -> Bool {
    switch state {
    case .none: false
    case .arrow, .command, .statement: true
    case .mention:
      last.hasSuffix("holdfast") || last.hasPrefix("--") || word.contains { !$0.isLetter || $0.isUppercase }
    }
  }

  mutating func take(_ word: String) {
    let isAnnounced = state == .arrow || last.hasSuffix(":") || last == "&&"
    if word == "->" || word == "→" {
      state = .arrow
    } else if state == .command || state == .mention && holds(word) || state == .statement {
      let ends = state == .statement ? [";"] : [",", ";", ".", ")", "&&"]
      if ends.contains(where: word.hasSuffix) { state = .none }
    } else if word.hasSuffix("holdfast") {
      state = isAnnounced ? .command : .mention
    } else if isAnnounced, Self.beginnings.contains(word) {
      state = word == "dropdb" ? .command : .statement
    } else {
      state = .none
    }
    last = word
  }

  private static let beginnings: Set<String> = ["ALTER", "CREATE", "DROP", "GRANT", "REVOKE", "SET", "dropdb"]
}
