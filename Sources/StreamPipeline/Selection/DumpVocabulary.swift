/// What pg_dump writes. Anybody may write other SQL into the file of a forged plain backup: `DO`, `COPY … PROGRAM`, `ALTER ROLE`.
package enum DumpVocabulary {
  private static let beginnings = [
    "COMMENT ON ", "SECURITY LABEL ", "SET ", "RESET SESSION AUTHORIZATION", "REFRESH MATERIALIZED VIEW ", "BEGIN",
    "COMMIT",
  ]
  /// Calls of the server's own functions; their arguments are literals and numbers.
  private static let calls = [
    "set_config", "setval", "lo_create", "lo_open", "lo_close", "lowrite", "pg_restore_relation_stats",
    "pg_restore_attribute_stats", "pg_restore_extended_stats",
  ]
  /// What belongs to the server, and in no database's dump.
  private static let ofServer = [
    "ROLE ", "USER ", "GROUP ", "DATABASE ", "SYSTEM ", "TABLESPACE ", "OR REPLACE ROLE ", "OR REPLACE DATABASE ",
  ]

  /// Whether a statement of a dump may be one of pg_dump's. What it defines is another question.
  package static func has(_ statement: [UInt8]) -> Bool {
    if statement.starts(with: "CREATE USER MAPPING ".utf8) || statement.starts(with: "ALTER USER MAPPING ".utf8) {
      return true
    }
    if statement.starts(with: "SELECT ".utf8) { return isCall(statement) }
    for word in ["CREATE ", "ALTER "] where statement.starts(with: word.utf8) {
      return !ofServer.contains { statement.dropFirst(word.utf8.count).starts(with: $0.utf8) } && !computes(statement)
    }
    if statement.starts(with: "COPY ".utf8) { return statement.ends(with: " FROM stdin") }
    // Membership of roles is given without an object.
    for word in ["GRANT ", "REVOKE "] where statement.starts(with: word.utf8) {
      return statement.firstRange(of: Array(" ON ".utf8)) != nil
    }
    return beginnings.contains { statement.starts(with: $0.utf8) }
  }

  /// An argument that is a call or a query has a parenthesis of its own.
  private static func isCall(_ statement: [UInt8]) -> Bool {
    let outline = StatementOutline(statement)
    guard outline.parentheses == 1, outline.text.hasSuffix(")") else { return false }
    return calls.contains { name in
      ["SELECT pg_catalog.\(name)(", "SELECT * FROM pg_catalog.\(name)("].contains { outline.text.hasPrefix($0) }
    }
  }

  /// It fills a table, or writes one anew, with what an expression in it says: a dump has COPY for that.
  private static func computes(_ statement: [UInt8]) -> Bool {
    let words = StatementOutline(statement).words
    if words.starts(with: ["CREATE", "SCHEMA"]) { return words.count > 3 }
    if words.starts(with: ["CREATE", "MATERIALIZED", "VIEW"]) {
      return !words.suffix(3).elementsEqual(["WITH", "NO", "DATA"])
    }
    if words.first == "CREATE", words.prefix(4).contains("TABLE") { return words.contains("AS") }
    return words.starts(with: ["ALTER", "TABLE"]) && !changes(ofTable: words)
  }

  private static let changes: Set = [
    "ADD", "ALTER", "ATTACH", "CLUSTER", "DISABLE", "ENABLE", "FORCE", "INHERIT", "NO", "OWNER", "REPLICA", "SET",
    "VALIDATE",
  ]

  /// Whether each change of an `ALTER TABLE` is one that reads no rows but to check them.
  private static func changes(ofTable words: [String]) -> Bool {
    let behind = words.dropFirst(words.dropFirst(2).first == "ONLY" ? 4 : 3)
    return behind.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { change in
      let change = Array(change)
      guard let verb = change.first, changes.contains(verb) else { return false }
      if verb == "ADD" { return change.dropFirst().first == "CONSTRAINT" }
      guard verb == "ALTER" else { return true }
      let action = change.dropFirst(change.dropFirst().first == "COLUMN" ? 3 : 2)
      switch action.first {
      case "ADD": return action.dropFirst().first == "GENERATED"
      case "SET": return action.dropFirst().first != "DATA"
      case "DROP": return true
      default: return false
      }
    }
  }
}

/// A statement without what stands in quotes and within parentheses.
struct StatementOutline {
  /// With one opening and one closing parenthesis for each outer pair.
  let text: String
  /// Opening ones, the inner ones too.
  let parentheses: Int

  /// In capitals; a comma is one.
  var words: [String] {
    text.uppercased().replacing(",", with: " , ").split { $0.isWhitespace || "()".contains($0) }.map(String.init)
  }

  init(_ statement: [UInt8]) {
    var (outer, depth, opened): ([UInt8], Int, Int) = ([], 0, 0)
    for byte in StatementLexer.outsideOfQuotes(statement) {
      if byte == UInt8(ascii: ")") { depth = max(0, depth - 1) }
      if depth == 0 { outer.append(byte) }
      if byte == UInt8(ascii: "(") {
        opened += 1
        depth += 1
      }
    }
    text = String(decoding: outer, as: UTF8.self)
    parentheses = opened
  }
}
