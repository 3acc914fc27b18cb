import Diagnostics
import PostgresTools
import StreamPipeline

/// Statistics for a restored database, in portions that may be worked off beside each other. Its first queries would be planned blindly
/// otherwise.
package struct StatisticsUpdate: Sendable {
  private let pool: SessionPool
  /// Tried where functions of an index name something without its schema.
  private let builds: PathBuilds

  init(_ pool: SessionPool, paths: SearchPaths) {
    self.pool = pool
    builds = PathBuilds(pool: pool, paths: paths)
  }

  /// Every table, the largest ones first and alone; a portion without names stands for all.
  func portions() throws(Failure) -> [[String]] {
    let tables = try pool.with { (session) throws(Failure) -> [[String?]]? in
      // Names of any bytes could not be sent back.
      guard try session.query("SHOW server_encoding").first?.first != "SQL_ASCII" else { return nil }
      return try session.query(
        """
        WITH root AS (
          -- Together with its partitions, and nothing else analyzes it. (Not where that would ask another server.)
          SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relkind = 'p' AND NOT c.relispartition AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class f ON f.oid = t.relid
            WHERE f.relkind = 'f')
        ), partition AS (
          SELECT root.oid AS root, t.relid FROM root, pg_catalog.pg_partition_tree(root.oid) t
        )
        SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), coalesce(
          (SELECT pg_catalog.sum(pg_catalog.pg_table_size(p.relid)) FROM partition p WHERE p.root = c.oid),
          pg_catalog.pg_table_size(c.oid))
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
          AND (c.relkind IN ('r', 'm') AND c.oid NOT IN (SELECT relid FROM partition) OR c.oid IN (SELECT oid FROM root))
        ORDER BY 2 DESC
        """)
    }
    guard let tables else { return [[]] }
    let sizes = tables.map { row in (name: (row.first ?? nil) ?? "", bytes: Int(row.last.flatMap { $0 } ?? "") ?? 0) }
    return Self.portions(sizes)
  }

  /// Tables in portions of about a sixteenth of the whole at most; a larger table is one of its own.
  package static func portions(_ tables: [(name: String, bytes: Int)]) -> [[String]] {
    let limit = tables.reduce(0) { $0 + $1.bytes } / 16
    var portions: [[String]] = []
    var room = 0
    for table in tables {
      if table.bytes <= room, !portions.isEmpty {
        portions[portions.count - 1].append(table.name)
      } else {
        portions.append([table.name])
        room = limit
      }
      room -= table.bytes
    }
    return portions
  }

  /// Analyzes a portion. It runs expressions of the database's own, and may ask foreign servers; what fails there fails where the rows are
  /// as they should be: whoever restores is not held up by that.
  ///
  /// - Returns: what could not be analyzed, and why.
  func run(_ portion: [String]) throws(Failure) -> [String] {
    guard let why = try problem(with: portion) else { return [] }
    if portion.count < 2 { return ["\(portion.first ?? "the database"): \(why)"] }
    var problems: [String] = []
    for table in portion { problems += try run([table]) }
    return problems
  }

  /// - Throws: what ends the session too, or is a stop.
  private func problem(with portion: [String]) throws(Failure) -> String? {
    let statement = "ANALYZE " + portion.joined(separator: ", ")
    let problem = try pool.with { (session) throws(Failure) in try session.outcome(ofOptional: statement) }
    guard let problem else { return nil }
    if portion.count < 2, try builds.runOptional(statement) == nil { return nil }
    return "\(problem.sqlState ?? ""): \(problem.message)"
  }
}
