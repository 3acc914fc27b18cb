/// What pg_dump writes, as it writes it. Anybody may write other SQL into the file of a forged plain backup: `DO`, `COPY … PROGRAM`, `ALTER ROLE`.
package enum DumpVocabulary {
  private static let beginnings = ["COMMENT ON ", "SECURITY LABEL ", "REFRESH MATERIALIZED VIEW "]
  private static let whole: Set = ["BEGIN", "COMMIT", "RESET SESSION AUTHORIZATION"]
  /// Settings of a dump's session.
  private static let settings: Set = [
    "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_timeout",
    "client_encoding",
    "check_function_bodies", "xmloption", "client_min_messages", "row_security", "escape_string_warning",
    "default_tablespace", "default_table_access_method", "default_with_oids", "extra_float_digits",
  ]
  /// Calls of the server's own functions; their arguments are literals and numbers.
  private static let calls = [
    "set_config", "setval", "lo_create", "lo_open", "lo_close", "lowrite", "pg_restore_relation_stats",
    "pg_restore_attribute_stats", "pg_restore_extended_stats",
  ]
  /// Kinds of what belongs to a database.
  private static let kinds = [
    "ACCESS METHOD", "AGGREGATE", "CAST", "COLLATION", "CONVERSION", "DOMAIN", "EVENT TRIGGER", "EXTENSION",
    "FOREIGN DATA WRAPPER", "FOREIGN TABLE", "FUNCTION", "INDEX", "LANGUAGE", "MATERIALIZED VIEW", "OPERATOR", "POLICY",
    "PROCEDURAL LANGUAGE", "PROCEDURE", "PUBLICATION", "RULE", "SCHEMA", "SEQUENCE", "SERVER", "STATISTICS",
    "SUBSCRIPTION", "TABLE", "TEXT SEARCH", "TRANSFORM", "TRIGGER", "TYPE", "USER MAPPING", "VIEW",
  ]
  private static let created =
    kinds + [
      "CONSTRAINT TRIGGER", "DEFAULT CONVERSION", "OR REPLACE PROCEDURAL LANGUAGE",
      "OR REPLACE TRUSTED PROCEDURAL LANGUAGE",
      "OR REPLACE VIEW", "RECURSIVE VIEW", "TRUSTED LANGUAGE", "TRUSTED PROCEDURAL LANGUAGE", "UNIQUE INDEX",
      "UNLOGGED SEQUENCE",
      "UNLOGGED TABLE",
    ]
  private static let altered = kinds + ["DEFAULT PRIVILEGES", "LARGE OBJECT"]

  /// Whether a statement of a dump may be one of pg_dump's. What it defines is another question.
  package static func has(_ statement: [UInt8]) -> Bool {
    func begins(_ word: String, _ kinds: [String]) -> Bool {
      kinds.contains { statement.starts(with: "\(word) \($0) ".utf8) }
    }
    if statement.starts(with: "SELECT ".utf8) { return isCall(statement) }
    if begins("CREATE", created) || begins("ALTER", altered) { return !computes(statement) }
    if statement.starts(with: "COPY ".utf8) { return statement.ends(with: " FROM stdin") }
    if statement.starts(with: "SET ".utf8) { return isSetting(String(decoding: statement, as: UTF8.self)) }
    // Membership of roles is given without an object.
    for word in ["GRANT ", "REVOKE "] where statement.starts(with: word.utf8) {
      return StatementOutline(statement).words.contains("ON")
    }
    return whole.contains(String(decoding: statement, as: UTF8.self))
      || beginnings.contains { statement.starts(with: $0.utf8) }
  }

  private static func isSetting(_ statement: String) -> Bool {
    if statement.wholeMatch(of: /SET SESSION AUTHORIZATION (DEFAULT|[A-Za-z_0-9$]+|'([^']|\'\')*'|"([^"]|"")*")/) != nil
    {
      return true
    }
    if statement.wholeMatch(of: /SET standard_conforming_strings = ('on'|on)/) != nil { return true }
    if statement.hasPrefix("SET restrict_nonsystem_relation_kind = ") { return true }
    guard let match = statement.wholeMatch(of: /SET ([a-z_]+) = ([A-Za-z_0-9]+|'[^'\\]*'|"([^"]|"")*")/) else {
      return false
    }
    return settings.contains(String(match.1))
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
