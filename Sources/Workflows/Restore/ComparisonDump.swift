import BackupModel
import Diagnostics
import PostgresTools

/// The calls of pg_dump by which a restored database is compared: where it is large, its largest tables apart from everything else, so that
/// more than one core has work.
package struct ComparisonDump: Sendable {
  private let apart: [TableDigest]

  /// Below this a second program takes longer than it saves.
  private static let least: UInt64 = 8 << 20

  /// - Parameter isOrdinary: whether a table's rows are dumped as its own, and all of them.
  package init(
    _ manifest: Manifest, isOrdinary: (TableDigest) throws(Failure) -> Bool
  ) throws(Failure) {
    let sizes = Dictionary(
      manifest.files.compactMap { file in file.table.map { ($0, file.rawBytes ?? file.bytes) } }, uniquingKeysWith: +)
    let total = sizes.values.reduce(0, +)
    let largest = manifest.digests.tables.filter { Self.isPlain($0.schema) && Self.isPlain($0.name) }
      .sorted { sizes[$0.qualifiedName] ?? 0 > sizes[$1.qualifiedName] ?? 0 }
    var (chosen, bytes): ([TableDigest], UInt64) = ([], 0)
    for table in largest.prefix(20) where total >= Self.least && bytes < total / 5 * 2 {
      guard try isOrdinary(table) else { continue }
      chosen.append(table)
      bytes += sizes[table.qualifiedName] ?? 0
    }
    apart = chosen
  }

  /// Such a name is its own pattern.
  private static func isPlain(_ name: String) -> Bool { name.wholeMatch(of: /[a-z_][a-z0-9_]*/) != nil }

  /// What each call has to be told besides.
  package var calls: [[String]] {
    guard !apart.isEmpty else { return [[]] }
    return [
      apart.map { "--exclude-table-data=\($0.qualifiedName)" },
      ["--data-only"] + apart.map { "--table=\($0.qualifiedName)" },
    ]
  }

  /// One digest of what the calls gave.
  package func joined(_ found: [DatabaseDigest]) -> DatabaseDigest? {
    guard let first = found.first, found.count == calls.count else { return nil }
    let names = Set(apart.map(\.qualifiedName))
    let tables =
      first.tables.filter { !names.contains($0.qualifiedName) }
      + found.dropFirst().flatMap(\.tables).filter { names.contains($0.qualifiedName) }
    return DatabaseDigest(
      tables: tables, sequences: first.sequences, largeObjects: first.largeObjects, schema: first.schema)
  }

  /// For `isOrdinary`: a table of its own, and not an extension's.
  static func isOrdinary(_ table: TableDigest, _ session: Session) throws(Failure) -> Bool {
    try !session.query(
      """
      SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r' AND NOT c.relispartition
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE c.oid IN (i.inhparent, i.inhrelid))
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
      """, [table.schema, table.name]
    ).isEmpty
  }
}
