import Foundation

/// Reads the whole text of a dump at once, looking ahead as far as it likes, by psql's rules: slow, simple, and with
/// nothing in common with the scanner that it judges.
struct NaiveDump {
  enum Item {
    case statement([UInt8])
    case copy([UInt8])
    case rows(NaiveRows)
    case comment([UInt8])
    case metaCommand([UInt8])
  }

  private(set) var items: [Item] = []
  /// The text ends where a statement may begin.
  private(set) var endsBetweenStatements = false
  private let text: [UInt8]
  private var position = 0
  /// The statement so far, without comments; and the same with `Q` for all that is quoted.
  private var statement: [UInt8] = []
  private var skeleton = ""

  init(_ text: [UInt8]) {
    self.text = text
    endsBetweenStatements = readAll()
  }

  // MARK: Reading

  /// - Returns: false when the text ends within something.
  private mutating func readAll() -> Bool {
    while position < text.count {
      guard readOne() else { return false }
    }
    return statement.isEmpty
  }

  private mutating func readOne() -> Bool {
    if next("--") { return lineComment() }
    if next("/*") { return blockComment() }
    if next("\\") { return metaCommand() }
    if next("'") { return string() }
    if next("\"") { return quoted(until: "\"", skipping: 1) }
    if let tag = dollarTag() { return quoted(until: tag, skipping: tag.utf8.count) }
    if next(";"), isComplete { return endOfStatement() }
    let byte = text[position]
    take(text[position...position], as: byte < 0x80 ? String(Unicode.Scalar(byte)) : "z")
    return true
  }

  private func next(_ word: String) -> Bool { text[position...].starts(with: word.utf8) }

  private mutating func take(_ bytes: ArraySlice<UInt8>, as shape: String) {
    position = bytes.endIndex
    // White space before a statement is none of it.
    if statement.isEmpty, bytes.allSatisfy({ [0x20, 0x0A, 0x09, 0x0D].contains($0) }) { return }
    statement += bytes
    skeleton += shape
  }

  /// What parts two words without being part of the statement.
  private mutating func gap(_ byte: Character, upTo end: Int) {
    position = end
    if !statement.isEmpty {
      statement += Array(String(byte).utf8)
      skeleton.append(byte)
    }
  }

  // MARK: Comments and commands

  private mutating func lineComment() -> Bool {
    guard let end = text[position...].firstIndex(where: { $0 == 0x0A || $0 == 0x0D }) else { return false }
    items.append(.comment(Array(text[(position + 2)..<end])))
    gap("\n", upTo: end + 1)
    return true
  }

  private mutating func blockComment() -> Bool {
    var depth = 0
    var index = position
    repeat {
      let rest = text[index...]
      if rest.isEmpty { return false }
      if rest.starts(with: "/*".utf8) {
        depth += 1
        index += 2
      } else if rest.starts(with: "*/".utf8) {
        depth -= 1
        index += 2
      } else {
        index += 1
      }
    } while depth > 0
    gap(" ", upTo: index)
    return true
  }

  private mutating func metaCommand() -> Bool {
    guard let end = text[position...].firstIndex(of: 0x0A) else { return false }
    items.append(.metaCommand(Array(text[position..<end])))
    gap("\n", upTo: end + 1)
    return true
  }

  // MARK: Quotes

  private mutating func string() -> Bool {
    let escapes = skeleton.firstMatch(of: byScalar(/(^|[^A-Za-z0-9_])[eE]$/)) != nil
    var index = position + 1
    while true {
      let rest = text[index...]
      if rest.isEmpty { return false }
      if rest.starts(with: "''".utf8) || (escapes && rest.first == UInt8(ascii: "\\") && rest.count > 1) {
        index += 2
      } else if rest.first == UInt8(ascii: "'") {
        take(text[position...index], as: "Q")
        return true
      } else {
        index += 1
      }
    }
  }

  private mutating func quoted(until end: String, skipping opening: Int) -> Bool {
    guard let found = text[(position + opening)...].firstRange(of: Array(end.utf8)) else { return false }
    take(text[position..<found.upperBound], as: "Q")
    return true
  }

  /// `$tag$` at the position; within a name a dollar is a letter.
  private func dollarTag() -> String? {
    guard next("$"), skeleton.firstMatch(of: byScalar(/[A-Za-z0-9_][$]*$/)) == nil else { return nil }
    let line = String(decoding: text[position...].prefix(80), as: UTF8.self)
    return line.firstMatch(of: byScalar(/^\$[A-Za-z0-9_]*\$/)).map { String($0.0) }
  }

  // MARK: Statements

  /// A semicolon here ends the statement: no parenthesis and no `BEGIN ATOMIC` body is open.
  private var isComplete: Bool {
    var outside = skeleton
    while let group = outside.firstMatch(of: byScalar(/\([^()]*\)/)) { outside.replaceSubrange(group.range, with: "%") }
    if outside.unicodeScalars.contains("(") { return false }
    guard outside.firstMatch(of: byScalar(/(?i)^create\s+(or\s+replace\s+)?(function|procedure)\b/)) != nil
    else { return true }
    var depth = 0
    for word in outside.matches(of: byScalar(/(?i)\b(begin[ \n\t\r]+atomic|case|end)\b/)) {
      switch word.1.lowercased() {
      case "case": if depth > 0 { depth += 1 }
      case "end": if depth > 0 { depth -= 1 }
      default: depth = max(depth, 1)
      }
    }
    return depth == 0
  }

  private mutating func endOfStatement() -> Bool {
    position += 1
    while let last = statement.last, [0x20, 0x0A, 0x09, 0x0D].contains(last) { statement.removeLast() }
    let found = statement
    statement = []
    skeleton = ""
    guard found.starts(with: "COPY ".utf8), String(decoding: found, as: UTF8.self).hasSuffix(" FROM stdin") else {
      if !found.isEmpty { items.append(.statement(found)) }
      return true
    }
    return rows(of: found)
  }

  private mutating func rows(of copy: [UInt8]) -> Bool {
    items.append(.copy(copy))
    guard let newline = text[position...].firstIndex(of: 0x0A) else { return false }
    if let command = text[position..<newline].firstIndex(of: UInt8(ascii: "\\")) {
      items.append(.metaCommand(Array(text[command..<newline])))
    }
    let block = NaiveRows(text[(newline + 1)...])
    guard let rest = block.rest else { return false }
    items.append(.rows(block))
    position = rest.startIndex
    return true
  }
}

/// As Characters, a quote with a combining mark behind it would be another character.
func byScalar<Output>(_ pattern: Regex<Output>) -> Regex<Output> {
  pattern.matchingSemantics(.unicodeScalar).wordBoundaryKind(.simple)
}
