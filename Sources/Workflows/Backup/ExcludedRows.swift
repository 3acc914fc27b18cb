import BackupModel
import Diagnostics
import PostgresTools

/// What `exclude_table_data` leaves out, and whether a backup without it can be restored.
///
/// Only catalogs are read: a table's owner decides what runs when its rows are.
struct ExcludedRows {
  private let session: Session
  let matches: [PatternMatch]
  /// Identifiers of what has rows of its own, as an array of the server's.
  private let excluded: String

  /// - Parameter session: in a transaction.
  /// - Throws: `bad_pattern`.
  init(_ session: Session, patterns: [String]) throws(Failure) {
    var matches: [PatternMatch] = []
    for pattern in patterns { matches.append(try PatternMatch(pattern, session)) }
    self.init(session, matches)
  }

  init(_ session: Session, _ matches: [PatternMatch]) {
    self.session = session
    self.matches = matches
    let identifiers = matches.flatMap { $0.relations.filter { ["r", "m"].contains($0.kind) }.map(\.oid) }
    excluded = "{\(identifiers.joined(separator: ","))}"
  }

  /// Of what has content of its own, sequences too.
  var identifiers: [String] { matches.flatMap { $0.relations.map(\.oid) } }

  private func refusal(_ why: String, nextStep: String) -> Failure {
    Failure(
      "excluded_reference", exit: .configuration, what: "backup of \(session.target.database)",
      why: "\(why): it could not be restored", nextStep: "\(nextStep): backup.exclude_table_data")
  }

  // MARK: Materialized views

  /// A materialized view that is kept is filled after a restore, and cannot be from one that is left empty.
  ///
  /// - Returns: `excluded_reference`, once for each.
  func unfillableViews() throws(Failure) -> [Failure] {
    try readers(of: "m").map { kept, left in
      refusal(
        "the materialized view \(left) is left out, and \(kept) is filled from it",
        nextStep: "leave out \(kept) too, or do not leave out \(left)")
    }
  }

  /// Materialized views that come back with less in them, as what they are filled from has no rows then.
  func poorerViews() throws(Failure) -> [(kept: String, left: String)] { try readers(of: "r") }

  private func readers(of kind: String) throws(Failure) -> [(kept: String, left: String)] {
    try session.query(Self.readers, [excluded, kind]).map { (values) throws(Failure) in
      let row = try Row(values)
      return (try row.text(0), try row.text(1))
    }
  }

  /// Through views of any depth, and partitioned tables. One that is not filled at the source is filled by no restore; nor is one that reads
  /// such a one, unless that is left out: then pg_dump does not look at it.
  private static let readers = """
    WITH RECURSIVE direct (reader, relation) AS (
      SELECT r.ev_class, d.refobjid FROM pg_catalog.pg_rewrite r
      JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class
      WHERE r.ev_type = '1'
      UNION ALL SELECT inhparent, inhrelid FROM pg_catalog.pg_inherits
    ), reads (reader, relation) AS (
      SELECT d.reader, d.relation FROM direct d JOIN pg_catalog.pg_class c ON c.oid = d.reader
      WHERE c.relkind = 'm' AND c.relispopulated AND c.oid <> ALL ($1::pg_catalog.oid[])
      UNION
      SELECT r.reader, d.relation FROM reads r
      JOIN pg_catalog.pg_class v ON v.oid = r.relation AND v.relkind = ANY (CASE $2 WHEN 'm' THEN '{v,p,r}' ELSE '{v,p,r,m}' END::"char"[])
      JOIN direct d ON d.reader = v.oid
    )
    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.format('%I.%I', tn.nspname, t.relname)
    FROM reads r
    JOIN pg_catalog.pg_class c ON c.oid = r.reader JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_class t ON t.oid = r.relation JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
    WHERE t.relkind = $2::pg_catalog."char" AND t.oid = ANY ($1::pg_catalog.oid[])
      AND NOT EXISTS (SELECT FROM reads o JOIN pg_catalog.pg_class oc ON oc.oid = o.relation AND oc.relkind = 'm'
        WHERE o.reader = r.reader AND NOT oc.relispopulated AND oc.oid <> ALL ($1::pg_catalog.oid[]))
    ORDER BY 1, 2
    """

  // MARK: Foreign keys

  /// Rows that are left out must not be referred to by rows that are kept: their foreign key could not be restored.
  struct Reference {
    /// A table that is kept.
    var from: [String]
    /// One that is left out.
    var to: [String]
    /// As far as statistics tell.
    var hasRows: Bool
    /// The key is one to a partitioned table of which something is kept: whether rows refer to what is left out, only they tell.
    var isUncertain: Bool
  }

  func references() throws(Failure) -> [Reference] {
    try session.query(Self.references, [excluded]).map { (values) throws(Failure) in
      let row = try Row(values)
      return try Reference(
        from: [row.text(0), row.text(1)], to: [row.text(2), row.text(3)], hasRows: row.flag(4),
        isUncertain: row.flag(5))
    }
  }

  func refusal(of reference: Reference) -> Failure {
    let (kept, left) = (reference.from.joined(separator: "."), reference.to.joined(separator: "."))
    return refusal(
      "the rows of \(left) are left out, and rows of \(kept) refer to them",
      nextStep: "leave out those of \(kept) too, or none of \(left)")
  }

  /// - Parameter digests: of what was dumped: statistics may be wrong about which tables have rows.
  /// - Throws: `excluded_reference`.
  func checkReferences(_ digests: DatabaseDigest) throws(Failure) {
    let filled = Set(digests.tables.filter { $0.rows > 0 }.map(\.key))
    let broken = try references().filter { !$0.isUncertain && filled.contains($0.from.map { Array($0.utf8) }) }
    if let failure = broken.map(refusal(of:)).joined { throw failure }
  }

  /// Tables with a foreign key to a left out one, each partition by itself. Where a partitioned table is referred to, each of its partitions
  /// has a constraint of its own. An extension's tables come back with the extension, and a standby has no rows of unlogged ones.
  private static let references = """
    WITH RECURSIVE referring (declared, relation) AS (
      SELECT DISTINCT conrelid, conrelid FROM pg_catalog.pg_constraint WHERE contype = 'f'
      UNION
      SELECT r.declared, i.inhrelid FROM referring r
      JOIN pg_catalog.pg_class c ON c.oid = r.relation AND c.relkind = 'p'
      JOIN pg_catalog.pg_inherits i ON i.inhparent = c.oid
    ), constraints (id, referred) AS (
      SELECT oid, confrelid FROM pg_catalog.pg_constraint WHERE contype = 'f' AND conparentid = 0
      UNION ALL SELECT k.oid, c.referred FROM constraints c JOIN pg_catalog.pg_constraint k ON k.conparentid = c.id
    ), below (referred, relation) AS (
      SELECT DISTINCT referred, referred FROM constraints
      UNION
      SELECT b.referred, i.inhrelid FROM below b
      JOIN pg_catalog.pg_class c ON c.oid = b.relation AND c.relkind = 'p'
      JOIN pg_catalog.pg_inherits i ON i.inhparent = c.oid
    )
    SELECT n.nspname, c.relname, tn.nspname, t.relname,
      pg_catalog.bool_or((c.reltuples > 0 OR pg_catalog.pg_stat_get_live_tuples(c.oid) > 0)
        AND NOT (c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery())),
      pg_catalog.bool_and(EXISTS (SELECT FROM below b JOIN pg_catalog.pg_class kept ON kept.oid = b.relation
        WHERE b.referred = ks.referred AND kept.relkind = 'r' AND kept.oid <> ALL ($1::pg_catalog.oid[])))
    FROM pg_catalog.pg_constraint k JOIN constraints ks ON ks.id = k.oid JOIN referring r ON r.declared = k.conrelid
    JOIN pg_catalog.pg_class c ON c.oid = r.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_class t ON t.oid = k.confrelid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
    WHERE k.contype = 'f' AND k.convalidated AND c.relkind = 'r' AND t.relkind = 'r'
      AND t.oid = ANY ($1::pg_catalog.oid[]) AND c.oid <> ALL ($1::pg_catalog.oid[])
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
          AND c.oid <> ALL (COALESCE(e.extconfig, '{}')))
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    """
}
