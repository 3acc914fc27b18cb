/// A pattern of table names, as pg_dump's `--exclude-table-data` and psql's `\d` read it.
///
/// Source: "Patterns" on PostgreSQL's page about psql. Letters are lower-case outside of double quotes; `*` and `?` stand for any characters
/// and for one; dots part database, schema and name; everything else is a regular expression's.
package struct NamePattern: Sendable, Equatable {
  /// The one that it is about, by its name; nil: whichever it is used in.
  package private(set) var database: String?
  /// Regular expressions of the server's; nil: whatever the search path finds.
  package private(set) var schema: String?
  package private(set) var name: String

  private struct Part {
    var literal = ""
    var expression = ""
    var whole: String { "^(\(expression))$" }
  }

  /// Nil for one of more than three parts.
  package init?(_ pattern: String) {
    var parts = [Part()]
    var quoted = false
    var rest = Substring(pattern).unicodeScalars
    while let character = rest.popFirst() {
      if character == "\"", !(quoted && rest.first == "\"") {
        quoted.toggle()
      } else if character == ".", !quoted {
        parts.append(Part())
      } else {
        // A quote in quotes is written twice.
        if character == "\"" { rest.removeFirst() }
        let folded = quoted || !character.isASCII ? "\(character)" : character.properties.lowercaseMapping
        parts[parts.count - 1].literal += folded
        parts[parts.count - 1].expression += Self.expression(for: character, folded, before: rest.first, quoted: quoted)
      }
    }
    guard parts.count <= 3 else { return nil }
    name = parts.removeLast().whole
    schema = parts.popLast()?.whole
    database = parts.popLast()?.literal
  }

  private static func expression(
    for character: Unicode.Scalar, _ folded: String, before next: Unicode.Scalar?, quoted: Bool
  ) -> String {
    switch character {
    // Names may have it, and expressions have no use for it.
    case "$": "\\$"
    case _ where quoted && "|*+?()[]{}.^\\".unicodeScalars.contains(character): "\\\(character)"
    case "*" where !quoted: ".*"
    case "?" where !quoted: "."
    // An array's type.
    case "[" where next == "]": "\\["
    default: folded
    }
  }
}
