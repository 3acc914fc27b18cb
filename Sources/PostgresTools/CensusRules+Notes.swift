import BackupModel

/// What comes back in another way, or not at all, without being a loss of data.
extension CensusReader {
  static func notes(_ excluded: String) -> [Rule] {
    [foreignRows, materializedRows, generatedValues(excluded), triggerState, extensionOwner, replicationSlot]
      + [inheritedConstraint, comment, publicSchema, subscriptionState]
  }

  /// What computes them may be another since: an immutable function may have been replaced, or read tables against its promise, and the
  /// configuration of a text search may have been changed.
  static func generatedValues(_ excluded: String) -> Rule {
    Rule(
      kind: .generatedValues,
      sql: """
        SELECT pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname),
          pg_catalog.min(pg_catalog.pg_describe_object(d.refclassid, d.refobjid, 0))
        FROM \(relations)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attgenerated = 's'
        JOIN pg_catalog.pg_attrdef e ON e.adrelid = c.oid AND e.adnum = a.attnum
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = e.oid
          AND d.refobjid >= 16384 AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass,
            'pg_catalog.pg_operator'::pg_catalog.regclass, 'pg_catalog.pg_ts_config'::pg_catalog.regclass,
            'pg_catalog.pg_ts_dict'::pg_catalog.regclass, 'pg_catalog.pg_collation'::pg_catalog.regclass)
        WHERE c.relkind IN ('r', 'p') AND \(isUsers) AND c.oid <> ALL (\(excluded)) AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend m WHERE m.classid = d.refclassid AND m.objid = d.refobjid AND m.deptype = 'e')
        GROUP BY 1
        """,
      why: "a restore computes them again with {}: they differ where it, or what it reads, has changed since")
  }

  /// `ALTER TABLE … DISABLE TRIGGER ALL` disables those of foreign keys too, which a dump knows only as constraints.
  static var triggerState: Rule {
    Rule(
      kind: .triggerState,
      sql: """
        SELECT DISTINCT pg_catalog.format('foreign key %I on %s', k.conname, k.conrelid::pg_catalog.regclass), NULL
        FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint
        WHERE t.tgisinternal AND t.tgenabled <> 'O' AND k.contype = 'f'
        """,
      why:
        "its triggers are not enabled as usual, and after a restore they are: rows that break it keep it from being made"
    )
  }

  static var extensionOwner: Rule {
    Rule(
      kind: .extensionOwner,
      sql: """
        SELECT pg_catalog.quote_ident(e.extname), pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.extowner))
        FROM pg_catalog.pg_extension e
        WHERE e.extname <> 'plpgsql'
          AND pg_catalog.pg_get_userbyid(e.extowner) <> current_user
        """, why: "it belongs to {}, and after a restore to the role that restores")
  }

  static var foreignRows: Rule {
    Rule(
      kind: .foreignRows, sql: "SELECT \(name), NULL FROM \(relations) WHERE c.relkind = 'f' AND \(isUsers)",
      why: "they are on another server, and stay there")
  }

  static var materializedRows: Rule {
    Rule(
      kind: .materializedRows,
      sql: "SELECT \(name), NULL FROM \(relations) WHERE c.relkind = 'm' AND c.relispopulated AND \(isUsers)",
      why: "a restore refreshes it")
  }

  static var replicationSlot: Rule {
    Rule(
      kind: .replicationSlot,
      sql: """
        SELECT pg_catalog.quote_ident(slot_name), NULL FROM pg_catalog.pg_replication_slots
        WHERE slot_type = 'logical' AND NOT temporary AND database = pg_catalog.current_database()
        """, why: "a slot belongs to the server's database, and is in no dump")
  }

  /// A dump has the constraint of the parent alone, and the server makes the others of it.
  private static var inheritedConstraint: Rule {
    Rule(
      kind: .inheritedConstraint,
      sql: """
        WITH inherited AS (
          SELECT k.conname, k.conrelid, k.convalidated, p.conname AS parent, p.convalidated AS isvalidated
          FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_constraint p ON p.oid = k.conparentid
          WHERE k.contype = 'f' AND p.conrelid <> k.conrelid
          UNION ALL
          SELECT k.conname, k.conrelid, k.convalidated, p.conname, p.convalidated
          FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_inherits i ON i.inhrelid = k.conrelid
          JOIN pg_catalog.pg_constraint p ON p.conrelid = i.inhparent AND p.contype = k.contype
            AND (k.contype = 'c' AND p.conname = k.conname OR k.contype = 'n' AND (
              SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
            ) = (
              SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = p.conrelid AND a.attnum = p.conkey[1]
            ))
          WHERE NOT k.conislocal AND k.coninhcount = 1
        )
        SELECT DISTINCT pg_catalog.format('%I on %s', conname, conrelid::pg_catalog.regclass), pg_catalog.quote_ident(parent)
        FROM inherited WHERE conname <> parent OR convalidated <> isvalidated
        """,
      why:
        "a restore makes it of the parent's constraint {}: it gets that one's name, and is NOT VALID where that one is"
    )
  }

  /// Of extensions' objects and of the server's own; of what the server makes with a parent's object or with a table. Comments of
  /// the server's own making are older than the last part of it that initdb makes.
  private static var comment: Rule {
    Rule(
      kind: .comment,
      sql: """
        WITH \(extensionScripts), initial AS (
          SELECT pg_catalog.min(a.xmin::text::bigint) AS made FROM pg_catalog.pg_attribute a
          JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = 'information_schema' AND c.relname = 'tables'
        )
        SELECT pg_catalog.pg_describe_object(d.classoid, d.objoid, d.objsubid), NULL FROM pg_catalog.pg_description d
        WHERE EXISTS (SELECT FROM members m JOIN scripts s ON s.oid = m.extension
            WHERE m.classid = d.classoid AND m.objid = d.objoid AND d.xmin::text <> ALL (s.made))
          OR d.objoid < 16384 AND d.classoid NOT IN ('pg_catalog.pg_namespace'::pg_catalog.regclass,
              'pg_catalog.pg_extension'::pg_catalog.regclass, 'pg_catalog.pg_largeobject'::pg_catalog.regclass)
            AND d.xmin::text::bigint > (SELECT made FROM initial)
            AND NOT EXISTS (SELECT FROM members m WHERE m.classid = d.classoid AND m.objid = d.objoid)
          OR d.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND EXISTS (
            SELECT FROM pg_catalog.pg_constraint k WHERE k.oid = d.objoid AND NOT k.conislocal AND k.contype IN ('c', 'f'))
          OR d.classoid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND EXISTS (
            SELECT FROM pg_catalog.pg_trigger t WHERE t.oid = d.objoid AND t.tgparentid <> 0)
          OR d.classoid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND EXISTS (
            SELECT FROM pg_catalog.pg_rewrite r WHERE r.oid = d.objoid AND r.rulename = '_RETURN')
          OR d.classoid = 'pg_catalog.pg_type'::pg_catalog.regclass AND EXISTS (
            SELECT FROM pg_catalog.pg_type t JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
            WHERE t.oid = d.objoid AND c.relkind <> 'c')
        """, why: "a dump has no comments on what comes with the server, an extension, a parent or a table")
  }

  /// Every new database has one, and a dump does not say that there is none.
  private static var publicSchema: Rule {
    Rule(
      kind: .publicSchema,
      sql: """
        SELECT 'public', NULL WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public')
        """, why: "the database has no such schema, and a restore removes the one that a new database has")
  }

  private static var subscriptionState: Rule {
    Rule(
      kind: .subscriptionState,
      sql: """
        SELECT pg_catalog.quote_ident(s.subname), NULL FROM pg_catalog.pg_subscription s
        WHERE \(isOfDatabase) AND s.subenabled
        """,
      why: "a restore leaves it disabled, so that no two databases subscribe at once: ALTER SUBSCRIPTION … ENABLE")
  }
}
