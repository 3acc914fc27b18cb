/// A statement in which the schemas of two dumps differ.
package struct SchemaDifference: Sendable, Equatable {
  /// Nil: the other has one more.
  package let expected: SchemaStatement?
  package let found: SchemaStatement?

  /// Both define the same object, in other words. Whether these mean the same only the server can tell.
  package var isWording: Bool { expected != nil && found != nil }

  /// How a restored table stores the values of a column that it has from a parent: a dump does not say that the parent alone was told so.
  /// What the column holds is the same.
  package var isOfStorage: Bool {
    guard expected == nil, let found, found.bytes.starts(with: "ALTER TABLE ".utf8) else { return false }
    return [" SET STORAGE ", " SET COMPRESSION "].contains { found.bytes.firstRange(of: Array($0.utf8)) != nil }
  }

  /// The differences between two schemas: what defines the same object on both sides is a pair.
  package static func between(_ expected: [SchemaStatement], _ found: [SchemaStatement]) -> [SchemaDifference] {
    let missing = subtract(found, from: expected)
    var added = Dictionary(grouping: subtract(expected, from: found)) { StatementSubject($0) }
    var differences: [SchemaDifference] = []
    for statement in missing {
      let subject = StatementSubject(statement)
      let pair = subject == nil || added[subject]?.isEmpty ?? true ? nil : added[subject]?.removeFirst()
      differences.append(SchemaDifference(expected: statement, found: pair))
    }
    let rest = added.values.flatMap { $0 }.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    return differences + rest.map { SchemaDifference(expected: nil, found: $0) }
  }

  /// What of `statements` is more often there than in `others`, in its order.
  private static func subtract(_ others: [SchemaStatement], from statements: [SchemaStatement]) -> [SchemaStatement] {
    var left = Dictionary(others.map { ($0, 1) }, uniquingKeysWith: +)
    return statements.filter { statement in
      guard let count = left[statement], count > 0 else { return true }
      left[statement] = count - 1
      return false
    }
  }

  /// Both sides, a line each, for people.
  package var lines: [String] {
    [expected.map { "backup:   \(Self.shown($0))" }, found.map { "restored: \(Self.shown($0))" }].compactMap { $0 }
  }

  private static func shown(_ statement: SchemaStatement) -> String {
    let text = statement.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return text.count > 400 ? "\(text.prefix(399))…" : text
  }
}

extension SchemaStatement {
  /// A dump of the schema alone has it, too.
  package var isDefinition: Bool {
    let others = [
      "REFRESH MATERIALIZED VIEW ", "SELECT pg_catalog.lo_create(", "ALTER LARGE OBJECT ", "COMMENT ON LARGE OBJECT ",
      // Around a privilege that somebody else has given on, perhaps on a large object.
      "SET SESSION AUTHORIZATION ", "RESET SESSION AUTHORIZATION",
    ]
    if others.contains(where: { bytes.starts(with: $0.utf8) }) { return false }
    let privileges = ["GRANT ", "REVOKE ", "SECURITY LABEL "]
    guard privileges.contains(where: { bytes.starts(with: $0.utf8) }) else { return true }
    return bytes.firstRange(of: Array(" ON LARGE OBJECT ".utf8)) == nil
  }

  /// The same statement as a dump has it.
  package init(dumped statement: [UInt8]) { self.init(normalized(schemaStatement: statement)) }
}
