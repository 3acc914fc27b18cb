/// What pg_dump writes, as it writes it. Anybody may write other SQL into the file of a forged plain backup: `DO`, `COPY … PROGRAM`, `ALTER ROLE`.
package enum DumpVocabulary {
  private static let beginnings = ["COMMENT ON ", "SECURITY LABEL ", "REFRESH MATERIALIZED VIEW "]
  private static let whole: Set = [
    "BEGIN", "COMMIT", "RESET SESSION AUTHORIZATION", "SELECT pg_catalog.set_config('search_path', '', false)",
  ]
  /// Objects of the server, in comments, labels and privileges: they outlast the database.
  private static let ofServer: Set = ["DATABASE", "PARAMETER", "ROLE", "TABLESPACE"]
  /// Settings of a dump's session.
  private static let settings: Set = [
    "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_timeout",
    "client_encoding",
    "check_function_bodies", "xmloption", "client_min_messages", "row_security", "escape_string_warning",
    "default_tablespace", "default_table_access_method", "default_with_oids", "extra_float_digits",
  ]
  /// Calls of the server's own functions; their arguments are literals and numbers.
  private static let calls = [
    "setval", "lo_create", "lo_open", "lo_close", "lowrite", "pg_restore_relation_stats",
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
    let text = String(decoding: statement, as: UTF8.self)
    if whole.contains(text) { return true }
    if statement.starts(with: "SELECT ".utf8) { return isCall(statement) }
    if begins("CREATE", created) || begins("ALTER", altered) { return !computes(statement) }
    if statement.starts(with: "COPY ".utf8) {
      var parser = NameParser(statement.dropFirst("COPY ".utf8.count))
      return parser.copyTarget() != nil
    }
    if statement.starts(with: "SET ".utf8) { return isSetting(text) }
    let isPrivilege = ["GRANT ", "REVOKE "].contains { statement.starts(with: $0.utf8) }
    guard isPrivilege || beginnings.contains(where: { statement.starts(with: $0.utf8) }) else { return false }
    if statement.starts(with: "REFRESH ".utf8) { return true }
    // Membership of roles is given without an object.
    let words = StatementOutline(statement).words
    guard let on = words.firstIndex(of: "ON"), let kind = words[on...].dropFirst().first else { return false }
    return !ofServer.contains(kind)
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

  /// It fills or rewrites a table with the values of an expression: a dump has COPY for that.
  private static func computes(_ statement: [UInt8]) -> Bool {
    let outline = StatementOutline(statement)
    let words = outline.words
    if words.starts(with: ["CREATE", "SCHEMA"]) { return words.count > 3 }
    if words.starts(with: ["CREATE", "MATERIALIZED", "VIEW"]) {
      return !words.suffix(3).elementsEqual(["WITH", "NO", "DATA"])
    }
    if words.starts(with: ["CREATE", "SUBSCRIPTION"]) {
      return !String(decoding: StatementLexer.outsideOfQuotes(statement), as: UTF8.self).contains(
        " WITH (connect = false")
    }
    let pairs = zip(words, words.dropFirst()).map { "\($0) \($1)" }
    if words.first == "CREATE", words.prefix(4).contains("TABLE") {
      return words.contains("AS") || pairs.contains("PARTITION OF")
    }
    if words.first == "ALTER", words.contains("RENAME") || pairs.contains("SET SCHEMA") { return true }
    return words.starts(with: ["ALTER", "TABLE"]) && !isChange(ofTable: statement)
  }

  private static let changes: Set = [
    "ADD", "ALTER", "ATTACH", "CLUSTER", "DISABLE", "ENABLE", "FORCE", "INHERIT", "NO", "OWNER", "REPLICA", "SET",
  ]

  /// Whether an `ALTER TABLE` has one change, which reads no rows but to check them.
  private static func isChange(ofTable statement: [UInt8]) -> Bool {
    guard let change = CodeOfOwners.change(ofTable: statement) else { return false }
    let outline = StatementOutline(Array(change))
    let words = outline.words
    guard let verb = words.first, changes.contains(verb), !words.contains(",") else { return false }
    switch verb {
    case "ADD": return words.dropFirst().first == "CONSTRAINT"
    // Its bounds are literals.
    case "ATTACH": return outline.parentheses == outline.text.count { $0 == "(" }
    case "ALTER": break
    default: return true
    }
    let action = words.dropFirst(words.dropFirst().first == "COLUMN" ? 3 : 2)
    switch action.first {
    case "ADD": return action.dropFirst().first == "GENERATED"
    case "SET": return action.dropFirst().first != "DATA"
    default: return false
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
