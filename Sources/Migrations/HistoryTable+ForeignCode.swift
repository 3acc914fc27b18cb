import BackupModel
import Diagnostics
import PostgresTools

extension HistoryTable {
  /// Runs what writes to the table, in one transaction with the look at what would run: the lock keeps triggers, rules and indexes from
  /// being made between the two.
  ///
  /// - Parameter isPatient: whoever has the table locked is waited for as long as it takes: the migration has run.
  /// - Throws: `foreign_code`, `history_locked`; what `body` throws, after which nothing was written.
  func writing(isPatient: Bool = true, _ body: () throws(Failure) -> Void) throws(Failure) {
    try session.waiting { () throws(Failure) in
      try withLock("SHARE ROW EXCLUSIVE", isPatient: isPatient) { () throws(Failure) in try body() }
    }
  }

  /// Runs what reads the table by a query, likewise: a planner calls what is behind indexes, too.
  ///
  /// - Throws: `foreign_code`, `history_locked`; what `body` throws.
  func reading<Result>(isPatient: Bool = false, _ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    // What keeps indexes and statistics from being made takes a right to write, too.
    let mode = try mayKeepNames() ? "SHARE UPDATE EXCLUSIVE" : "ACCESS SHARE"
    guard isPatient else { return try withLock(mode, isPatient: false, body) }
    return try session.waiting { () throws(Failure) in try withLock(mode, isPatient: true, body) }
  }

  private func withLock<Result>(
    _ mode: String, isPatient: Bool, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let isOwn = !session.isInTransaction
    if isOwn { try session.query("BEGIN") }
    do throws(Failure) {
      if isThere {
        let usual = try session.query("SHOW lock_timeout").first?.first ?? nil
        if !isPatient { try session.query("SET LOCAL lock_timeout = '10s'") }
        if try mayKeepNames() { try session.query(Self.keepNames) }
        if case .failure(let error) = session.attempt("LOCK TABLE ONLY \(name) IN \(mode) MODE") {
          throw error.sqlState == "55P03" ? locked : error.failure
        }
        // The transaction may be the caller's.
        if !isPatient { try session.query("SET LOCAL lock_timeout = \(quoteLiteral(usual ?? "0"))") }
      }
      try refuseForeignCode()
      let result = try body()
      if isOwn { try session.query("COMMIT") }
      return result
    } catch {
      if isOwn { _ = session.attempt("ROLLBACK") }
      throw error
    }
  }

  /// A standby takes no such lock, and nothing is written there.
  private func mayKeepNames() throws(Failure) -> Bool {
    let role = try session.query(
      """
      SELECT rolsuper AND NOT pg_catalog.pg_is_in_recovery() FROM pg_catalog.pg_roles WHERE rolname = current_user
      """)
    return try Row(role.first).flag(0)
  }

  /// Who owns the schema, or the database, may give its name to another one, whatever is locked in it: then what is written by the table's
  /// name goes elsewhere than what was looked at. Only a superuser can keep that from happening, and has the most to lose.
  private static let keepNames = "LOCK TABLE pg_catalog.pg_namespace IN SHARE MODE"

  /// SQL that looks and locks likewise behind a script, in its transaction, which fails where somebody has made such a thing while it
  /// ran: the error's text says what. A script may have changed the session's search path.
  func guarded() throws(Failure) -> String {
    let lines = [
      "SET LOCAL search_path = ''", session.hasLeftRole ? "SET LOCAL ROLE NONE" : nil,
      try mayKeepNames() ? Self.keepNames : nil,
      "LOCK TABLE ONLY \(name) IN SHARE ROW EXCLUSIVE MODE",
      """
      SELECT (found.what || ' belongs to ' || found.owner || ', and would run with the rights of ' || found.role)::pg_catalog.int4
      FROM (\(Self.foreignCode(in: quoteLiteral(schema)))) AS found (what, owner, role)
      """,
    ]
    return lines.compactMap { $0 }.joined(separator: ";\n")
  }

  /// A trigger, a rule, or a function behind an index, a check or a default runs with the rights of whoever writes. Only a superuser's, or
  /// those of the session's own role, are let run.
  ///
  /// - Throws: `foreign_code`.
  package func refuseForeignCode() throws(Failure) {
    try look()
    guard exists else { return }
    let rows = try session.query(Self.foreignCode(in: "$1"), [schema])
    guard let found = rows.first else { return }
    let row = try Row(found)
    let (object, owner, role) = (try row.text(0), try row.text(1), try row.text(2))
    throw Failure(
      "foreign_code", exit: .configuration, what: "history of \(session.target.database)",
      why: "\(object) on \(name) belongs to \(owner), and would run with the rights of \(role)",
      nextStep: "let \(owner) deploy (its own role in database.url), or drop that object")
  }

  /// - Parameter schema: SQL.
  private static func foreignCode(in schema: String) -> String {
    """
    WITH history AS (
      SELECT c.oid, c.relowner FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = \(schema) AND c.relname = '_prisma_migrations' AND c.relkind = 'r'
    ), code (what, owner) AS (
      SELECT 'trigger ' || pg_catalog.quote_ident(t.tgname), p.proowner FROM history h
      JOIN pg_catalog.pg_trigger t ON t.tgrelid = h.oid AND NOT t.tgisinternal JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
      UNION ALL SELECT 'rule ' || pg_catalog.quote_ident(r.rulename), h.relowner FROM history h
      JOIN pg_catalog.pg_rewrite r ON r.ev_class = h.oid
      UNION ALL SELECT 'foreign key ' || pg_catalog.quote_ident(k.conname), t.relowner FROM history h
      JOIN pg_catalog.pg_constraint k ON k.confrelid = h.oid AND k.contype = 'f'
        AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'))
      JOIN pg_catalog.pg_class t ON t.oid = k.conrelid
      UNION ALL SELECT 'policy ' || pg_catalog.quote_ident(p.polname), h.relowner FROM history h
      JOIN pg_catalog.pg_policy p ON p.polrelid = h.oid WHERE pg_catalog.row_security_active(h.oid)
      -- What was made since the transaction began is not seen in another one.
      UNION ALL SELECT 'what is unseen at isolation level ' || pg_catalog.current_setting('transaction_isolation'),
        h.relowner FROM history h WHERE pg_catalog.current_setting('transaction_isolation') <> 'read committed'
      -- A row of a partition is checked against the keys of all that it is in.
      UNION ALL SELECT 'partition key of ' || a.relid::pg_catalog.regclass::text, p.relowner FROM history h
      CROSS JOIN LATERAL pg_catalog.pg_partition_ancestors(h.oid) a (relid)
      JOIN pg_catalog.pg_class p ON p.oid = a.relid AND p.oid <> h.oid
      -- Nothing depends on the server's own functions, and some of them, and of an extension's, run what they are given.
      UNION ALL SELECT 'function ' || f.oid::pg_catalog.regprocedure::text, h.relowner FROM history h JOIN (
        SELECT conrelid AS relation, conbin::text AS tree FROM pg_catalog.pg_constraint
        UNION ALL SELECT adrelid, adbin::text FROM pg_catalog.pg_attrdef
      ) part ON part.relation = h.oid
      CROSS JOIN LATERAL pg_catalog.regexp_matches(part.tree, ':(funcid|opfuncid) ([0-9]+)', 'g') m
      JOIN pg_catalog.pg_proc f ON f.oid = m[2]::pg_catalog.oid AND f.provolatile <> 'i' AND (f.oid >= 16384
        OR f.proname NOT IN ('now', 'statement_timestamp', 'clock_timestamp', 'gen_random_uuid'))
      UNION ALL SELECT CASE WHEN f.oid IS NOT NULL THEN 'function ' || f.oid::pg_catalog.regprocedure::text
        WHEN o.oid IS NOT NULL THEN 'operator ' || o.oid::pg_catalog.regoperator::text
        ELSE 'type ' || y.oid::pg_catalog.regtype::text END, COALESCE(f.proowner, o.oprowner, y.typowner)
      FROM history h JOIN (
        SELECT 'pg_catalog.pg_class'::pg_catalog.regclass AS class, indexrelid AS id, indrelid AS relation
        FROM pg_catalog.pg_index
        UNION ALL SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, oid, conrelid FROM pg_catalog.pg_constraint
        UNION ALL SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, oid, adrelid FROM pg_catalog.pg_attrdef
        UNION ALL SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, oid, stxrelid FROM pg_catalog.pg_statistic_ext
        UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, oid, oid FROM pg_catalog.pg_class
        UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, a.relid, h.oid FROM history h
        CROSS JOIN LATERAL pg_catalog.pg_partition_ancestors(h.oid) a (relid)
      ) part ON part.relation = h.oid
      JOIN pg_catalog.pg_depend d ON d.classid = part.class AND d.objid = part.id
      LEFT JOIN pg_catalog.pg_proc f ON d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND f.oid = d.refobjid
      LEFT JOIN pg_catalog.pg_operator o ON d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass
        AND o.oid = d.refobjid
      LEFT JOIN pg_catalog.pg_type y ON d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND y.oid = d.refobjid
    )
    SELECT code.what, pg_catalog.quote_ident(r.rolname), pg_catalog.quote_ident(current_user) FROM code
    JOIN pg_catalog.pg_roles r ON r.oid = code.owner
    WHERE NOT r.rolsuper AND r.rolname <> current_user ORDER BY 1 LIMIT 1
    """
  }
}
