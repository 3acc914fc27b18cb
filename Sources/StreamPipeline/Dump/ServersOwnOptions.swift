/// Options of columns that the server keeps for itself, and sets again whenever a column is made: `pg_attver`, from 15.20 on.
///
/// The pg_dump that comes with such a server hides them; an older one, or one of another major, prints them. Setting them changes nothing on a
/// server that knows them, and is an error on one that does not. All that users can set is named without `pg_`.
package enum ServersOwnOptions {
  private static let tables = [
    "ALTER TABLE ONLY ", "ALTER FOREIGN TABLE ONLY ", "ALTER TABLE ", "ALTER FOREIGN TABLE ",
  ]

  /// - Returns: the same statement without them: itself where it sets none, and nothing where it sets nothing else.
  package static func removed(from statement: [UInt8]) -> [UInt8] {
    guard statement.last == UInt8(ascii: ")"), let words = tables.first(where: { statement.starts(with: $0.utf8) }),
      let list = optionList(statement.dropFirst(words.utf8.count))
    else { return statement }
    let options = statement[list].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
      .map { $0.drop { $0 == UInt8(ascii: " ") } }
    let others = options.filter { !isServersOwn($0) }
    guard others.count < options.count else { return statement }
    guard !others.isEmpty else { return [] }
    return statement[..<list.lowerBound] + Array(others.joined(separator: Array(", ".utf8)))
      + statement[list.upperBound...]
  }

  /// The options of `schema.table ALTER COLUMN name SET (n_distinct=5, pg_attver=7)`.
  private static func optionList(_ rest: ArraySlice<UInt8>) -> Range<Int>? {
    var names = NameParser(rest)
    guard names.identifier() != nil, names.skip("."), names.identifier() != nil, names.skip(" ALTER COLUMN "),
      names.identifier() != nil, names.skip(" SET (")
    else { return nil }
    return names.remaining.startIndex..<rest.endIndex - 1
  }

  /// Their values are numbers: a text in quotes could hold a comma, and is nobody's of the server.
  private static func isServersOwn(_ option: ArraySlice<UInt8>) -> Bool {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard option.starts(with: "pg_".utf8), let equals = option.firstIndex(of: UInt8(ascii: "=")) else { return false }
    let value = option[(equals + 1)...]
    return !value.isEmpty && value.allSatisfy { digits.contains($0) }
      && option[..<equals].allSatisfy { isIdentifierByte($0) }
  }
}
