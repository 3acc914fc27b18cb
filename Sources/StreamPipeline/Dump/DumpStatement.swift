/// Where the rows of a COPY statement go.
package struct CopyTarget: Sendable, Equatable {
  package var schema: String
  package var name: String
  package var columns: [String]
  /// `public."größe" (a, b)`, in the bytes of the dump, which need not be UTF-8.
  package var source: [UInt8] = []
  /// How many of them name the table.
  package var nameLength = 0
  /// As `TableDigest.key`.
  package var key: [[UInt8]] { [Array(schema.utf8), Array(name.utf8)] }
  package var nameBytes: [UInt8] { Array(source.prefix(nameLength)) }
  /// Schema and name without quotes, with a space between them, in the same bytes.
  package var bareName: [UInt8] {
    var bare: [UInt8] = []
    var (isQuoted, isBehindQuote) = (false, false)
    for byte in source.prefix(nameLength) {
      switch byte {
      case UInt8(ascii: "\""):
        // A doubled one closes the quotes and opens them again.
        if isBehindQuote { bare.append(byte) }
        isBehindQuote = isQuoted
        isQuoted.toggle()
        continue
      case UInt8(ascii: ".") where !isQuoted: bare.append(UInt8(ascii: " "))
      default: bare.append(byte)
      }
      isBehindQuote = false
    }
    return bare
  }
}

/// What one statement of a dump is to the digests.
enum DumpStatement {
  case copy(CopyTarget)
  case unreadableCopy
  case insert
  /// `setval`: a sequence's position.
  case sequence
  case largeObject(LargeObjectCall)
  /// Speaks of the session or the transaction, not of the database.
  case session
  /// A setting that decides what the statements after it make.
  case context(name: String, value: String)
  case schema

  init(_ statement: [UInt8]) {
    if statement.starts(with: "COPY ".utf8), statement.ends(with: " FROM stdin") {
      var parser = NameParser(statement.dropFirst(5))
      self = parser.copyTarget().map { .copy($0) } ?? .unreadableCopy
    } else if statement.starts(with: "INSERT INTO ".utf8) {
      self = .insert
    } else if statement.starts(with: "SELECT pg_catalog.".utf8) {
      self = Self.call(statement)
    } else if statement.starts(with: "SET ".utf8) {
      self = Self.setting(statement)
    } else {
      self = statement.elementsEqual("BEGIN".utf8) || statement.elementsEqual("COMMIT".utf8) ? .session : .schema
    }
  }

  private static func call(_ statement: [UInt8]) -> DumpStatement {
    let call = statement.dropFirst("SELECT pg_catalog.".utf8.count)
    if call.starts(with: "setval(".utf8) { return .sequence }
    if call.starts(with: "set_config(".utf8) { return .session }
    if let object = LargeObjectCall(call) { return .largeObject(object) }
    return .schema
  }

  /// Tablespace and access method are given to tables by settings; everything else set in a dump concerns the session.
  private static func setting(_ statement: [UInt8]) -> DumpStatement {
    let parts = String(decoding: statement.dropFirst(4), as: UTF8.self).split(separator: " = ", maxSplits: 1)
    guard parts.count == 2, parts[0].hasPrefix("default_") else { return .session }
    return .context(name: String(parts[0]), value: String(parts[1]))
  }
}

extension Array where Element == UInt8 {
  func ends(with text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}

/// Reads identifiers as pg_dump writes them: bare, or in double quotes with quotes doubled.
struct NameParser {
  private var rest: ArraySlice<UInt8>
  private var nameLength: Int?

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  var isAtEnd: Bool { rest.isEmpty }
  /// What has not been read yet.
  var remaining: ArraySlice<UInt8> { rest }

  /// `schema.name (column, …)`; a table without columns has no list.
  mutating func copyTarget() -> CopyTarget? {
    let source = rest
    guard var target = bareCopyTarget(), let length = nameLength else { return nil }
    target.source = Array(source.dropLast(" FROM stdin".utf8.count))
    target.nameLength = length
    return target
  }

  private mutating func bareCopyTarget() -> CopyTarget? {
    let start = rest.startIndex
    guard let schema = identifier(), rest.popFirst() == UInt8(ascii: "."), let name = identifier() else { return nil }
    nameLength = rest.startIndex - start
    var columns: [String] = []
    let end = Array(" FROM stdin".utf8)
    guard rest.starts(with: " (".utf8) else {
      // pg_dump leaves the place of the list empty.
      let isWhole = rest.elementsEqual(end) || rest.elementsEqual([0x20] + end)
      return isWhole ? CopyTarget(schema: schema, name: name, columns: []) : nil
    }
    rest = rest.dropFirst(2)
    while let column = identifier() {
      columns.append(column)
      guard rest.starts(with: ", ".utf8) else { break }
      rest = rest.dropFirst(2)
    }
    return rest.elementsEqual([UInt8(ascii: ")")] + end)
      ? CopyTarget(schema: schema, name: name, columns: columns) : nil
  }

  /// The names after the first ` TO ` that stands outside of quotes.
  mutating func rolesAfterTo() -> (names: [String], range: Range<Int>)? {
    while !rest.starts(with: " TO ".utf8) {
      if rest.first == UInt8(ascii: "\"") {
        guard identifier() != nil else { return nil }
      } else if rest.popFirst() == nil || rest.first == UInt8(ascii: "(") {
        return nil
      }
    }
    rest = rest.dropFirst(4)
    let start = rest.startIndex
    var names: [String] = []
    while let name = identifier() {
      names.append(name)
      guard rest.starts(with: ", ".utf8) else { break }
      rest = rest.dropFirst(2)
    }
    return (names, start..<rest.startIndex)
  }

  mutating func skip(_ words: String) -> Bool {
    guard rest.starts(with: words.utf8) else { return false }
    rest = rest.dropFirst(words.utf8.count)
    return true
  }

  mutating func identifier() -> String? {
    var name: [UInt8] = []
    if rest.first == UInt8(ascii: "\"") {
      rest.removeFirst()
      while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "\"") {
          guard rest.first == byte else { return nameText(name) }
          rest.removeFirst()
        }
        name.append(byte)
      }
      return nil
    }
    while let byte = rest.first, isIdentifierByte(byte) || byte == UInt8(ascii: "$") {
      name.append(byte)
      rest.removeFirst()
    }
    return name.isEmpty ? nil : nameText(name)
  }
}

/// A name in a dump that is not in UTF-8 keeps each of its bytes, so that it is like no other.
private func nameText(_ bytes: some Collection<UInt8>) -> String {
  String(validating: bytes, as: UTF8.self) ?? String(String.UnicodeScalarView(bytes.map(UnicodeScalar.init)))
}
