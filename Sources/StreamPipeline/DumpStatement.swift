/// What one statement of a dump is to the digests.
enum DumpStatement {
  case copy(schema: String, name: String)
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
      self = parser.qualifiedName().map { .copy(schema: $0.schema, name: $0.name) } ?? .unreadableCopy
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

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func qualifiedName() -> (schema: String, name: String)? {
    guard let schema = identifier(), rest.popFirst() == UInt8(ascii: "."), let name = identifier() else { return nil }
    return (schema, name)
  }

  mutating func identifier() -> String? {
    var name: [UInt8] = []
    if rest.first == UInt8(ascii: "\"") {
      rest.removeFirst()
      while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "\"") {
          guard rest.first == byte else { return String(decoding: name, as: UTF8.self) }
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
    return name.isEmpty ? nil : String(decoding: name, as: UTF8.self)
  }
}
