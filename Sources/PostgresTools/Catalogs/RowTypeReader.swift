import BackupModel
import Diagnostics
import Planning

/// Finds columns that keep whole rows of tables whose columns a dump puts in another order. A row's fields are written one behind the
/// other, without names: they would be read back into each other's places.
extension CensusReader {
  func rowTypeEntries(dumped: Set<DatabaseObject>?) throws(Failure) -> [CensusEntry] {
    var order = try restoredColumns()
    let changed = order.changed()
    guard !changed.isEmpty else { return [] }
    let rows = try session.query(Self.uses(of: changed, excluded: excluded))
    var entries: [CensusEntry] = []
    for values in rows {
      let row = try Row(values)
      let table = DatabaseObject(.table, schema: try row.text(0), name: try row.text(1))
      let root = DatabaseObject(.table, schema: row[2] ?? "", name: row[3] ?? "")
      if let dumped, !dumped.contains(table), !dumped.contains(root) { continue }
      if dumped == nil, try !row.flag(4) { continue }
      guard entries.count < namedOfEachKind else {
        entries[entries.count - 1].more = (entries[entries.count - 1].more ?? 0) + 1
        continue
      }
      entries.append(
        CensusEntry(
          kind: .rowTypeOrder, name: try row.text(5),
          why:
            "a dump puts the columns of \(try row.text(6)) in another order, and the fields of a row would be exchanged",
          table: "\(table.schema).\(table.name)"
        ))
    }
    return try entries + literals(of: changed)
  }

  /// Rows that definitions have as constants, or make of constants: their fields have no names either.
  private func literals(of tables: [UInt32]) throws(Failure) -> [CensusEntry] {
    try session.query(
      """
      WITH \(ExpressionTrees.own(session.serverVersion))
      SELECT DISTINCT site.type || ' ' || site.identity, c.oid::pg_catalog.regclass::text
      FROM own t, pg_catalog.regexp_matches(t.tree, ':(row_typeid|consttype) ([0-9]+)', 'g') m
      JOIN pg_catalog.pg_type y ON y.oid = m[2]::pg_catalog.oid
      JOIN pg_catalog.pg_class c ON c.reltype IN (y.oid, y.typelem, y.typbasetype)
      CROSS JOIN LATERAL pg_catalog.pg_identify_object(t.class, t.id, 0) site
      WHERE c.oid = ANY ('{\(tables.map(String.init).joined(separator: ","))}'::pg_catalog.oid[]) ORDER BY 1 LIMIT 100
      """
    ).map { (values) throws(Failure) in
      let row = try Row(values)
      return CensusEntry(
        kind: .rowTypeOrder, name: try row.text(0),
        why: "it has rows of \(try row.text(1)) written out, whose columns a dump puts in another order")
    }
  }

  /// Of inheritance; an extension makes its tables by itself.
  private func restoredColumns() throws(Failure) -> RestoredColumns {
    var parents: [UInt32: [UInt32]] = [:]
    for values in try session.query(
      """
      SELECT i.inhrelid, i.inhparent FROM pg_catalog.pg_inherits i JOIN \(Self.relations) ON c.oid = i.inhrelid
      WHERE c.relkind IN ('r', 'f') AND NOT c.relispartition AND \(Self.isUsers) AND NOT \(Self.isMember)
      ORDER BY i.inhrelid, i.inhseqno
      """)
    {
      let row = try Row(values)
      parents[UInt32(try row.text(0)) ?? 0, default: []].append(UInt32(try row.text(1)) ?? 0)
    }
    guard !parents.isEmpty else { return RestoredColumns(parents: [:], columns: [:]) }
    var columns: [UInt32: [[UInt8]]] = [:]
    for values in try session.query(
      """
      SELECT a.attrelid, a.attname FROM pg_catalog.pg_attribute a
      WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid IN (
        SELECT inhrelid FROM pg_catalog.pg_inherits UNION SELECT inhparent FROM pg_catalog.pg_inherits)
      ORDER BY a.attrelid, a.attnum
      """)
    {
      let row = try Row(values)
      columns[UInt32(try row.text(0)) ?? 0, default: []].append(Array(try row.text(1).utf8))
    }
    return RestoredColumns(parents: parents, columns: columns)
  }

  /// Columns by their types: the dependencies have an index on that.
  private static let columns = """
    pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid = d.objid AND d.objsubid > 0
      AND d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
      AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    """

  /// Tables with columns of these row types, or of types that are made of them, however deep.
  private static func uses(of tables: [UInt32], excluded: String) -> String {
    """
    WITH RECURSIVE holding (type, origin) AS (
      SELECT c.reltype, c.oid FROM pg_catalog.pg_class c
      WHERE c.oid = ANY ('{\(tables.map(String.init).joined(separator: ","))}'::pg_catalog.oid[])
      UNION
      SELECT made.type, h.origin FROM holding h CROSS JOIN LATERAL (
        -- Arrays, domains, ranges; then tables and composite types with a column of it.
        SELECT d.objid FROM pg_catalog.pg_depend d
        WHERE d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.refobjid = h.type
          AND d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
        UNION ALL SELECT c.reltype FROM \(columns) WHERE d.refobjid = h.type AND c.reltype <> 0
      ) made (type)
    )
    SELECT n.nspname, c.relname, rn.nspname, r.relname, pg_catalog.pg_relation_size(c.oid) > 0,
      pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname),
      pg_catalog.min(h.origin::pg_catalog.regclass::text)
    FROM holding h CROSS JOIN \(columns) JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid
    LEFT JOIN pg_catalog.pg_class r ON c.relispartition AND r.oid = pg_catalog.pg_partition_root(c.oid)
    LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
    WHERE d.refobjid = h.type AND c.relkind = 'r' AND \(isUsers) AND \(isConfigured)
      AND c.oid <> ALL (\(excluded))
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 6
    """
  }
}
