import BackupModel

/// Reads off the statements of a dump what they make, by name.
extension DumpedObjects {
  mutating func take(schema statement: [UInt8]) {
    if let object = Self.created(statement) { made.insert(object) }
    // An identity column makes its sequence by itself.
    let words = Array("\n    SEQUENCE NAME ".utf8)
    if statement.starts(with: "ALTER TABLE ".utf8), let range = statement.firstRange(of: words),
      let object = Self.qualified(.sequence, statement[range.upperBound...])
    {
      made.insert(object)
    }
  }

  /// `SELECT pg_catalog.setval('public.numbers', 7, true)`
  mutating func take(position statement: [UInt8]) {
    let quote = UInt8(ascii: "'")
    guard let start = statement.firstIndex(of: quote) else { return }
    var name: [UInt8] = []
    var rest = statement[(start + 1)...]
    while let byte = rest.popFirst() {
      if byte == quote {
        guard rest.first == quote else { break }
        rest.removeFirst()
      }
      name.append(byte)
    }
    if let object = Self.qualified(.sequence, name[...]) { positions.insert(object) }
  }

  private static func created(_ statement: [UInt8]) -> DatabaseObject? {
    guard statement.starts(with: "CREATE ".utf8) else { return nil }
    for (words, kind) in beginnings where statement.starts(with: words) {
      return qualified(kind, statement[words.count...])
    }
    for (words, kind) in unqualified where statement.starts(with: words) {
      var parser = NameParser(statement[words.count...])
      return parser.identifier().map { DatabaseObject(kind, name: $0) }
    }
    return nil
  }

  private static func qualified(_ kind: ObjectKind, _ bytes: ArraySlice<UInt8>) -> DatabaseObject? {
    var parser = NameParser(bytes)
    guard let schema = parser.identifier(), parser.remaining.first == UInt8(ascii: ".") else { return nil }
    parser = NameParser(parser.remaining.dropFirst())
    return parser.identifier().map { DatabaseObject(kind, schema: schema, name: $0) }
  }

  private static func begins(_ words: String) -> [UInt8] { Array("CREATE \(words) ".utf8) }

  private static let beginnings: [([UInt8], ObjectKind)] = [
    (begins("TABLE"), .table), (begins("UNLOGGED TABLE"), .table), (begins("VIEW"), .view),
    (begins("OR REPLACE VIEW"), .view), (begins("MATERIALIZED VIEW"), .materializedView),
    (begins("FOREIGN TABLE"), .foreignTable), (begins("SEQUENCE"), .sequence),
    (begins("UNLOGGED SEQUENCE"), .sequence),
  ]

  private static let unqualified: [([UInt8], ObjectKind)] = [
    (begins("PUBLICATION"), .publication), (begins("SUBSCRIPTION"), .subscription),
  ]
}
