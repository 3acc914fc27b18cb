import BackupModel
import Diagnostics
import Planning

/// Asks the catalogs what there is to be saved, and what of it no dump by this role carries.
///
/// Only catalogs are read, in the session's transaction: nothing that an owner of a table made runs.
package struct CensusReader {
  let session: Session
  /// Identifiers of tables and sequences whose content is left out on purpose, as an array of the server's.
  let excluded: String

  /// - Parameter excluded: oids, as the server wrote them.
  package init(_ session: Session, excluded: [String] = []) {
    self.session = session
    self.excluded = "'{\(excluded.filter { UInt32($0) != nil }.joined(separator: ","))}'::pg_catalog.oid[]"
  }

  // MARK: What a dump has to hold

  package func objects() throws(Failure) -> CatalogObjects {
    var found = CatalogObjects()
    try readRelations(&found)
    try readRows(&found)
    for (kind, sql) in [
      (ObjectKind.publication, "SELECT pubname FROM pg_catalog.pg_publication"),
      (.subscription, "SELECT subname FROM pg_catalog.pg_subscription s WHERE \(Self.isOfDatabase)"),
    ] {
      for name in try column(sql) { found.objects.insert(DatabaseObject(kind, name: name)) }
    }
    found.largeObjects =
      UInt64(try column("SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata").first ?? "") ?? 0
    return found
  }

  static let isOfDatabase =
    "s.subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"

  private func readRelations(_ found: inout CatalogObjects) throws(Failure) {
    let rows = try session.query(
      """
      SELECT c.relkind, n.nspname, c.relname, \(Self.isMember) AS member,
        \(Self.isConfigured) AND c.oid <> ALL (\(excluded)) AS content
      FROM \(Self.relations) WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND \(Self.isUsers)
      """)
    for values in rows {
      let row = try Row(values)
      guard let kind = Self.kinds[try row.text(0)] else { continue }
      let object = DatabaseObject(kind, schema: try row.text(1), name: try row.text(2))
      if try !row.flag(3) { found.objects.insert(object) }
      if kind == .sequence, try row.flag(4) { found.positions.insert(object) }
    }
  }

  private func readRows(_ found: inout CatalogObjects) throws(Failure) {
    let rows = try session.query(
      """
      SELECT n.nspname, c.relname, rn.nspname, r.relname FROM \(Self.relations)
      LEFT JOIN pg_catalog.pg_class r ON c.relispartition AND r.oid = pg_catalog.pg_partition_root(c.oid)
      LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
      WHERE c.relkind = 'r' AND \(Self.isUsers) AND \(Self.isConfigured) AND c.oid <> ALL (\(excluded))
        AND NOT (c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery())
      """)
    for values in rows {
      let row = try Row(values)
      let table = DatabaseObject(.table, schema: try row.text(0), name: try row.text(1))
      let root = row[2].flatMap { schema in row[3].map { DatabaseObject(.table, schema: schema, name: $0) } }
      found.rows[table] = root ?? table
    }
  }

  private static let kinds: [String: ObjectKind] = [
    "r": .table, "p": .table, "v": .view, "m": .materializedView, "f": .foreignTable, "S": .sequence,
  ]

  // MARK: Parts of queries

  static let relations = "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
  /// What pg_dump looks at.
  static let isUsers =
    "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'"
  /// An extension's own.
  static let isMember = """
    EXISTS (SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
    """
  /// No extension's own, or one whose content the extension wants to have dumped.
  static let isConfigured = """
    NOT EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
        AND c.oid <> ALL (COALESCE(e.extconfig, '{}')))
    """

  func column(_ sql: String) throws(Failure) -> [String] {
    try session.query(sql).compactMap { $0.first ?? nil }
  }
}
