import BackupModel
import Diagnostics
import Planning
import PostgresTools

/// What a pattern of `exclude_table_data` matches.
struct PatternMatch {
  let pattern: String
  private let hasSchema: Bool
  let relations: [Relation]
  /// The pattern of what it would match if capitals were written in quotes; nil when it matches, or that matches nothing either.
  private let inQuotes: String?

  struct Relation {
    /// Of the server's.
    var oid: String
    /// As `relkind` has it.
    var kind: String
    var schema: String
    var name: String
  }

  /// - Parameter session: in a transaction.
  /// - Throws: `bad_pattern`.
  init(_ pattern: String, _ session: Session) throws(Failure) {
    guard let wanted = NamePattern(pattern) else {
      throw Self.badPattern(pattern, "its parts are a schema and a name, at most")
    }
    self.pattern = pattern
    hasSchema = wanted.schema != nil
    do throws(Failure) {
      relations = try Self.relations(wanted, session)
      inQuotes = relations.isEmpty ? try Self.capitals(wanted, session) : nil
    } catch {
      guard error.isOfStatement else { throw error }
      throw Self.badPattern(pattern, error.why)
    }
  }

  private static func badPattern(_ pattern: String, _ why: String) -> Failure {
    Failure(
      "bad_pattern", exit: .configuration, what: "backup.exclude_table_data",
      why: "\(pattern) is no pattern of table names: \(why)",
      nextStep: "write it as psql's \\d takes it: public.sessions, \"audit.log_*\"")
  }

  /// As pg_dump asks: under the search path of role and database. That ends with the transaction, so that a pooler's session stays as it was.
  private static func relations(
    _ wanted: NamePattern, _ session: Session
  ) throws(Failure) -> [Relation] {
    try session.query("SET LOCAL search_path TO DEFAULT")
    let rows = try session.query(
      """
      SELECT c.oid, c.relkind, n.nspname, c.relname FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
      WHERE c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'S', 'v', 'm', 'f', 'p']::pg_catalog."char"[])
        AND n.nspname OPERATOR(pg_catalog.!~) '^(pg_|information_schema$)'
        AND c.relname OPERATOR(pg_catalog.~) $1::pg_catalog.text COLLATE pg_catalog."default"
        AND CASE WHEN $2::pg_catalog.text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
          ELSE n.nspname OPERATOR(pg_catalog.~) $2::pg_catalog.text COLLATE pg_catalog."default" END
      """, [wanted.name, wanted.schema])
    try session.query("SELECT pg_catalog.set_config('search_path', '', true)")
    return try rows.map { (values) throws(Failure) in
      let row = try Row(values)
      return try Relation(oid: row.text(0), kind: row.text(1), schema: row.text(2), name: row.text(3))
    }
  }

  /// Prisma's tables have capitals, which a pattern without quotes turns into small letters.
  private static func capitals(_ wanted: NamePattern, _ session: Session) throws(Failure) -> String? {
    try session.query(
      """
      SELECT pg_catalog.quote_ident(n.nspname) OPERATOR(pg_catalog.||) '.'
        OPERATOR(pg_catalog.||) pg_catalog.quote_ident(c.relname)
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
      WHERE c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'S', 'm', 'p']::pg_catalog."char"[])
        AND n.nspname OPERATOR(pg_catalog.!~) '^(pg_|information_schema$)'
        AND c.relname OPERATOR(pg_catalog.~*) $1::pg_catalog.text COLLATE pg_catalog."default"
        AND ($2::pg_catalog.text IS NULL OR n.nspname OPERATOR(pg_catalog.~*) $2::pg_catalog.text COLLATE pg_catalog."default")
      ORDER BY 1 LIMIT 1
      """, [wanted.name, wanted.schema]
    ).first?.first ?? nil
  }

  /// The same for a session with another search path: name by name, as there may be others of these names in the same schemas, which the
  /// path hid. Of very many, whose names pg_dump would look up one by one, the schemas are enough.
  var qualified: [String] {
    if hasSchema { return [pattern] }
    let own = relations.filter { ["r", "m", "S"].contains($0.kind) }
    guard own.count > 1000 else { return own.map { "\(quoteIdentifier($0.schema)).\(quoteIdentifier($0.name))" } }
    return Set(own.map(\.schema)).sorted().map { "\(quoteIdentifier($0)).\(pattern)" }
  }

  /// `2 tables, 1 sequence`; nil when nothing of it has content.
  var leavesOut: String? {
    let kinds = [("r", "table"), ("m", "materialized view"), ("S", "sequence")]
    let parts = kinds.compactMap { (kind, noun) -> String? in
      let count = relations.count { $0.kind == kind }
      return count > 0 ? counted(count, noun) : nil
    }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }

  /// Why nothing is left out, and what to do about it.
  var emptiness: (why: String, fix: String) {
    relations.contains { $0.kind == "p" }
      ? (
        "matches a partitioned table only: the rows are in its partitions, and they are saved",
        "give a pattern of the partitions' names"
      )
      : (
        "matches nothing that has rows",
        inQuotes.map { "did you mean '\($0)'? Names with capitals are written in quotes" }
          ?? "fix the pattern, or remove it"
      )
  }
}
