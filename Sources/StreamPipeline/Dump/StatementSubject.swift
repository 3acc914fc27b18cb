/// The object that a statement of a schema defines, where its text holds expressions: those the server may word in another way once it has
/// read them.
struct StatementSubject: Hashable {
  let kind: String
  /// Names as the dump spells them, one behind the other.
  let names: [[UInt8]]

  /// - Returns: nil for a statement without expressions. Two dumps of equal schemas have it letter by letter.
  init?(_ statement: SchemaStatement) {
    let bytes = statement.bytes
    for kind in Self.kinds where bytes.starts(with: kind.words.utf8) {
      guard let names = kind.grammar(bytes.dropFirst(kind.words.utf8.count)) else { continue }
      (self.kind, self.names) = (kind.kind, names)
      return
    }
    return nil
  }

  private typealias Grammar = @Sendable (_ rest: ArraySlice<UInt8>) -> [[UInt8]]?

  private struct Kind: Sendable {
    let words: String
    let kind: String
    let grammar: Grammar

    init(_ words: String, _ kind: String, _ grammar: @escaping Grammar) {
      (self.words, self.kind, self.grammar) = (words, kind, grammar)
    }
  }

  private static let kinds: [Kind] = [
    Kind("CREATE TABLE ", "table", name), Kind("CREATE UNLOGGED TABLE ", "table", name),
    Kind("CREATE FOREIGN TABLE ", "table", name), Kind("CREATE VIEW ", "view", name),
    Kind("CREATE OR REPLACE VIEW ", "view", name), Kind("CREATE MATERIALIZED VIEW ", "view", name),
    Kind("CREATE FUNCTION ", "function", name), Kind("CREATE PROCEDURE ", "procedure", name),
    Kind("CREATE DOMAIN ", "domain", name), Kind("CREATE STATISTICS ", "statistics", name),
    Kind("CREATE PUBLICATION ", "publication", name),
    Kind("CREATE INDEX ", "index", { upTo(" USING ", $0) }),
    Kind("CREATE UNIQUE INDEX ", "index", { upTo(" USING ", $0) }),
    Kind("CREATE TRIGGER ", "trigger", { nameOnTable($0) }),
    Kind("CREATE CONSTRAINT TRIGGER ", "trigger", { nameOnTable($0) }),
    Kind("CREATE POLICY ", "policy", { nameOnTable($0) }), Kind("CREATE RULE ", "rule", { nameOnTable($0) }),
    Kind("ALTER TABLE ONLY ", "part of a table", { part($0) }), Kind("ALTER TABLE ", "part of a table", { part($0) }),
    Kind("ALTER FOREIGN TABLE ONLY ", "part of a table", { part($0) }),
    Kind("ALTER FOREIGN TABLE ", "part of a table", { part($0) }),
    Kind("ALTER DOMAIN ", "part of a domain", { part($0) }),
    Kind("ALTER PUBLICATION ", "part of a publication", { upTo(" WHERE ", $0) }),
  ]

  private static let name: Grammar = { rest in
    var names = Names(rest)
    return names.qualified().map { [$0] }
  }

  private static func upTo(_ words: String, _ rest: ArraySlice<UInt8>) -> [[UInt8]]? {
    Array(rest).firstRange(of: Array(words.utf8)).map { [Array(Array(rest)[..<$0.lowerBound])] }
  }

  /// A trigger, a policy, a rule: a name that is its table's.
  private static func nameOnTable(_ rest: ArraySlice<UInt8>) -> [[UInt8]]? {
    var names = Names(rest)
    guard let own = names.qualified(), let on = Array(names.rest).firstRange(of: Array(" ON ".utf8)) else { return nil }
    var table = Names(Array(names.rest)[on.upperBound...])
    // `ON SELECT TO public.t`
    for word in ["SELECT TO ", "INSERT TO ", "UPDATE TO ", "DELETE TO "] { table.skip(word) }
    return table.qualified().map { [own, $0] }
  }

  /// A constraint, a default, a partition's bounds.
  private static func part(_ rest: ArraySlice<UInt8>) -> [[UInt8]]? {
    var names = Names(rest)
    guard let whole = names.qualified() else { return nil }
    while names.rest.first == 0x20 || names.rest.first == 0x0A { names.rest.removeFirst() }
    for words in ["ADD CONSTRAINT ", "ATTACH PARTITION ", "ALTER COLUMN "] where names.skip(words) {
      guard let part = names.qualified() else { return nil }
      // The limits of an identity's sequence are words too: LIKE makes it of another type than a dump of it does.
      let isWorded = [" SET DEFAULT ", " ADD GENERATED "].contains { names.rest.starts(with: $0.utf8) }
      return words != "ALTER COLUMN " || isWorded ? [whole, Array(words.utf8), part] : nil
    }
    return nil
  }

  /// Reads names as the dump spells them.
  private struct Names {
    var rest: ArraySlice<UInt8>

    init(_ rest: ArraySlice<UInt8>) { self.rest = rest }

    /// `name` or `schema.name`
    mutating func qualified() -> [UInt8]? {
      let start = rest
      var parser = NameParser(rest)
      guard parser.identifier() != nil else { return nil }
      if parser.remaining.first == UInt8(ascii: ".") {
        parser = NameParser(parser.remaining.dropFirst())
        guard parser.identifier() != nil else { return nil }
      }
      rest = parser.remaining
      return Array(start[..<rest.startIndex])
    }

    @discardableResult
    mutating func skip(_ words: String) -> Bool {
      guard rest.starts(with: words.utf8) else { return false }
      rest = rest.dropFirst(words.utf8.count)
      return true
    }
  }
}
