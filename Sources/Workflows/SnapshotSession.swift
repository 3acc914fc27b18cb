import BackupModel
import Diagnostics
import PostgresTools

/// A transaction that exports its snapshot and keeps it open while pg_dump works with it: so the manifest's snapshot is the
/// dump's own.
struct SnapshotSession {
  private let session: Session
  let locks: TableLocks
  /// For `pg_dump --snapshot`.
  let identifier: String
  let snapshot: Manifest.Snapshot

  /// - Parameter locks: taken before the snapshot, so that no table of it is rewritten until pg_dump has its own.
  /// - Throws: `table_locked`, `tables_change`.
  init(_ session: Session, standby: Bool, locks: TableLocks) throws(Failure) {
    self.session = session
    self.locks = locks
    try locks.take()
    try session.query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    identifier = try Row(try session.query("SELECT pg_catalog.pg_export_snapshot()").first).text(0)
    snapshot = try ServerReader(session).snapshot(standby: standby)
  }

  /// Ends the transaction.
  ///
  /// - Throws: `connection_lost` when the session did not live as long as the dump; `tables_rewritten`.
  func close() throws(Failure) {
    let rewritten = try TableLocks.rewritten(since: session)
    try session.query("COMMIT")
    guard rewritten.isEmpty else {
      throw Failure(
        "tables_rewritten", exit: .failed, what: "backup of \(session.target.database)",
        why: "\(rewritten.prefix(5).joined(separator: ", ")) was truncated or rewritten meanwhile, and may seem empty",
        nextStep: "run the same command again")
    }
  }
}
