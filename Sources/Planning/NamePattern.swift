/// A pattern of table names, as pg_dump's `--exclude-table-data` and psql's `\d` read it.
///
/// Source: "Patterns" on PostgreSQL's page about psql. Letters are lower-case outside of double quotes; `*` and `?` stand for any characters
/// and for one; a dot parts schema and name; everything else is a regular expression's.
package struct NamePattern: Sendable, Equatable {
  /// Regular expressions of the server's; nil: whatever the search path finds.
  package private(set) var schema: String?
  package private(set) var name: String

  /// Nil for one with a database's name before the schema's: a backup is restored into others.
  package init?(_ pattern: String) {
    var parts = [""]
    var quoted = false
    var rest = Substring(pattern).unicodeScalars
    while let character = rest.popFirst() {
      switch character {
      // A quote in quotes is written twice.
      case "\"" where quoted && rest.first == "\"":
        rest.removeFirst()
        parts.append(parts.removeLast() + "\"")
      case "\"": quoted.toggle()
      case "." where !quoted: parts.append("")
      default: parts.append(parts.removeLast() + Self.expression(for: character, before: rest.first, quoted: quoted))
      }
    }
    guard parts.count <= 2 else { return nil }
    name = Self.whole(parts.removeLast())
    schema = parts.popLast().map(Self.whole)
  }

  private static func whole(_ expression: String) -> String { "^(\(expression))$" }

  private static func expression(for character: Unicode.Scalar, before next: Unicode.Scalar?, quoted: Bool) -> String {
    switch character {
    // Names may have it, and expressions have no use for it.
    case "$": "\\$"
    case _ where quoted: "|*+?()[]{}.^\\".unicodeScalars.contains(character) ? "\\\(character)" : "\(character)"
    case "*": ".*"
    case "?": "."
    // An array's type.
    case "[" where next == "]": "\\["
    default: character.isASCII ? character.properties.lowercaseMapping : "\(character)"
    }
  }
}
