import BackupModel
import Diagnostics
import Foundation

/// Cuts the SQL text of a dump into statements, a byte at a time, so that pieces may be split anywhere.
///
/// It knows what can hide a semicolon: quotes, `E''` strings, quoted identifiers, dollar quotes, comments, parentheses
/// (rules with several commands) and `BEGIN ATOMIC … END` bodies.
struct StatementLexer {
  enum Event {
    case none
    /// Without its semicolon, its comments and the white space around it.
    case statement([UInt8])
    /// A `COMMENT` of more than a MiB: its beginning, and the hash of the whole statement.
    case longComment(beginning: [UInt8], MultisetHash)
    /// The text after `--`; cut at 80 bytes.
    case comment(String)
    /// From a backslash outside of quotes to the end of the line: psql takes it for a command wherever it stands.
    case metaCommand(String)
  }

  private enum State {
    case normal, dash, slash, lineComment, metaCommand, dataLine
    case block(depth: Int), blockSlash(depth: Int), blockStar(depth: Int)
    case single(escapes: Bool), singleBackslash, double
    case dollarOpen, dollarBody(tag: [UInt8], start: Int)
  }

  /// PostgreSQL accepts statements of up to 1 GiB.
  private static let longestStatement = 2 << 30

  /// Whether the text of a long `COMMENT` is only hashed. Its size is up to whoever owns something, and it has one wording.
  private let hashesLongComments: Bool
  private var state = State.normal
  private var text = StatementText()
  private var comment: [UInt8] = []
  private var tag: [UInt8] = []
  private var lastStringEscapes = false
  private var lastWasQuoteEnd = false
  private var parentheses = 0
  private var words = WordTracker()
  /// What stood outside of quotes, and the quotes that opened; nil: nobody wants it.
  private var outside: [UInt8]?
  /// Bytes taken so far.
  private(set) var consumed = 0
  /// Where the statement that is being read began.
  private(set) var statementStart = 0

  init(hashingLongComments: Bool = false) { hashesLongComments = hashingLongComments }

  /// The bytes of one statement that stand outside of quotes, with the quotes that open.
  static func outsideOfQuotes(_ statement: [UInt8]) -> [UInt8] {
    var lexer = StatementLexer()
    lexer.outside = []
    for byte in statement { _ = lexer.step(byte) }
    return lexer.outside ?? []
  }

  /// Nothing of a statement or comment has been begun.
  var isBetweenStatements: Bool {
    if case .normal = state { return text.isEmpty }
    return false
  }

  /// The line of a statement that is followed by data has not ended yet.
  var isBeforeData: Bool {
    if case .dataLine = state { return true }
    return false
  }

  /// The statement just delivered is followed by data from the next line on.
  mutating func expectData() { state = .dataLine }

  /// Takes bytes up to the next event.
  mutating func take(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> (taken: Int, event: Event) {
    var position = 0
    while position < bytes.count {
      position += copyQuoted(UnsafeRawBufferPointer(rebasing: bytes[position...]))
      guard position < bytes.count else { break }
      let byte = bytes[position]
      position += 1
      consumed += 1
      let event = step(byte)
      if case .none = event {} else { return (position, event) }
      if case .dataLine = state, byte == 0x0A {
        state = .normal
        return (position, .none)
      }
    }
    if hashesLongComments, text.starts(with: "COMMENT ON ") { text.hashWhatIsLong() }
    guard text.count <= Self.longestStatement else {
      throw Failure(
        "unreadable_dump", exit: .dataDamaged, what: "reading the dump",
        why: "a statement is longer than \(Self.longestStatement >> 30) GiB", nextStep: "take another backup")
    }
    return (position, .none)
  }

  /// Inside quotes most bytes mean nothing: copies them at once, up to the next one that may.
  private mutating func copyQuoted(_ bytes: UnsafeRawBufferPointer) -> Int {
    let stop: UInt8
    switch state {
    case .single(escapes: false): stop = UInt8(ascii: "'")
    case .double: stop = UInt8(ascii: "\"")
    case .dollarBody: stop = UInt8(ascii: "$")
    default: return 0
    }
    guard let base = bytes.baseAddress else { return 0 }
    let length = memchr(base, Int32(stop), bytes.count).map { UnsafeRawPointer($0) - base } ?? bytes.count
    text.append(contentsOf: bytes.prefix(length))
    consumed += length
    return length
  }

  private mutating func step(_ byte: UInt8) -> Event {
    switch state {
    case .normal: return normal(byte)
    case .dash:
      if byte == UInt8(ascii: "-") {
        begin(comment: .lineComment)
      } else {
        return resume(after: UInt8(ascii: "-"), with: byte)
      }
    case .slash:
      if byte == UInt8(ascii: "*") {
        state = .block(depth: 1)
        if !text.isEmpty { append(0x20) }  // it parts two words
      } else {
        return resume(after: UInt8(ascii: "/"), with: byte)
      }
    case .lineComment, .metaCommand: return line(byte)
    case .dataLine: if byte == UInt8(ascii: "\\") { begin(comment: .metaCommand) }
    case .block, .blockSlash, .blockStar: block(byte)
    case .single, .singleBackslash, .double, .dollarOpen, .dollarBody: return quoted(byte)
    }
    return .none
  }

  private mutating func begin(comment kind: State) {
    comment.removeAll(keepingCapacity: true)
    state = kind
  }

  /// The byte before was no comment's beginning after all.
  private mutating func resume(after held: UInt8, with byte: UInt8) -> Event {
    state = .normal
    append(held)
    return normal(byte)
  }

  private mutating func append(_ byte: UInt8) {
    if text.isEmpty { statementStart = consumed - 1 }
    // Behind a line's end a string goes on, of the same kind.
    lastWasQuoteEnd = lastWasQuoteEnd && [0x20, 0x09, 0x0A, 0x0D].contains(byte)
    outside?.append(byte)
    words.take(byte, parentheses: parentheses)
    text.append(byte)
  }

  private mutating func normal(_ byte: UInt8) -> Event {
    switch byte {
    case UInt8(ascii: "-"): state = .dash
    case UInt8(ascii: "/"): state = .slash
    case UInt8(ascii: "'"): openString()
    case UInt8(ascii: "\""):
      append(byte)
      state = .double
    case UInt8(ascii: "$") where !(text.last.map { isIdentifierByte($0) || $0 == byte } ?? false):
      append(byte)
      tag = []
      state = .dollarOpen
    case UInt8(ascii: "\\"): begin(comment: .metaCommand)
    case UInt8(ascii: ";") where parentheses == 0:
      words.endWord(parentheses: parentheses)
      if words.blockDepth == 0 { return endStatement() }
      append(byte)
    case 0x20, 0x0A, 0x09, 0x0D:
      if text.isEmpty { return .none }
      append(byte)
    default:
      append(byte)
      if byte == UInt8(ascii: "(") { parentheses += 1 }
      if byte == UInt8(ascii: ")") { parentheses = max(0, parentheses - 1) }
    }
    return .none
  }

  private mutating func openString() {
    // A doubled quote reads as the end of one string and the start of the next, of the same kind.
    let escapes = lastWasQuoteEnd ? lastStringEscapes : words.wordIsE
    append(UInt8(ascii: "'"))
    lastStringEscapes = escapes
    state = .single(escapes: escapes)
  }

  private mutating func endStatement() -> Event {
    parentheses = 0
    lastWasQuoteEnd = false
    words = WordTracker()
    switch text.finish() {
    case .whole(let statement): return statement.isEmpty ? .none : .statement(statement)
    case .hashed(let beginning, let hash): return .longComment(beginning: beginning, hash)
    }
  }

  private mutating func line(_ byte: UInt8) -> Event {
    let wasComment = if case .lineComment = state { true } else { false }
    // To psql a carriage return ends a comment as well: what follows it is run.
    guard byte == 0x0A || (byte == 0x0D && wasComment) else {
      if comment.count < 80 { comment.append(byte) }
      return .none
    }
    state = .normal
    // The line's end still parts two words.
    if !text.isEmpty { append(0x0A) }
    let content = String(decoding: comment, as: UTF8.self)
    return wasComment ? .comment(content) : .metaCommand("\\" + content)
  }

  private mutating func block(_ byte: UInt8) {
    switch state {
    case .block(let depth):
      if byte == UInt8(ascii: "/") { state = .blockSlash(depth: depth) }
      if byte == UInt8(ascii: "*") { state = .blockStar(depth: depth) }
    case .blockSlash(let depth):
      switch byte {
      case UInt8(ascii: "*"): state = .block(depth: depth + 1)
      case UInt8(ascii: "/"): break
      default: state = .block(depth: depth)
      }
    case .blockStar(let depth):
      switch byte {
      case UInt8(ascii: "/"): state = depth > 1 ? .block(depth: depth - 1) : .normal
      case UInt8(ascii: "*"): break
      default: state = .block(depth: depth)
      }
    default: break
    }
  }

  private mutating func quoted(_ byte: UInt8) -> Event {
    switch state {
    case .single(let escapes):
      text.append(byte)
      if escapes, byte == UInt8(ascii: "\\") {
        state = .singleBackslash
      } else if byte == UInt8(ascii: "'") {
        state = .normal
        lastWasQuoteEnd = true
      }
    case .singleBackslash:
      text.append(byte)
      state = .single(escapes: true)
    case .double:
      text.append(byte)
      if byte == UInt8(ascii: "\"") { state = .normal }
    case .dollarOpen:
      if byte == UInt8(ascii: "$") {
        text.append(byte)
        state = .dollarBody(tag: [byte] + tag + [byte], start: text.count)
      } else if isIdentifierByte(byte) {
        text.append(byte)
        tag.append(byte)
      } else {
        state = .normal
        return normal(byte)
      }
    case .dollarBody(let tag, let start):
      text.append(byte)
      if byte == UInt8(ascii: "$"), text.count - start >= tag.count, text.ends(with: tag) {
        state = .normal
      }
    default: break
    }
    return .none
  }
}

func isIdentifierByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
    true
  default: false
  }
}
