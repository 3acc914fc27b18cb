import BackupModel
import Diagnostics
import Planning
import PostgresTools

/// What a pattern of `exclude_table_data` matches.
struct PatternMatch {
  let pattern: String
  private let hasSchema: Bool
  /// Identifiers of relations, their kinds, as `relkind` has them, and schemas.
  let relations: [(oid: String, kind: String, schema: String)]

  /// - Parameter session: in a transaction.
  /// - Throws: `bad_pattern`.
  init(_ pattern: String, _ session: Session) throws(Failure) {
    guard let wanted = NamePattern(pattern) else {
      throw Self.badPattern(pattern, "its parts are a schema and a name, at most")
    }
    self.pattern = pattern
    hasSchema = wanted.schema != nil
    do throws(Failure) { relations = try Self.relations(wanted, session) } catch {
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
  ) throws(Failure) -> [(oid: String, kind: String, schema: String)] {
    try session.query("SET LOCAL search_path TO DEFAULT")
    let rows = try session.query(
      """
      SELECT c.oid, c.relkind, n.nspname FROM pg_catalog.pg_class c
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
      return (try row.text(0), try row.text(1), try row.text(2))
    }
  }

  /// The same pattern for a session with another search path.
  var qualified: [String] {
    hasSchema ? [pattern] : Set(relations.map(\.schema)).sorted().map { "\(quoteIdentifier($0)).\(pattern)" }
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
      ) : ("matches nothing that has rows", "mend the pattern, or remove it")
  }
}
