import BackupModel
import Diagnostics
import PostgresTools

/// Rows that `exclude_table_data` leaves out must not be referred to by rows that are kept: their foreign key could not be restored.
struct ExcludedRows {
  private let session: Session
  private let policy: Policy

  /// - Parameter session: in the transaction of the snapshot.
  init(_ session: Session, _ policy: Policy) {
    self.session = session
    self.policy = policy
  }

  /// - Throws: `excluded_reference`.
  func check(_ digests: DatabaseDigest) throws(Failure) {
    let saved = Set(digests.tables.map(\.key))
    let filled = Set(digests.tables.filter { $0.rows > 0 }.map(\.key))
    for values in try references() {
      let row = try Row(values)
      let (from, to) = try ([row.text(0), row.text(1)], [row.text(2), row.text(3)])
      guard filled.contains(from.map { Array($0.utf8) }), !saved.contains(to.map { Array($0.utf8) }) else { continue }
      let (kept, left) = (from.joined(separator: "."), to.joined(separator: "."))
      throw Failure(
        "excluded_reference", exit: .configuration, what: "backup of \(policy.name)",
        why: "the rows of \(left) are left out, and rows of \(kept) refer to them: it could not be restored",
        nextStep: "leave out those of \(kept) too, or none of \(left): backup.exclude_table_data")
    }
  }

  private func references() throws(Failure) -> [[String?]] {
    try session.query(
      """
      SELECT n.nspname, c.relname, tn.nspname, t.relname FROM pg_catalog.pg_constraint k
      JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_class t ON t.oid = k.confrelid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
      WHERE k.contype = 'f' AND k.convalidated AND c.relkind = 'r' AND t.relkind = 'r' AND c.oid <> t.oid
      ORDER BY 1, 2, 3, 4
      """)
  }
}
