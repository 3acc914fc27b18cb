/// Follows the unquoted words of one statement, to know a `BEGIN ATOMIC` body from the end of a statement.
struct WordTracker {
  /// Open `BEGIN`s and `CASE`s of a routine's body.
  private(set) var blockDepth = 0
  private var word: [UInt8] = []
  private var first: [String] = []
  /// Only white space has come since a `BEGIN`, which alone may be the name of anything.
  private var begun = false

  /// The word before the cursor is a lone E: the next quote opens a string with backslash escapes.
  var wordIsE: Bool { word == [UInt8(ascii: "e")] }

  mutating func take(_ byte: UInt8, parentheses: Int) {
    // A dollar sign may stand within a name.
    if isIdentifierByte(byte) || byte == UInt8(ascii: "$") && !word.isEmpty {
      if word.count < 16 { word.append(byte | 0x20) }
    } else {
      endWord(parentheses: parentheses)
      begun = begun && [0x20, 0x09, 0x0A, 0x0D].contains(byte)
    }
  }

  mutating func endWord(parentheses: Int) {
    guard !word.isEmpty else { return }
    let text = String(decoding: word, as: UTF8.self)
    word.removeAll(keepingCapacity: true)
    if first.count < 4 { first.append(text) }
    defer { begun = text == "begin" }
    guard parentheses == 0, definesRoutine else { return }
    switch text {
    case "atomic" where begun && blockDepth == 0: blockDepth = 1
    case "case" where blockDepth > 0: blockDepth += 1
    case "end" where blockDepth > 0: blockDepth -= 1
    default: break
    }
  }

  /// CREATE [OR REPLACE] FUNCTION or PROCEDURE.
  private var definesRoutine: Bool {
    guard first.first == "create" else { return false }
    let kind = first.dropFirst().first == "or" ? first.dropFirst(3).first : first.dropFirst().first
    return kind == "function" || kind == "procedure"
  }
}
