import BackupModel
import Diagnostics
import PostgresTools

/// The search paths that the ordinary sessions of a backed up database have.
///
/// A dump is restored under an empty search path. A function that names something without its schema works in the database itself, and fails
/// there when an index, a check, a generated column or a materialized view calls it.
///
/// Nothing of a dump but keys is parsed under such a path: whoever owns a schema of it could have an operator stand for another one. Rows are loaded
/// under it, and what is there already is built: indexes, constraints, materialized views, statistics. The server's own catalog comes first in
/// each, temporary objects last.
struct SearchPaths: Sendable {
  /// Values of `search_path`, the likeliest first: that of the database's ordinary sessions.
  let candidates: [String]

  /// Under which rows are loaded. A function may find nothing under an empty path, and say so by a value.
  var own: String { candidates.first ?? Self.fenced("") }

  /// - Parameters:
  ///   - properties: of the backed up database.
  ///   - schema: that the policy's URL names.
  ///   - session: on the server that is restored into: it knows what its roles have set for all databases.
  init(_ properties: DatabaseProperties, schema: String?, _ session: Session) throws(Failure) {
    let own = properties.settings.filter { $0.name == "search_path" }
    let ofDatabase = own.filter { $0.role == nil }.map(\.value)
    let ofRoles = own.filter { $0.role != nil }.map(\.value)
    let ofOwner = own.filter { $0.role == properties.owner }.map(\.value)
    func everywhere(_ condition: String) throws(Failure) -> [String] {
      try session.query(
        """
        SELECT DISTINCT pg_catalog.substr(c.entry, 13) FROM pg_catalog.pg_db_role_setting s
        LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) s.setrole, pg_catalog.unnest(s.setconfig) c (entry)
        WHERE s.setdatabase OPERATOR(pg_catalog.=) 0 AND pg_catalog.starts_with(c.entry, 'search_path=')
          AND \(condition) ORDER BY 1
        """, [properties.owner]
      ).compactMap { $0.first ?? nil }
    }
    // The owner's own sessions have these before the database's.
    let likeliest = ofOwner + (try everywhere("r.rolname OPERATOR(pg_catalog.=) $1"))
    let others = try everywhere("r.rolname IS DISTINCT FROM $1")
    let ofURL = schema.map { ["\(quoteIdentifier($0)), public"] } ?? []
    let usual = try session.query(
      "SELECT reset_val FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) 'search_path'"
    ).compactMap { $0.first ?? nil }
    let owners = ["\(quoteIdentifier(properties.owner)), public"]
    var seen: Set<String> = []
    candidates = (likeliest + ofDatabase + ofURL + usual + ["\"$user\", public"] + owners + ofRoles + others + [""])
      .filter { seen.insert($0).inserted }.map(Self.fenced)
  }

  private static func fenced(_ path: String) -> String {
    (["pg_catalog"] + (path.isEmpty ? [] : [path]) + ["pg_temp"]).joined(separator: ", ")
  }

  /// The schemas of a database's extensions, for a definition that names an operator in a place where SQL has none for its schema: `IS
  /// DISTINCT FROM`, `CASE x WHEN`, `JOIN USING`. It is parsed under this path; what it names of a superuser's runs, as in pg_restore.
  ///
  /// - Returns: nil without extensions other than the server's own.
  static func ofExtensions(_ session: Session) throws(Failure) -> String? {
    let schemas = try session.query(
      """
      SELECT DISTINCT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e
      JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
      WHERE n.nspname OPERATOR(pg_catalog.<>) 'pg_catalog' ORDER BY 1
      """
    ).compactMap { $0.first ?? nil }
    return schemas.isEmpty ? nil : fenced(schemas.joined(separator: ", "))
  }
}
