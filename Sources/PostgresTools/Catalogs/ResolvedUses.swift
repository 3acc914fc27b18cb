import Diagnostics

/// Which functions and operators, other than built-in ones, the definitions of a database use, how often, and how often they use parameters.
///
/// A dump names an operator in most expressions, with its schema. In some SQL has no place for the name: `IS DISTINCT FROM`, `NULLIF`,
/// `CASE x WHEN`, `JOIN USING`, and a comparison of rows has room for one operator only. There the server looks it
/// up once more when the dump is restored, under another search path, and may find another one: for `citext` the comparison of `text`. Likewise a name in a function's body may be a parameter before, and a column after.
/// The dumped text of the restored database is the same as before, or seems another wording of it; its catalog is not.
package struct ResolvedUses: Sendable, Equatable {
  /// `definition uses function or operator N times`, both as `pg_identify_object` has them; each once, in no order. Of a long one the
  /// beginning and a hash, which is good within this process.
  package private(set) var lines: Set<String> = []

  /// - Parameter session: of the database. What it sees of temporary objects is left out.
  ///
  /// - Throws: `server_answer_too_large`.
  package init(_ session: Session) throws(Failure) {
    var lines: Set<String> = []
    var bytes = 0
    try Self.each(session) { line in
      bytes += min(line.utf8.count, 1000)
      guard bytes <= Session.mostBytes else { return }
      let isLong = line.utf8.count > 1000
      lines.insert(isLong ? "\(line.prefix(400))… #\(String(UInt(bitPattern: line.hashValue), radix: 36))" : line)
    }
    guard bytes <= Session.mostBytes else { throw session.tooLarge(Session.mostBytes).failure }
    self.lines = lines
  }

  /// Names and arguments are as long, and as many, as their owners like: the lines are told one by one, and not kept.
  package static func each(_ session: Session, _ body: (String) -> Void) throws(Failure) {
    try session.each(sql(session.serverVersion)) { if let line = $0.first ?? nil { body(line) } }
  }

  /// Read from the trees of the expressions: the catalog of dependencies has each object once, however often it is used. Objects of
  /// extensions are what their scripts make of them, in every version as that has them; below 16384 are the server's own.
  private static func sql(_ version: Int) -> String {
    let catalog = "::pg_catalog.regclass"
    return """
      WITH \(ExpressionTrees.own(version)), uses AS (
        SELECT t.class, t.id, m[1] AS kind, o.id::pg_catalog.oid AS used, pg_catalog.count(*) AS times
        FROM own t, pg_catalog.regexp_matches(t.tree, ':(opno|funcid|aggfnoid|winfnoid|opnos) (?:\\(o )?([0-9 ]*[0-9])', 'g') m,
          pg_catalog.regexp_split_to_table(m[2], ' +') o (id)
        WHERE o.id::bigint >= 16384 GROUP BY 1, 2, 3, 4
      )
      SELECT site.type || ' ' || site.identity || ' uses ' || used.type || ' ' || used.identity || ' ' || u.times || ' times'
      FROM uses u CROSS JOIN LATERAL pg_catalog.pg_identify_object(u.class, u.id, 0) site
      CROSS JOIN LATERAL pg_catalog.pg_identify_object(
        CASE WHEN u.kind IN ('opno', 'opnos') THEN 'pg_catalog.pg_operator' ELSE 'pg_catalog.pg_proc' END\(catalog), u.used, 0) used
      WHERE site.identity IS NOT NULL AND used.identity IS NOT NULL
      UNION ALL
      SELECT site.type || ' ' || site.identity || ' uses parameters ' || p.times || ' times'
      FROM (SELECT t.id, pg_catalog.count(*) AS times FROM own t, pg_catalog.regexp_matches(t.tree, '\\{PARAM ', 'g') m
        WHERE t.class = 'pg_catalog.pg_proc'\(catalog) GROUP BY 1) p
      CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_proc'\(catalog), p.id, 0) site
      WHERE site.identity IS NOT NULL
      """
  }
}
