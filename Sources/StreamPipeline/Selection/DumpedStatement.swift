/// A name of something in a schema.
package struct QualifiedName: Hashable, Sendable, CustomStringConvertible {
  package var schema: String
  package var name: String

  package init(schema: String, name: String) {
    self.schema = schema
    self.name = name
  }

  package var description: String { "\(schema).\(name)" }

  /// As PostgreSQL compares names: to Swift an é of one character is equal to one of two.
  package static func == (left: QualifiedName, right: QualifiedName) -> Bool {
    left.schema.utf8.elementsEqual(right.schema.utf8) && left.name.utf8.elementsEqual(right.name.utf8)
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(Array(schema.utf8))
    hasher.combine(Array(name.utf8))
  }

  /// As SQL spells it, with quotes or without.
  init?(_ text: String) {
    var parser = NameParser(Array(text.utf8)[...])
    guard let schema = parser.identifier(), parser.remaining.first == UInt8(ascii: ".") else { return nil }
    parser = NameParser(parser.remaining.dropFirst())
    guard let name = parser.identifier(), parser.isAtEnd else { return nil }
    self.init(schema: schema, name: name)
  }
}

/// One statement of a dump, as far as it decides whether some of the dump's tables need it.
///
/// pg_dump spells every name with its schema, in literals too (`nextval('shop.orders_id_seq'::regclass)`): what a statement needs can be
/// read off its text, in every format alike.
package struct DumpedStatement: Sendable {
  enum Role: Sendable, Equatable {
    /// Sets up the session, for all that follows.
    case session
    /// Decides how the tables and indexes that follow are made.
    case context(name: String, value: String)
    case accessMethod(String)
    /// The statements up to its end are another role's: privileges that it has given on.
    case authorization(begins: Bool)
    case schema(String)
    case `extension`(String, schema: String)
    case table(QualifiedName)
    /// Rows of a table.
    case rows(CopyTarget)
    /// A view, or a table of another server: it stands on tables, no table on it.
    case view(QualifiedName)
    /// A type, a function, a sequence: made when something restored names it.
    case part(QualifiedName)
    /// Belongs to what its first name means: an index, a key, a comment, a privilege.
    case belonging
    /// Belongs to a schema as such.
    case ofSchema(String)
    case ofExtension(String)
    /// Belongs to the database as a whole.
    case other
  }

  /// As it stands in the dump, without its semicolon; nothing for what no table needs, such as large objects.
  package let bytes: [UInt8]
  let role: Role
  /// What it names, in its order, itself too.
  let names: [QualifiedName]
  /// What the body of a function names: nothing of it has to be there when the function is made, but when it is called.
  let bodyNames: [QualifiedName]
  /// What it makes besides what its role says: an index, a key's index, the sequence of an identity.
  let makes: QualifiedName?

  package init(_ bytes: [UInt8]) {
    if case .largeObject = DumpStatement(bytes) {
      (self.bytes, role, names, bodyNames, makes) = ([], .other, [], [], nil)
      return
    }
    self.bytes = bytes
    let words = Self.words(bytes)
    let body = Self.body(bytes, words)
    let names = Self.names(in: bytes[..<body.startIndex])
    self.names = names
    // An apostrophe in a comment of it is no quote.
    bodyNames = Self.names(in: ArraySlice(body.filter { $0 != UInt8(ascii: "'") }))
    role = Self.role(words, bytes, names)
    makes = role == .belonging ? Self.made(words, bytes, names) : nil
  }

  /// On one line, no longer than a screen bears.
  package var line: String { Self.line(of: bytes) }

  package static func line(of bytes: [UInt8]) -> String {
    let text = String(decoding: bytes.prefix(400), as: UTF8.self).split(whereSeparator: \.isWhitespace)
      .joined(separator: " ")
    return text.count > 120 ? "\(text.prefix(119))…" : text
  }

  /// What the body of a function calls without a schema, in lower case.
  var calls: Set<String> {
    guard kindOfFirst == .routine, bytes.starts(with: "CREATE ".utf8) else { return [] }
    let body = Self.body(bytes, Self.words(bytes))
    let matches = String(decoding: body, as: UTF8.self).matches(
      of: /(?:^|[^A-Za-z0-9_.$"])([A-Za-z_][A-Za-z0-9_$]*)\s*\(/)
    return Set(matches.map { $0.1.lowercased() })
  }

  /// Whose rows follow it.
  package var rows: CopyTarget? { if case .rows(let target) = role { target } else { nil } }
  package var hasRows: Bool { rows != nil }

  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Without what a comment says.
  var textBeforeLiteral: String {
    guard bytes.starts(with: "COMMENT ON ".utf8) else { return text }
    let ends = [" IS '", " IS E'"].compactMap { Self.range(of: $0, in: bytes)?.lowerBound }
    return String(decoding: bytes[..<(ends.min() ?? bytes.endIndex)], as: UTF8.self)
  }

  /// Names of routines, of types, and of everything else may be alike.
  enum Kind { case routine, type, other }

  /// Of what it makes, or speaks of first.
  var kindOfFirst: Kind {
    let words = Self.words(bytes)
    let kind = ["COMMENT", "GRANT", "REVOKE"].contains(words.first) ? words.drop { $0 != "ON" }.second : words.second
    switch kind {
    case "FUNCTION", "PROCEDURE", "AGGREGATE", "ROUTINE": return .routine
    case "TYPE", "DOMAIN": return .type
    default: return .other
    }
  }

  /// For people: `type`, `sequence`.
  var kind: String { Self.words(bytes).second.map { $0.lowercased() } ?? "" }

  /// `ALTER TABLE ONLY root ATTACH PARTITION part …`.
  var attachment: (root: QualifiedName, partition: QualifiedName)? {
    guard bytes.starts(with: "ALTER TABLE ".utf8), Self.range(of: " ATTACH PARTITION ", in: bytes) != nil,
      let root = names.first, let partition = names.second
    else { return nil }
    return (root, partition)
  }

  /// The table whose sequence it makes one: `ALTER SEQUENCE s OWNED BY t.c`.
  var sequenceOwner: QualifiedName? {
    bytes.starts(with: "ALTER SEQUENCE ".utf8) && Self.range(of: " OWNED BY ", in: bytes) != nil ? names.second : nil
  }

  /// The type whose operator class it makes the default, which no index names.
  var defaultClassOf: QualifiedName? {
    bytes.starts(with: "CREATE OPERATOR CLASS ".utf8) && Self.range(of: " DEFAULT FOR TYPE ", in: bytes) != nil
      ? names.second : nil
  }

  /// What the definition of a range type makes besides.
  var multirange: QualifiedName? {
    guard bytes.starts(with: "CREATE TYPE ".utf8),
      let name = Self.range(of: "multirange_type_name = ", in: bytes)
    else { return nil }
    return Self.names(in: bytes[name.upperBound...]).first
  }

  /// How other statements speak of a part of a table: `TRIGGER touch`, `CONSTRAINT "Fk"`.
  var namedPart: String? {
    for (words, kind) in [
      (" ADD CONSTRAINT ", "CONSTRAINT"), ("CREATE TRIGGER ", "TRIGGER"), ("CREATE CONSTRAINT TRIGGER ", "TRIGGER"),
      ("CREATE POLICY ", "POLICY"), ("CREATE RULE ", "RULE"),
    ] {
      guard let range = Self.range(of: words, in: Array(bytes.prefix(1000))),
        kind == "CONSTRAINT" || range.lowerBound == 0
      else { continue }
      var parser = NameParser(bytes[range.upperBound...])
      guard parser.identifier() != nil else { return nil }
      let name = bytes[range.upperBound..<parser.remaining.startIndex]
      return "\(kind) \(String(decoding: name, as: UTF8.self))"
    }
    return nil
  }

  // MARK: What it is

  /// Its first words, without those that only describe.
  private static func words(_ bytes: [UInt8]) -> [Substring] {
    let text = String(decoding: bytes.prefix(300), as: UTF8.self)
    let words = text.split(maxSplits: 12, whereSeparator: \.isWhitespace)
    let describing: Set<Substring> = [
      "OR", "REPLACE", "UNLOGGED", "UNIQUE", "TRUSTED", "PROCEDURAL", "CONSTRAINT", "RECURSIVE", "DEFAULT",
    ]
    guard words.first == "CREATE" else { return words }
    return ["CREATE"] + words.dropFirst().drop { describing.contains($0) }
  }

  private static func role(_ words: [Substring], _ bytes: [UInt8], _ names: [QualifiedName]) -> Role {
    if bytes.starts(with: "SET SESSION AUTHORIZATION ".utf8) { return .authorization(begins: true) }
    if bytes.starts(with: "RESET SESSION AUTHORIZATION".utf8) { return .authorization(begins: false) }
    switch DumpStatement(bytes) {
    case .session: return .session
    case .context(let name, let value): return .context(name: name, value: value)
    case .copy(let target): return .rows(target)
    case .largeObject: return .other
    case .unreadableCopy, .insert, .sequence, .schema: break
    }
    switch words.first {
    case "CREATE": return created(words.dropFirst(), bytes, names)
    case "ALTER" where words.starts(with: ["ALTER", "DEFAULT", "PRIVILEGES"]): return .other
    case "ALTER" where ["PUBLICATION", "SUBSCRIPTION", "EVENT", "DATABASE", "SERVER"].contains(words.second):
      return .other
    case "ALTER" where words.second == "SCHEMA": return .ofSchema(identifier(behind: "SCHEMA", bytes))
    case "COMMENT", "GRANT", "REVOKE", "SECURITY":
      guard names.isEmpty else { return .belonging }
      if text(bytes, has: " ON SCHEMA ") { return .ofSchema(identifier(behind: "ON SCHEMA", bytes)) }
      return text(bytes, has: " ON EXTENSION ") ? .ofExtension(identifier(behind: "ON EXTENSION", bytes)) : .other
    default: return names.isEmpty ? .other : .belonging
    }
  }

  private static func created(_ words: ArraySlice<Substring>, _ bytes: [UInt8], _ names: [QualifiedName]) -> Role {
    switch words.first {
    case "SCHEMA": return .schema(identifier(behind: "SCHEMA", bytes))
    case "EXTENSION":
      return .extension(
        identifier(behind: "IF NOT EXISTS", bytes), schema: identifier(behind: "WITH SCHEMA", bytes))
    case "ACCESS": return .accessMethod(identifier(behind: "METHOD", bytes))
    case "TABLE": return names.first.map { .table($0) } ?? .other
    case "VIEW", "MATERIALIZED": return names.first.map { .view($0) } ?? .other
    case "FOREIGN" where words.second == "TABLE": return names.first.map { .view($0) } ?? .other
    case "SEQUENCE", "TYPE", "DOMAIN", "FUNCTION", "PROCEDURE", "AGGREGATE", "COLLATION", "CONVERSION", "OPERATOR",
      "TEXT":
      return names.first.map { .part($0) } ?? .other
    case "INDEX", "TRIGGER", "POLICY", "RULE", "STATISTICS", "CAST", "TRANSFORM":
      return names.isEmpty ? .other : .belonging
    default: return .other
    }
  }

  /// An index has the schema of its table, a key's index has the key's name.
  private static func made(_ words: [Substring], _ bytes: [UInt8], _ names: [QualifiedName]) -> QualifiedName? {
    guard let first = names.first else { return nil }
    if words.starts(with: ["CREATE", "INDEX"]) {
      return QualifiedName(schema: first.schema, name: identifier(behind: "INDEX", bytes))
    }
    if words.starts(with: ["CREATE", "STATISTICS"]) { return first }
    if text(bytes, has: "\n    SEQUENCE NAME ") { return names.dropFirst().first }
    guard let key = range(of: " ADD CONSTRAINT ", in: bytes) else { return nil }
    var parser = NameParser(bytes[key.upperBound...])
    guard let name = parser.identifier() else { return nil }
    let kinds = [" PRIMARY KEY ", " UNIQUE ", " EXCLUDE "]
    return kinds.contains { parser.remaining.starts(with: $0.utf8) }
      ? QualifiedName(schema: first.schema, name: name) : nil
  }

  private static func text(_ bytes: [UInt8], has words: String) -> Bool { range(of: words, in: bytes) != nil }

  private static func range(of words: String, in bytes: [UInt8]) -> Range<Int>? {
    bytes.firstRange(of: Array(words.utf8))
  }

  /// The name that follows some words; empty when they are not there.
  private static func identifier(behind words: String, _ bytes: [UInt8]) -> String {
    guard let range = range(of: "\(words) ", in: bytes) else { return "" }
    var parser = NameParser(bytes[range.upperBound...])
    return parser.identifier() ?? ""
  }

  // MARK: What it names

  /// The body of a function, when it stands in quotes.
  private static func body(_ bytes: [UInt8], _ words: [Substring]) -> ArraySlice<UInt8> {
    guard words.first == "CREATE", words.second == "FUNCTION" || words.second == "PROCEDURE",
      let body = range(of: "\n    AS ", in: bytes)
    else { return bytes[bytes.endIndex...] }
    return bytes[body.upperBound...]
  }

  /// Everything that looks like `schema.name` or `schema.+`; within literals where they stand for a name.
  private static func names(in bytes: ArraySlice<UInt8>) -> [QualifiedName] {
    var found: [QualifiedName] = []
    var rest = bytes
    while let byte = rest.first {
      guard startsName(byte) || byte == UInt8(ascii: "'") else {
        rest.removeFirst()
        continue
      }
      if byte == UInt8(ascii: "'") {
        let (content, behind) = literal(rest)
        let isName = ["::reg", "::text)::reg"].contains { behind.starts(with: $0.utf8) }
        if isName || bytes.starts(with: "SELECT pg_catalog.setval(".utf8) {
          found += names(in: content[...])
        }
        rest = behind
        continue
      }
      var parser = NameParser(rest)
      guard let schema = parser.identifier() else {
        rest.removeFirst()
        continue
      }
      rest = parser.remaining
      guard rest.first == UInt8(ascii: "."), let first = rest.dropFirst().first else { continue }
      parser = NameParser(rest.dropFirst())
      if startsName(first), let name = parser.identifier() {
        found.append(QualifiedName(schema: schema, name: name))
        rest = parser.remaining
      } else {
        let sign = rest.dropFirst().prefix { operatorBytes.contains($0) }
        if !sign.isEmpty { found.append(QualifiedName(schema: schema, name: String(decoding: sign, as: UTF8.self))) }
        rest = rest.dropFirst(1 + sign.count)
      }
    }
    return found
  }

  /// What stands in the single quotes that some bytes begin with, and what follows them.
  private static func literal(_ bytes: ArraySlice<UInt8>) -> (content: [UInt8], behind: ArraySlice<UInt8>) {
    let quote = UInt8(ascii: "'")
    var (content, rest): ([UInt8], ArraySlice<UInt8>) = ([], bytes.dropFirst())
    while let end = rest.firstIndex(of: quote) {
      content += rest[..<end]
      rest = rest[(end + 1)...]
      guard rest.first == quote else { return (content, rest) }
      content.append(quote)
      rest.removeFirst()
    }
    return (content + rest, [])
  }

  private static func startsName(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\"") || isIdentifierByte(byte) && !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private static let operatorBytes = Set("+-*/<>=~!@#%^&|`?".utf8)
}

extension RandomAccessCollection {
  fileprivate var second: Element? { dropFirst().first }
}
