/// Statements of a dump that make what a server may call while it defines something else: functions, operators, checks of domains.
package enum CodeOfOwners {
  private static let made = ["FUNCTION", "PROCEDURE", "AGGREGATE", "OPERATOR"]
  /// They have no owner of their own, and those of their functions are looked at.
  private static let notOwned = ["OPERATOR CLASS", "OPERATOR FAMILY"]

  /// A domain whose checks call functions, made or given one: the name, as it is spelled.
  package static func checkedDomain(_ statement: [UInt8]) -> [UInt8]? {
    guard statement.starts(with: "CREATE DOMAIN ".utf8) || isCheckAdded(statement), callsFunction(statement) else {
      return nil
    }
    return domain(statement)
  }

  /// - Returns: the domain and its owner.
  package static func domainOwner(_ statement: [UInt8]) -> (domain: [UInt8], owner: String)? {
    guard statement.starts(with: "ALTER DOMAIN ".utf8), let name = domain(statement),
      let owner = ownerNamed(statement)
    else { return nil }
    return (name, owner)
  }

  /// A check that was not validated, or depends on what comes later.
  private static func isCheckAdded(_ statement: [UInt8]) -> Bool {
    statement.starts(with: "ALTER DOMAIN ".utf8) && statement.firstRange(of: Array(" ADD CONSTRAINT ".utf8)) != nil
  }

  private static func domain(_ statement: [UInt8]) -> [UInt8]? {
    guard let place = statement.firstRange(of: Array(" DOMAIN ".utf8)) else { return nil }
    return qualified(statement[place.upperBound...])
  }

  private static func qualified(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
    var parser = NameParser(bytes)
    guard parser.identifier() != nil, parser.remaining.first == UInt8(ascii: ".") else { return nil }
    parser = NameParser(parser.remaining.dropFirst())
    guard parser.identifier() != nil else { return nil }
    return Array(bytes[..<parser.remaining.startIndex])
  }

  /// A check of a table that comes behind its rows, and is validated then: the table, as it is spelled.
  package static func lateCheck(_ statement: [UInt8]) -> [UInt8]? {
    guard statement.starts(with: "ALTER TABLE ".utf8), BuildSteps.withoutValidation(statement) != nil,
      callsFunction(statement)
    else { return nil }
    return table(statement)
  }

  /// - Returns: the table, or the materialized view, and its owner.
  package static func tableOwner(_ statement: [UInt8]) -> (table: [UInt8], owner: String)? {
    for kind in ["ALTER TABLE ", "ALTER MATERIALIZED VIEW "] where statement.starts(with: kind.utf8) {
      guard let name = table(statement, kind), let owner = ownerNamed(statement) else { return nil }
      return (name, owner)
    }
    return nil
  }

  /// What follows the name of the table in an `ALTER TABLE`; nil where pg_dump would not write it so.
  static func change(ofTable statement: [UInt8]) -> ArraySlice<UInt8>? {
    guard let name = table(statement) else { return nil }
    let start =
      statement.starts(with: "ALTER TABLE ONLY ".utf8) ? "ALTER TABLE ONLY ".utf8.count : "ALTER TABLE ".utf8.count
    let change = statement[(start + name.count)...]
    return change.first == 0x20 || change.first == 0x0A ? change : nil
  }

  /// The table that a statement makes, as it is spelled.
  package static func madeTable(_ statement: [UInt8]) -> [UInt8]? {
    for kind in ["CREATE TABLE ", "CREATE UNLOGGED TABLE ", "CREATE MATERIALIZED VIEW "]
    where statement.starts(with: kind.utf8) {
      return table(statement, kind)
    }
    return nil
  }

  private static func table(_ statement: [UInt8], _ kind: String = "ALTER TABLE ") -> [UInt8]? {
    var rest = statement.dropFirst(kind.utf8.count)
    if rest.starts(with: "ONLY ".utf8) { rest = rest.dropFirst("ONLY ".utf8.count) }
    return qualified(rest)
  }

  /// A function, procedure, aggregate or operator.
  package static func makes(_ statement: [UInt8]) -> Bool {
    guard !notOwned.contains(where: { statement.starts(with: "CREATE \($0) ".utf8) }) else { return false }
    return made.contains { statement.starts(with: "CREATE \($0) ".utf8) }
  }

  /// - Returns: the owner that such a thing is given; nil for every other statement.
  package static func owner(_ statement: [UInt8]) -> String? {
    guard !notOwned.contains(where: { statement.starts(with: "ALTER \($0) ".utf8) }),
      made.contains(where: { statement.starts(with: "ALTER \($0) ".utf8) })
    else { return nil }
    return ownerNamed(statement)
  }

  private static func ownerNamed(_ statement: [UInt8]) -> String? {
    guard let place = statement.lastRange(of: Array(" OWNER TO ".utf8)) else { return nil }
    var parser = NameParser(statement[place.upperBound...])
    guard let owner = parser.identifier(), parser.isAtEnd else { return nil }
    return owner
  }

  /// Something is called in it that is no operator: comparisons and patterns are built-in ones, since operators of owners are told already.
  /// What only looks so, in a literal, counts too.
  private static func callsFunction(_ statement: [UInt8]) -> Bool {
    let whole = String(decoding: statement, as: UTF8.self)
    guard let check = whole.firstMatch(of: #/(?i)\bCHECK\s*\(/#) else { return false }
    let text = whole[check.range.upperBound...]
    let harmless: Set<String> = [
      "length", "char_length", "octet_length", "lower", "upper", "btrim", "ltrim", "rtrim", "trim", "abs", "in", "and",
      "or", "not", "any", "all", "array", "numeric", "varchar", "character", "varying", "check", "coalesce", "position",
      "substring", "array_length", "cardinality", "date_part", "extract", "between", "is", "distinct", "from",
    ]
    return text.matches(of: #/([A-Za-z_0-9$"]+)\s*\(/#).contains { !harmless.contains($0.1.lowercased()) }
  }
}

extension [UInt8] {
  fileprivate func lastRange(of other: [UInt8]) -> Range<Int>? {
    guard count >= other.count else { return nil }
    for start in stride(from: count - other.count, through: 0, by: -1)
    where self[start..<(start + other.count)].elementsEqual(other) {
      return start..<(start + other.count)
    }
    return nil
  }
}
