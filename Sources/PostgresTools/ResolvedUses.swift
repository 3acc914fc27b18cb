import Diagnostics

/// Which functions and operators, other than built-in ones, the definitions of a database use.
///
/// A dump names an operator in most expressions, with its schema. In some SQL has no place for the name: `IS DISTINCT FROM`, `NULLIF`,
/// `CASE x WHEN`, `JOIN USING`. There the server looks it up once more when the dump is restored, under another search path, and may find
/// another one: for `citext` the comparison of `text`. The dumped text of the restored database is the same as before; its catalog is not.
package struct ResolvedUses: Sendable, Equatable {
  /// `definition uses function or operator`, both as `pg_identify_object` has them; each once, in no order.
  package var lines: [String]

  /// - Parameter session: of the database. What it sees of temporary objects is left out.
  package init(_ session: Session) throws(Failure) {
    lines = try session.query(Self.sql).compactMap { $0.first ?? nil }
  }

  /// Objects of extensions are what their scripts make of them, in every version as that has them; below 16384 are the server's own.
  private static let sql = """
    SELECT DISTINCT site.type || ' ' || site.identity || ' uses ' || used.type || ' ' || used.identity
    FROM pg_catalog.pg_depend d
    LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid
    LEFT JOIN pg_catalog.pg_constraint c ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND c.oid = d.objid
    LEFT JOIN pg_catalog.pg_attrdef a ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND a.oid = d.objid
    LEFT JOIN pg_catalog.pg_policy p ON d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND p.oid = d.objid
    LEFT JOIN pg_catalog.pg_trigger t ON d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND t.oid = d.objid
    CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) site
    CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.refclassid, d.refobjid, 0) used
    WHERE d.deptype = 'n' AND d.objid >= 16384
      AND d.refclassid IN ('pg_catalog.pg_operator'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass)
      AND (COALESCE(r.oid, c.oid, a.oid, p.oid) IS NOT NULL OR (t.oid IS NOT NULL AND NOT t.tgisinternal)
        OR d.classid IN ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass,
          'pg_catalog.pg_statistic_ext'::pg_catalog.regclass))
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.deptype = 'e' AND (
        (e.classid = d.classid AND e.objid = d.objid) OR (e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
          AND e.objid = COALESCE(r.ev_class, c.conrelid, a.adrelid, p.polrelid, t.tgrelid))))
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_class x WHERE x.relpersistence = 't' AND x.oid = COALESCE(r.ev_class, c.conrelid,
        a.adrelid, t.tgrelid, CASE d.classid WHEN 'pg_catalog.pg_class'::pg_catalog.regclass THEN d.objid END))
      AND site.identity IS NOT NULL AND used.identity IS NOT NULL
    """
}
