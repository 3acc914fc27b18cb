import BackupModel
import Diagnostics
import Planning

/// What is known to stay out of a dump, asked of the catalogs.
extension CensusReader {
  /// - Parameters:
  ///   - dumped: tables that have rows in the dump; nil: that is not known, and what takes room on the server has rows.
  ///   - asksForSubscriptions: no dump tells of them.
  package func rules(dumped: Set<DatabaseObject>?, asksForSubscriptions: Bool) throws(Failure) -> Census {
    var census = Census()
    for rule in Self.rules(excluded: excluded, subscriptions: asksForSubscriptions) {
      let entries = try self.entries(rule)
      if rule.kind.isLoss { census.missing += entries } else { census.notes += entries }
    }
    census.missing += try rowTypeEntries(dumped: dumped)
    return census
  }

  struct Rule {
    var kind: CensusKind
    /// Gives names, and what each name's reason is about.
    var sql: String
    var why: String
  }

  /// So many of a kind are named, and the others counted.
  private func entries(_ rule: Rule) throws(Failure) -> [CensusEntry] {
    let rows = try session.query(
      """
      SELECT found.name, found.about, pg_catalog.count(*) OVER () FROM (\(rule.sql)) found (name, about)
      ORDER BY 1 LIMIT \(namedOfEachKind)
      """)
    var entries: [CensusEntry] = []
    for values in rows {
      let row = try Row(values)
      let why = row[1].map { rule.why.replacing("{}", with: $0) } ?? rule.why
      entries.append(CensusEntry(kind: rule.kind, name: try row.text(0), why: why))
      if entries.count == namedOfEachKind, let all = UInt64(try row.text(2)), all > UInt64(entries.count) {
        entries[entries.count - 1].more = all - UInt64(entries.count)
      }
    }
    return entries
  }

  private static func rules(excluded: String, subscriptions: Bool) -> [Rule] {
    (subscriptions ? [subscription] : []) + [userMapping, sequence(excluded), rowSecurity]
      + [extensionRows, extensionObjects, unloggedRows(excluded), systemSchema, systemPrivileges, securityLabel]
      + [generatedExpression(excluded), identityType(excluded)] + notes(excluded)
  }

  static let name = "pg_catalog.format('%I.%I', n.nspname, c.relname)"
  static let isSuperuser = "(SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)"

  // MARK: What the role may not see

  private static var subscription: Rule {
    Rule(
      kind: .subscription,
      sql: """
        SELECT pg_catalog.quote_ident(s.subname), current_user FROM pg_catalog.pg_subscription s
        WHERE \(isOfDatabase) AND NOT \(isSuperuser)
        """, why: "role {} is no superuser, and pg_dump leaves out subscriptions then")
  }

  /// As pg_user_mappings decides whom it shows the options.
  private static var userMapping: Rule {
    Rule(
      kind: .userMapping,
      sql: """
        SELECT pg_catalog.format('%s on server %I',
          CASE WHEN m.umuser = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(m.usename) END, m.srvname), current_user
        FROM pg_catalog.pg_user_mappings m JOIN pg_catalog.pg_foreign_server s ON s.oid = m.srvid
        WHERE m.umoptions IS NULL AND NOT \(isSuperuser) AND NOT CASE WHEN m.umuser = 0
          THEN pg_catalog.pg_has_role(s.srvowner, 'USAGE')
          ELSE m.usename = current_user AND (pg_catalog.pg_has_role(s.srvowner, 'USAGE')
            OR pg_catalog.has_server_privilege(s.oid, 'USAGE')) END
        """, why: "role {} cannot read its options, passwords among them: the dump makes it without any")
  }

  private static func sequence(_ excluded: String) -> Rule {
    Rule(
      kind: .sequence,
      sql: """
        SELECT \(name), current_user FROM \(relations)
        WHERE c.relkind = 'S' AND \(isUsers) AND \(isConfigured) AND c.oid <> ALL (\(excluded))
          AND CASE c.relkind WHEN 'S' THEN NOT pg_catalog.has_sequence_privilege(c.oid, 'SELECT') END
        """, why: "role {} cannot read it, and some versions of pg_dump save a wrong position then")
  }

  private static var rowSecurity: Rule {
    Rule(
      kind: .rowSecurity,
      sql: """
        SELECT \(name), current_user FROM \(relations)
        WHERE c.relkind IN ('r', 'p') AND \(isUsers) AND \(isConfigured) AND c.relrowsecurity
          AND pg_catalog.row_security_active(c.oid)
        """, why: "row security applies to role {}")
  }

  // MARK: Extensions

  private static var extensionRows: Rule {
    Rule(
      kind: .extensionRows,
      sql: """
        SELECT \(name), pg_catalog.quote_ident(e.extname) FROM \(relations)
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
          AND d.deptype = 'e'
        JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
        WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND c.oid <> ALL (COALESCE(e.extconfig, '{}'))
          AND pg_catalog.pg_relation_size(c.oid) > 0
        """,
      why:
        "the table is part of extension {}, which does not mark it for dumping: only the rows come back that CREATE EXTENSION makes"
    )
  }

  /// What an extension's own script made was made by the same transaction as its members; where those are of many transactions, as
  /// pg_upgrade makes them, nobody can tell.
  static let extensionScripts = """
    members AS (
      SELECT d.refobjid AS extension, d.classid, d.objid, d.xmin::text AS made FROM pg_catalog.pg_depend d
      WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
    ), scripts AS (
      SELECT e.oid, e.extname, pg_catalog.array_agg(DISTINCT m.made) || e.xmin::text AS made
      FROM members m JOIN pg_catalog.pg_extension e ON e.oid = m.extension GROUP BY e.oid, e.extname, e.xmin
      HAVING pg_catalog.count(DISTINCT m.made) <= 3 OR pg_catalog.count(DISTINCT m.made) * 2 <= pg_catalog.count(*)
    )
    """

  /// Keys are left out, as extensions are hardly ever given one.
  private static var extensionObjects: Rule {
    Rule(
      kind: .extensionObjects,
      sql: """
        WITH \(extensionScripts), own AS (
          SELECT m.objid AS relation, s.extname, s.made FROM members m JOIN scripts s ON s.oid = m.extension
          WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        )
        SELECT pg_catalog.format('index %I on %s', i.relname, o.relation::pg_catalog.regclass), pg_catalog.quote_ident(o.extname)
        FROM own o JOIN pg_catalog.pg_index x ON x.indrelid = o.relation JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.oid)
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            AND d.objid = i.oid AND d.xmin::text = ANY (o.made))
        UNION ALL
        SELECT pg_catalog.format('trigger %I on %s', t.tgname, o.relation::pg_catalog.regclass), pg_catalog.quote_ident(o.extname)
        FROM own o JOIN pg_catalog.pg_trigger t ON t.tgrelid = o.relation AND NOT t.tgisinternal
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
            AND d.objid = t.oid AND d.xmin::text = ANY (o.made))
        UNION ALL
        SELECT pg_catalog.format('rule %I on %s', r.rulename, o.relation::pg_catalog.regclass), pg_catalog.quote_ident(o.extname)
        FROM own o JOIN pg_catalog.pg_rewrite r ON r.ev_class = o.relation AND r.rulename <> '_RETURN'
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
            AND d.objid = r.oid AND d.xmin::text = ANY (o.made))
        UNION ALL
        SELECT pg_catalog.format('constraint %I on %s', k.conname, o.relation::pg_catalog.regclass), pg_catalog.quote_ident(o.extname)
        FROM own o JOIN pg_catalog.pg_constraint k ON k.conrelid = o.relation AND k.contype IN ('c', 'f')
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
            AND d.objid = k.oid AND d.xmin::text = ANY (o.made))
        """,
      why: "the table is part of extension {}, and a dump has nothing of such a table but what CREATE EXTENSION makes")
  }

  // MARK: What no dump carries

  /// A table that has a generated column from another one may compute it in its own way.
  private static func generatedExpression(_ excluded: String) -> Rule {
    Rule(
      kind: .generatedExpression,
      sql: """
        SELECT DISTINCT pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname), i.inhparent::pg_catalog.regclass::text
        FROM \(relations)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attislocal
        JOIN pg_catalog.pg_attrdef e ON e.adrelid = c.oid AND e.adnum = a.attnum
        JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
        JOIN pg_catalog.pg_attribute p ON p.attrelid = i.inhparent AND p.attname = a.attname AND p.attgenerated <> ''
        JOIN pg_catalog.pg_attrdef f ON f.adrelid = p.attrelid AND f.adnum = p.attnum
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND \(isUsers) AND c.oid <> ALL (\(excluded))
          AND pg_catalog.pg_get_expr(e.adbin, e.adrelid) <> pg_catalog.pg_get_expr(f.adbin, f.adrelid)
        """, why: "it computes its values in its own way, and a dump has only how {} does")
  }

  /// An identity column's sequence may have been given another type than the column's, which no dump tells: with it go its limits.
  private static func identityType(_ excluded: String) -> Rule {
    func limit(_ smallint: String, _ integer: String, _ bigint: String) -> String {
      "CASE q.seqtypid WHEN 21 THEN \(smallint) WHEN 23 THEN \(integer) ELSE \(bigint) END"
    }
    return Rule(
      kind: .identityType,
      sql: """
        SELECT pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname), pg_catalog.format_type(q.seqtypid, NULL)
        FROM \(relations)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attidentity <> ''
        JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid
          AND d.refobjsubid = a.attnum AND d.deptype = 'i' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        JOIN pg_catalog.pg_sequence q ON q.seqrelid = d.objid AND q.seqtypid <> a.atttypid
        WHERE c.relkind IN ('r', 'p') AND \(isUsers) AND c.oid <> ALL (\(excluded))
          AND CASE WHEN q.seqincrement > 0 THEN q.seqmax = \(limit("32767", "2147483647", "9223372036854775807"))
            ELSE q.seqmin = \(limit("-32768", "-2147483648", "-9223372036854775808")) END
        """, why: "its sequence is of type {}, and gets the column's type and limits from a restore")
  }

  /// Whoever makes a server gives everybody the right to read that schema, but for a few of it, and nothing else.
  private static var systemPrivileges: Rule {
    Rule(
      kind: .systemSchema,
      sql: """
        WITH given (name, owner, acl, expected) AS (
          SELECT c.oid::pg_catalog.regclass::text, c.relowner, c.relacl,
            c.relname NOT IN ('sql_parts', 'transforms') AND NOT pg_catalog.starts_with(c.relname, '_')
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = 'information_schema' AND c.oid < 16384 AND c.relkind IN ('r', 'v')
          UNION ALL SELECT 'schema information_schema', n.nspowner, n.nspacl, true
          FROM pg_catalog.pg_namespace n WHERE n.nspname = 'information_schema'
        ), public (name, owner, acl, expected, reads, others) AS (
          SELECT g.*, EXISTS (SELECT FROM pg_catalog.aclexplode(g.acl) a
              WHERE a.grantee = 0 AND a.privilege_type IN ('SELECT', 'USAGE')),
            EXISTS (SELECT FROM pg_catalog.aclexplode(g.acl) a
              WHERE a.grantee <> g.owner AND NOT (a.grantee = 0 AND a.privilege_type IN ('SELECT', 'USAGE')))
          FROM given g
        )
        SELECT pg_catalog.format('privileges on %s', name), NULL FROM public WHERE reads <> expected OR others
        """, why: "they were changed, and pg_dump leaves out those of that schema")
  }

  private static func unloggedRows(_ excluded: String) -> Rule {
    Rule(
      kind: .unloggedRows,
      sql: """
        SELECT \(name), NULL FROM \(relations)
        WHERE pg_catalog.pg_is_in_recovery() AND c.relkind = 'r' AND c.relpersistence = 'u' AND \(isUsers)
          AND \(isConfigured) AND c.oid <> ALL (\(excluded)) AND c.reltuples <> 0
        """, why: "a standby has no rows of unlogged tables")
  }

  private static var systemSchema: Rule {
    Rule(
      kind: .systemSchema,
      sql: """
        SELECT pg_catalog.format('%s %I.%I', kind, s.nspname, name), NULL FROM (
          SELECT 'function', p.proname, 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.pronamespace
          FROM pg_catalog.pg_proc p
          UNION ALL
          SELECT CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' ELSE 'table' END, c.relname,
            'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, c.relnamespace
          FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
          UNION ALL SELECT 'type', t.typname, 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typnamespace
          FROM pg_catalog.pg_type t WHERE t.typrelid = 0 AND t.typelem = 0
          UNION ALL SELECT 'operator', o.oprname, 'pg_catalog.pg_operator'::pg_catalog.regclass, o.oid, o.oprnamespace
          FROM pg_catalog.pg_operator o
          UNION ALL SELECT 'collation', l.collname, 'pg_catalog.pg_collation'::pg_catalog.regclass, l.oid, l.collnamespace
          FROM pg_catalog.pg_collation l
          UNION ALL SELECT 'text search configuration', x.cfgname, 'pg_catalog.pg_ts_config'::pg_catalog.regclass, x.oid,
            x.cfgnamespace FROM pg_catalog.pg_ts_config x
          UNION ALL SELECT 'text search dictionary', x.dictname, 'pg_catalog.pg_ts_dict'::pg_catalog.regclass, x.oid,
            x.dictnamespace FROM pg_catalog.pg_ts_dict x
        ) o (kind, name, class, id, schema) JOIN pg_catalog.pg_namespace s ON s.oid = o.schema
        WHERE s.nspname IN ('pg_catalog', 'information_schema') AND o.id >= 16384
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
            WHERE d.classid = o.class AND d.objid = o.id AND d.deptype IN ('e', 'i'))
        """, why: "pg_dump takes everything in that schema for PostgreSQL's own")
  }

  private static var securityLabel: Rule {
    Rule(
      kind: .securityLabel,
      sql: """
        SELECT pg_catalog.quote_ident(pg_catalog.current_database()), pg_catalog.quote_ident(l.provider)
        FROM pg_catalog.pg_shseclabel l JOIN pg_catalog.pg_database d ON d.oid = l.objoid
        WHERE l.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass AND d.datname = pg_catalog.current_database()
        """, why: "the label of {} is not saved")
  }

}
