import BackupModel
import Diagnostics
import Planning
import PostgresTools

/// What `exclude_table_data` leaves out, and whether a backup without it can be restored.
struct ExcludedRows {
  /// What a pattern matches.
  struct Match {
    var pattern: String
    /// Identifiers of relations by their kinds, as `relkind` has them.
    var relations: [(oid: String, kind: String)]

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
          "name the partitions: \(pattern)_*, or whatever they are called"
        ) : ("matches nothing that has rows", "mend the pattern, or remove it")
    }
  }

  private let session: Session
  let matches: [Match]

  /// - Parameter session: in a transaction.
  /// - Throws: `bad_pattern`.
  init(_ session: Session, patterns: [String]) throws(Failure) {
    self.session = session
    var matches: [Match] = []
    for pattern in patterns { matches.append(try Self.match(pattern, session)) }
    self.matches = matches
  }

  private static func match(_ pattern: String, _ session: Session) throws(Failure) -> Match {
    let wanted = NamePattern(pattern)
    do throws(Failure) {
      // As pg_dump asks: what has no schema is looked for under the search path of the role.
      let rows = try session.underOwnSearchPath(nil) { () throws(Failure) in
        try session.query(
          """
          SELECT c.oid, c.relkind FROM pg_catalog.pg_class c
          JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
          WHERE c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'S', 'v', 'm', 'f', 'p']::pg_catalog."char"[])
            AND n.nspname OPERATOR(pg_catalog.!~) '^(pg_|information_schema$)'
            AND c.relname OPERATOR(pg_catalog.~) $1::pg_catalog.text COLLATE pg_catalog."default"
            AND CASE WHEN $2::pg_catalog.text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
              ELSE n.nspname OPERATOR(pg_catalog.~) $2::pg_catalog.text COLLATE pg_catalog."default" END
          """, [wanted.name, wanted.schema])
      }
      var relations: [(String, String)] = []
      for values in rows {
        let row = try Row(values)
        relations.append((try row.text(0), try row.text(1)))
      }
      return Match(pattern: pattern, relations: relations)
    } catch {
      guard error.isOfStatement else { throw error }
      throw Failure(
        "bad_pattern", exit: .configuration, what: "backup.exclude_table_data",
        why: "\(pattern) is no pattern of table names: \(error.why)",
        nextStep: "write it as psql's \\d takes it: public.sessions, \"audit.log_*\"")
    }
  }

  /// - Throws: `excluded_reference`.
  func check() throws(Failure) {
    try checkReferences()
    try checkMaterializedViews()
  }

  /// Of kinds that have rows of their own.
  private var excluded: String {
    let those = matches.flatMap { $0.relations.filter { ["r", "m"].contains($0.kind) }.map(\.oid) }
    return "{\(those.joined(separator: ","))}"
  }

  // MARK: Foreign keys

  /// Rows that are left out must not be referred to by rows that are kept: their foreign key could not be restored.
  private func checkReferences() throws(Failure) {
    let excluded = excluded
    for values in try session.query(Self.references, [excluded]) {
      let row = try Row(values)
      let (kept, left, rows) = (try row.text(0), try row.text(1), try row.text(2))
      guard try Row(try session.query("SELECT EXISTS (\(rows))", [excluded]).first).flag(0) else { continue }
      throw refusal(
        "the rows of \(left) are left out, and rows of \(kept) refer to them",
        nextStep: "leave out those of \(kept) too, or none of \(left): backup.exclude_table_data")
    }
  }

  /// The foreign keys from kept tables to left out ones, with a query for rows that use them. A key to a partition may be used by rows that
  /// refer to other partitions only.
  ///
  /// Keys of a partitioned table are looked at once, not once per partition that refers; where the referred table is partitioned, each of its
  /// partitions has a constraint of its own.
  private static let references = """
    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.format('%I.%I', tn.nspname, t.relname),
      pg_catalog.concat(
        pg_catalog.format('SELECT FROM %s%I.%I f', CASE c.relkind WHEN 'r' THEN 'ONLY ' END, n.nspname, c.relname),
        CASE WHEN t.relispartition
          THEN pg_catalog.format(' JOIN ONLY %I.%I t ON %s', tn.nspname, t.relname, keys.equal) END,
        ' WHERE ', keys.given, ' AND f.tableoid <> ALL ($1::pg_catalog.oid[])')
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_class t ON t.oid = k.confrelid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
    LEFT JOIN pg_catalog.pg_constraint p ON p.oid = k.conparentid,
    LATERAL (
      SELECT pg_catalog.string_agg(pg_catalog.format('f.%I IS NOT NULL', a.attname), ' AND ') AS given,
        pg_catalog.string_agg(
          pg_catalog.format('t.%I OPERATOR(%I.%s) f.%I', ta.attname, o.nspname, o.oprname, a.attname)
          || CASE WHEN ta.attcollation <> 0 AND a.attcollation <> 0
            THEN (SELECT pg_catalog.format(' COLLATE %I.%I', cn.nspname, co.collname) FROM pg_catalog.pg_collation co
              JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = ta.attcollation)
            ELSE '' END, ' AND ') AS equal
      FROM ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey), pg_catalog.unnest(k.conpfeqop))
        AS columns (referring, referred, operator)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = columns.referring
      JOIN pg_catalog.pg_attribute ta ON ta.attrelid = t.oid AND ta.attnum = columns.referred
      JOIN (SELECT op.oid, op.oprname, opn.nspname FROM pg_catalog.pg_operator op
        JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace) o ON o.oid = columns.operator
    ) keys
    WHERE k.contype = 'f' AND k.convalidated AND t.relkind = 'r' AND c.relkind IN ('r', 'p')
      AND t.oid = ANY ($1::pg_catalog.oid[]) AND c.oid <> ALL ($1::pg_catalog.oid[])
      AND (p.oid IS NULL OR p.conrelid = k.conrelid)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
          AND c.oid <> ALL (COALESCE(e.extconfig, '{}')))
    ORDER BY 1, 2, 3
    """

  // MARK: Materialized views

  /// A materialized view that is kept is filled after a restore, and cannot be from one that is left empty.
  private func checkMaterializedViews() throws(Failure) {
    guard let values = try session.query(Self.readers, [excluded]).first else { return }
    let row = try Row(values)
    let (kept, left) = (try row.text(0), try row.text(1))
    throw refusal(
      "the materialized view \(left) is left out, and \(kept) is filled from it",
      nextStep: "leave out \(kept) too, or do not leave out \(left): backup.exclude_table_data")
  }

  /// Through views of any depth. One that is not filled at the source is filled by no restore.
  private static let readers = """
    WITH RECURSIVE direct (reader, relation) AS (
      SELECT r.ev_class, d.refobjid FROM pg_catalog.pg_rewrite r
      JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class
    ), reads (reader, relation) AS (
      SELECT d.reader, d.relation FROM direct d JOIN pg_catalog.pg_class c ON c.oid = d.reader
      WHERE c.relkind = 'm' AND c.relispopulated AND c.oid <> ALL ($1::pg_catalog.oid[])
      UNION
      SELECT r.reader, d.relation FROM reads r JOIN pg_catalog.pg_class v ON v.oid = r.relation AND v.relkind = 'v'
      JOIN direct d ON d.reader = v.oid
    )
    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.format('%I.%I', tn.nspname, t.relname)
    FROM reads r
    JOIN pg_catalog.pg_class c ON c.oid = r.reader JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_class t ON t.oid = r.relation JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
    WHERE t.relkind = 'm' AND t.relispopulated AND t.oid = ANY ($1::pg_catalog.oid[])
    ORDER BY 1, 2
    """

  private func refusal(_ why: String, nextStep: String) -> Failure {
    Failure(
      "excluded_reference", exit: .configuration, what: "backup of \(session.target.database)",
      why: "\(why): it could not be restored", nextStep: nextStep)
  }
}
