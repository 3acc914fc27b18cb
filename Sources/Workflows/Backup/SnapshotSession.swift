import BackupModel
import Diagnostics
import PostgresTools

/// A transaction that exports its snapshot and keeps it open while pg_dump works with it: so the manifest's snapshot is the
/// dump's own.
struct SnapshotSession: Sendable {
  let session: Session
  /// For `pg_dump --snapshot`.
  let identifier: String
  let snapshot: Manifest.Snapshot

  init(_ session: Session, standby: Bool) throws(Failure) {
    self.session = session
    try session.query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    identifier = try Row(try session.query("SELECT pg_catalog.pg_export_snapshot()").first).text(0)
    snapshot = try ServerReader(session).snapshot(standby: standby)
  }

  /// Ends the transaction.
  ///
  /// - Throws: `connection_lost` when the session did not live as long as the dump.
  func close() throws(Failure) { try session.query("COMMIT") }

  /// Ends it where the dump failed.
  func abandon() { if session.isInTransaction { _ = session.attempt("ROLLBACK") } }
}
