import BackupModel
import PostgresTools
import StreamPipeline
import Diagnostics

/// Loading the rows of a new database by sessions of our own.
enum RowLoad {
  /// SQL that a session begins with: what a dump sets before its rows, and what pg_restore's own sessions get.
  static func settings(_ manifest: Manifest) -> String {
    let properties = manifest.source.properties.withoutSettings
    let encoding = properties.dumpEncoding.isEmpty ? "UTF8" : properties.encoding
    let settings = Toolbox.restoreSettings.merging([
      "client_encoding": encoding, "xmloption": "content", "row_security": "off", "standard_conforming_strings": "on",
    ]) { _, own in own }
    return settings.sorted { $0.key < $1.key }.map { "SET \($0.key) = \(quoteLiteral($0.value));" }.joined()
  }

  /// Begins the transaction that loads a new table, and returns its COPY. A large table is emptied in it where it can be: only then rows can
  /// be written frozen. For a small one that costs more than it saves, since a commit that replaces files waits for the disk.
  ///
  /// - Parameters:
  ///   - bytes: of its rows.
  ///   - path: the search path of the functions that the rows' loading calls.
  static func begin(
    _ table: CopyTarget, bytes: UInt64, under path: String, _ session: Session
  ) throws(Failure) -> [UInt8] {
    try session.query("BEGIN")
    let freezes = bytes >= leastToFreeze ? try empties(table, session) : false
    // Last: no query of ours is read under it.
    try session.query("SELECT pg_catalog.set_config('search_path', $1, true)", [path])
    return Array("COPY ".utf8) + table.source + Array(" FROM STDIN\(freezes ? " WITH (FREEZE)" : "")".utf8)
  }

  private static let leastToFreeze: UInt64 = 1 << 20

  /// What goes to a partitioned table may come from several files.
  private static func empties(_ table: CopyTarget, _ session: Session) throws(Failure) -> Bool {
    guard try !isExtensions(table, session), try !find(table, "c.relkind = 'r'", session).isEmpty else { return false }
    try session.query(bytes: Array("TRUNCATE ONLY ".utf8) + table.nameBytes)
    return true
  }

  /// Empties what a COPY into a table has filled: the table alone, and partitions of it. Neither children nor partitions that are foreign
  /// tables: their rows are on another server, which would empty them.
  static func emptyAgain(_ table: CopyTarget, _ session: Session) throws(Failure) {
    let literal = table.nameBytes.flatMap { $0 == UInt8(ascii: "'") ? [$0, $0] : [$0] }
    let beginning = """
      SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, pg_catalog.to_regclass('
      """
    let end = """
      ') t (id) WHERE c.relkind = 'r' AND (c.oid = t.id
        OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(t.id)))
      """
    for row in try session.query(bytes: Array(beginning.utf8) + literal + Array(end.utf8)) {
      if let name = row.first ?? nil { try session.query("TRUNCATE ONLY \(name)", [], .unlimited) }
    }
  }

  /// - Returns: nil for a superuser's, and for a table that is not there.
  /// - Throws: `owner_not_fenced` for a table that has the checks of another owner's, as a partition or a child has.
  static func owner(of table: CopyTarget, _ session: Session) throws(Failure) -> String? {
    let rows = try find(
      table, "true", session,
      columns: """
        pg_catalog.quote_ident((SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = c.relnamespace
          AND NOT pg_catalog.has_schema_privilege(c.relowner, n.oid, 'USAGE'))),
        CASE WHEN NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.oid = c.relowner)
          THEN pg_catalog.pg_get_userbyid(c.relowner) END,
        EXISTS (
          WITH RECURSIVE up (id) AS (
            SELECT c.oid UNION SELECT i.inhparent FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.id),
          down (id) AS (
            SELECT c.oid UNION SELECT i.inhrelid FROM down JOIN pg_catalog.pg_inherits i ON i.inhparent = down.id)
          SELECT FROM pg_catalog.pg_class r WHERE r.oid IN (SELECT id FROM up UNION SELECT id FROM down)
            AND r.relowner <> c.relowner)
        """)
    guard let row = rows.first else { return nil }
    guard row.last != "t" else {
      throw OwnerLogins.notFenced("\(table.schema).\(table.name) has the checks of another owner's table")
    }
    guard row.count == 3, let owner = row[1] else { return nil }
    // Privileges come after the rows; who owns a table in a schema had this one.
    if let schema = row[0] { try session.query("GRANT USAGE ON SCHEMA \(schema) TO \(quoteIdentifier(owner))") }
    return owner
  }

  /// Its CREATE TABLE may be one of the statements that failed.
  static func isThere(_ table: CopyTarget, _ session: Session) throws(Failure) -> Bool {
    try !find(table, "true", session).isEmpty
  }

  /// An extension's table has rows of the extension's own.
  static func isExtensions(_ table: CopyTarget, _ session: Session) throws(Failure) -> Bool {
    try !find(
      table,
      """
      EXISTS (SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
      """, session
    ).isEmpty
  }

  private static func find(
    _ table: CopyTarget, _ condition: String, _ session: Session, columns: String = ""
  ) throws(Failure) -> [[String?]] {
    // The name is spelled in the bytes of the dump, so it goes as they do.
    let literal = table.nameBytes.flatMap { $0 == UInt8(ascii: "'") ? [$0, $0] : [$0] }
    let query = "SELECT \(columns) FROM pg_catalog.pg_class c WHERE \(condition) AND c.oid = pg_catalog.to_regclass('"
    return try session.query(bytes: Array(query.utf8) + literal + Array("')::pg_catalog.oid".utf8))
  }
}
