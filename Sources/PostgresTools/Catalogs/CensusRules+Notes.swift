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

  /// A dump has the constraint of the topmost table alone, and the server makes the others of it. Of a partition's checks, and of NOT NULL, it has
  /// their own names and states. Keys between two partitions have names that the server makes up, then as before.
  private static var inheritedConstraint: Rule {
    Rule(
      kind: .inheritedConstraint,
      sql: """
        WITH RECURSIVE keys AS (
          SELECT k.oid, k.conrelid, k.confrelid, k.conname, k.convalidated, k.conrelid AS relation, k.conname AS top, k.convalidated AS isvalid
          FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0
          UNION ALL
          SELECT k.oid, k.conrelid, t.confrelid, k.conname, k.convalidated, t.relation, t.top, t.isvalid
          FROM keys t JOIN pg_catalog.pg_constraint k ON k.conparentid = t.oid AND k.confrelid = t.confrelid
        ), ancestors AS (
          SELECT i.inhrelid AS relation, i.inhparent AS ancestor FROM pg_catalog.pg_inherits i
          UNION SELECT a.relation, i.inhparent FROM ancestors a JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.ancestor
        )
        SELECT pg_catalog.format('%I on %s', conname, conrelid::pg_catalog.regclass), NULL FROM keys
        WHERE conrelid <> relation AND (conname <> top OR convalidated <> isvalid)
        UNION
        SELECT pg_catalog.format('%I on %s', k.conname, k.conrelid::pg_catalog.regclass), NULL
        FROM pg_catalog.pg_constraint k JOIN ancestors a ON a.relation = k.conrelid
        JOIN pg_catalog.pg_constraint p ON p.conrelid = a.ancestor AND p.contype = 'c' AND p.conname = k.conname
          AND NOT p.connoinherit
        JOIN pg_catalog.pg_class c ON c.oid = k.conrelid AND NOT c.relispartition
        WHERE k.contype = 'c' AND NOT k.conislocal AND k.convalidated AND NOT p.convalidated
        """, why: "a restore makes it of the parent's constraint: with the same name, and NOT VALID where that one is")
  }

  /// Of extensions' objects and of the server's own; of what the server makes with another object: row types, arrays, constructors of ranges,
  /// constraints and triggers of a parent. Comments of the
  /// server's own making are older than the last part of it that initdb makes.
  private static var comment: Rule {
    Rule(
      kind: .comment,
      sql: """
        WITH \(extensionScripts), initial AS (
          SELECT pg_catalog.min(a.xmin::text::bigint) AS made FROM pg_catalog.pg_attribute a
          JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = 'information_schema' AND c.relname = 'tables'
        ), lost (classoid, objoid, objsubid) AS (
          SELECT d.classoid, d.objoid, d.objsubid FROM members m JOIN scripts s ON s.oid = m.extension
          JOIN pg_catalog.pg_description d ON d.classoid = m.classid AND d.objoid = m.objid
          WHERE d.xmin::text <> ALL (s.made)
          UNION
          SELECT d.classoid, d.objoid, d.objsubid FROM pg_catalog.pg_description d JOIN initial i ON d.xmin::text::bigint > i.made
          WHERE d.objoid < 16384 AND (d.classoid, d.objoid) NOT IN (SELECT classid, objid FROM members)
            AND d.classoid NOT IN ('pg_catalog.pg_largeobject'::pg_catalog.regclass, 'pg_catalog.pg_extension'::pg_catalog.regclass)
            AND NOT (d.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
              AND d.objoid IN (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public'))
          UNION
          SELECT d.classoid, d.objoid, d.objsubid FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_description d
            ON d.classoid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.objoid = e.oid
          WHERE e.oid < 16384 AND d.xmin::text <> e.xmin::text
          UNION
          SELECT d.classoid, d.objoid, d.objsubid FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_description d
            ON d.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.objoid = k.oid
          JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
          WHERE NOT k.conislocal AND (k.contype = 'f' OR k.contype = 'c' AND NOT c.relispartition)
          UNION
          SELECT d.classoid, d.objoid, d.objsubid FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_description d
            ON d.classoid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND d.objoid = t.oid
          WHERE t.tgparentid <> 0
          UNION
          SELECT d.classoid, d.objoid, d.objsubid FROM pg_catalog.pg_depend p JOIN pg_catalog.pg_description d
            ON d.classoid = p.classid AND d.objoid = p.objid
          WHERE p.deptype = 'i' AND p.classid IN ('pg_catalog.pg_type'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass,
            'pg_catalog.pg_rewrite'::pg_catalog.regclass, 'pg_catalog.pg_trigger'::pg_catalog.regclass)
        )
        SELECT pg_catalog.pg_describe_object(classoid, objoid, objsubid), NULL FROM lost
        """,
      why:
        "a dump has no comments on what comes with the server, an extension, or another object"
    )
  }

  /// Every new database has one, and a dump does not say that there is none.
  private static var publicSchema: Rule {
    Rule(
      kind: .publicSchema,
      sql: """
        SELECT 'public', NULL WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public')
        """, why: "the database has no such schema, and a restore removes the one that a new database has")
  }

  /// Where the dump has subscriptions at all.
  private static var subscriptionState: Rule {
    Rule(
      kind: .subscriptionState,
      sql: """
        SELECT pg_catalog.quote_ident(s.subname), NULL FROM pg_catalog.pg_subscription s
        WHERE \(isOfDatabase) AND s.subenabled AND \(isSuperuser)
        """,
      why: "a restore leaves it disabled, so that no two databases subscribe at once: ALTER SUBSCRIPTION … ENABLE")
  }
}
