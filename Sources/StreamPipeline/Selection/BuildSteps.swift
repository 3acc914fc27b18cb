/// What builds an index or a constraint, taken apart: the definition, which is parsed, and the building, which reads the rows and names one
/// object only.
package struct BuildSteps: Sendable, Equatable {
  /// Makes it without its content. That of an index fails where its function does, and leaves an index that is not valid.
  package var make: [UInt8]
  package var build: [UInt8]
  package var undo: [UInt8]

  /// - Parameter statement: of a dump, without its semicolon.
  /// - Returns: nil for everything else.
  package init?(_ statement: [UInt8]) {
    if let steps = Self.index(statement) ?? Self.constraint(statement) { self = steps } else { return nil }
  }

  private init(make: [UInt8], build: [UInt8], undo: [UInt8]) {
    (self.make, self.build, self.undo) = (make, build, undo)
  }

  /// `CREATE [UNIQUE] INDEX name ON schema.table …`; that of a partitioned table, `ON ONLY`, has no content.
  private static func index(_ statement: [UInt8]) -> BuildSteps? {
    let beginnings = ["CREATE INDEX ", "CREATE UNIQUE INDEX "].map { Array($0.utf8) }
    guard let beginning = beginnings.first(where: { statement.starts(with: $0) }) else { return nil }
    var reader = SpelledNames(statement[beginning.count...])
    guard let name = reader.name(), reader.skip(" ON "), let schema = reader.name(), reader.skip(".") else {
      return nil
    }
    let index = schema + [UInt8(ascii: ".")] + name
    return BuildSteps(
      make: beginning + Array("CONCURRENTLY ".utf8) + statement[beginning.count...],
      build: Array("REINDEX INDEX ".utf8) + index, undo: Array("DROP INDEX IF EXISTS ".utf8) + index)
  }

  /// `ALTER TABLE [ONLY] schema.table ADD CONSTRAINT name (FOREIGN KEY | CHECK) …`
  private static func constraint(_ statement: [UInt8]) -> BuildSteps? {
    guard !statement.ends(with: " NOT VALID") else { return nil }
    let beginning = Array("ALTER TABLE ".utf8)
    guard statement.starts(with: beginning) else { return nil }
    var reader = SpelledNames(statement[beginning.count...])
    _ = reader.skip("ONLY ")
    guard let schema = reader.name(), reader.skip("."), let table = reader.name() else { return nil }
    reader.skipSpace()
    guard reader.skip("ADD CONSTRAINT "), let name = reader.name(),
      [" FOREIGN KEY ", " CHECK "].contains(where: { reader.remaining.starts(with: $0.utf8) })
    else { return nil }
    let subject = beginning + schema + [UInt8(ascii: ".")] + table
    return BuildSteps(
      make: statement + Array(" NOT VALID".utf8), build: subject + Array(" VALIDATE CONSTRAINT ".utf8) + name,
      undo: subject + Array(" DROP CONSTRAINT IF EXISTS ".utf8) + name)
  }

  /// A key or check that is added without a look at the rows that are there; nil for a statement that does not add one.
  package static func withoutValidation(_ statement: [UInt8]) -> [UInt8]? { constraint(statement)?.make }

  /// `ALTER TABLE … ADD CONSTRAINT name (EXCLUDE | PRIMARY KEY | UNIQUE) …`: the server builds its index with the rights of the table's owner.
  package static func isKey(_ statement: [UInt8]) -> Bool {
    guard statement.starts(with: "ALTER TABLE ".utf8) else { return false }
    var reader = SpelledNames(statement.dropFirst("ALTER TABLE ".utf8.count))
    _ = reader.skip("ONLY ")
    guard reader.name() != nil, reader.skip("."), reader.name() != nil else { return false }
    reader.skipSpace()
    guard reader.skip("ADD CONSTRAINT "), reader.name() != nil else { return false }
    return [" EXCLUDE ", " PRIMARY KEY ", " UNIQUE "].contains { reader.remaining.starts(with: $0.utf8) }
  }
}

/// Reads names as a dump spells them, with their quotes.
private struct SpelledNames {
  private(set) var remaining: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { remaining = bytes }

  mutating func name() -> [UInt8]? {
    var parser = NameParser(remaining)
    guard parser.identifier() != nil else { return nil }
    defer { remaining = parser.remaining }
    return Array(remaining[..<parser.remaining.startIndex])
  }

  mutating func skip(_ words: String) -> Bool {
    guard remaining.starts(with: words.utf8) else { return false }
    remaining = remaining.dropFirst(words.utf8.count)
    return true
  }

  mutating func skipSpace() {
    remaining = remaining.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
  }
}
