/// What pg_dump writes. Anybody may write other SQL into the file of a forged plain backup: `DO`, `COPY … PROGRAM`, `ALTER ROLE`.
package enum DumpVocabulary {
  private static let beginnings = [
    "COMMENT ON ", "SECURITY LABEL ", "SET ", "RESET SESSION AUTHORIZATION", "REFRESH MATERIALIZED VIEW ",
    "INSERT INTO ",
    "BEGIN", "COMMIT", "SELECT pg_catalog.set_config(", "SELECT pg_catalog.setval(", "SELECT pg_catalog.lo_",
    "SELECT pg_catalog.lowrite(", "SELECT * FROM pg_catalog.pg_restore_",
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
    for word in ["CREATE ", "ALTER "] where statement.starts(with: word.utf8) {
      return !ofServer.contains { statement.dropFirst(word.utf8.count).starts(with: $0.utf8) }
    }
    if statement.starts(with: "COPY ".utf8) { return statement.ends(with: " FROM stdin") }
    // Membership of roles is given without an object.
    for word in ["GRANT ", "REVOKE "] where statement.starts(with: word.utf8) {
      return statement.firstRange(of: Array(" ON ".utf8)) != nil
    }
    return beginnings.contains { statement.starts(with: $0.utf8) }
  }
}
