/// The trees of all expressions that somebody made in a database: in views, checks, defaults, indexes, policies, functions.
enum ExpressionTrees {
  /// SQL of common table expressions, without WITH: `own (class, id, relation, tree)` has those that belong to no extension and to no
  /// temporary object. What is below 16384 is the server's own.
  ///
  /// - Parameter version: as `server_version_num` has it.
  static func own(_ version: Int) -> String {
    let catalog = "::pg_catalog.regclass"
    let publications =
      version < 150_000
      ? ""
      : "UNION ALL SELECT 'pg_catalog.pg_publication_rel'\(catalog), oid, prrelid, prqual::text FROM pg_catalog.pg_publication_rel"
    return """
      temporary (id) AS (
        SELECT oid FROM pg_catalog.pg_namespace WHERE nspname ~ '^pg_(toast_)?temp_'
      ), trees (class, id, relation, tree) AS (
        SELECT 'pg_catalog.pg_rewrite'\(catalog), oid, ev_class, pg_catalog.concat(ev_qual::text, ev_action::text)
        FROM pg_catalog.pg_rewrite
        UNION ALL SELECT 'pg_catalog.pg_constraint'\(catalog), oid, conrelid, conbin::text FROM pg_catalog.pg_constraint
        WHERE connamespace NOT IN (SELECT id FROM temporary)
        UNION ALL SELECT 'pg_catalog.pg_attrdef'\(catalog), oid, adrelid, adbin::text FROM pg_catalog.pg_attrdef
        UNION ALL SELECT 'pg_catalog.pg_class'\(catalog), indexrelid, indrelid,
          pg_catalog.concat(indexprs::text, indpred::text) FROM pg_catalog.pg_index i
        -- As pg_dump: one that could not be built, or is just being built, is in no dump.
        WHERE i.indisvalid OR EXISTS (SELECT FROM pg_catalog.pg_class x WHERE x.oid = i.indexrelid AND x.relkind = 'I')
        UNION ALL SELECT 'pg_catalog.pg_class'\(catalog), partrelid, partrelid, partexprs::text
        FROM pg_catalog.pg_partitioned_table
        UNION ALL SELECT 'pg_catalog.pg_policy'\(catalog), oid, polrelid, pg_catalog.concat(polqual::text, polwithcheck::text)
        FROM pg_catalog.pg_policy
        UNION ALL SELECT 'pg_catalog.pg_trigger'\(catalog), oid, tgrelid, tgqual::text FROM pg_catalog.pg_trigger
        WHERE NOT tgisinternal
        UNION ALL SELECT 'pg_catalog.pg_proc'\(catalog), oid, 0, pg_catalog.concat(prosqlbody::text, proargdefaults::text)
        FROM pg_catalog.pg_proc WHERE pronamespace NOT IN (SELECT id FROM temporary)
        UNION ALL SELECT 'pg_catalog.pg_type'\(catalog), oid, 0, typdefaultbin::text FROM pg_catalog.pg_type
        WHERE typnamespace NOT IN (SELECT id FROM temporary)
        UNION ALL SELECT 'pg_catalog.pg_statistic_ext'\(catalog), oid, stxrelid, stxexprs::text
        FROM pg_catalog.pg_statistic_ext
        \(publications)
      ), own AS (
        SELECT t.* FROM trees t WHERE t.id >= 16384 AND t.tree <> ''
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
            WHERE e.deptype = 'e' AND e.classid = t.class AND e.objid = t.id)
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
            WHERE e.deptype = 'e' AND e.classid = 'pg_catalog.pg_class'\(catalog) AND e.objid = t.relation)
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_class x WHERE x.oid = t.relation AND x.relpersistence = 't')
      )
      """
  }
}
