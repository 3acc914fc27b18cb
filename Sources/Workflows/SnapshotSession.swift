import BackupModel
import Diagnostics
import Foundation
import PostgresTools

/// A transaction that exports its snapshot and keeps it open while pg_dump works with it: so the manifest's snapshot is the
/// dump's own.
final class SnapshotSession: @unchecked Sendable {
  private let session: Session
  private let locks: TableLocks
  private let lock = NSLock()
  /// Tables that were rewritten before pg_dump had its own locks; nil as long as it may not have them.
  private var rewritten: Result<[String], Failure>?
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

  /// pg_dump has locked every table, and begins to write. Whatever waits for a table now waits for pg_dump, so that ours are needed no more.
  func dumpBegan() {
    lock.withLock {
      guard rewritten == nil else { return }
      do throws(Failure) { rewritten = .success(try TableLocks.rewritten(since: session)) } catch {
        rewritten = .failure(error)
      }
      locks.release()
    }
  }

  /// Ends the transaction.
  ///
  /// - Throws: `connection_lost` when the session did not live as long as the dump; `tables_rewritten`.
  func close() throws(Failure) {
    dumpBegan()
    let found: Result<[String], Failure> = lock.withLock { self.rewritten ?? .success([]) }
    let rewritten = try found.get()
    try session.query("COMMIT")
    guard rewritten.isEmpty else {
      throw Failure(
        "tables_rewritten", exit: .failed, what: "backup of \(session.target.database)",
        why: "\(rewritten.prefix(5).joined(separator: ", ")) was truncated or rewritten meanwhile, and may seem empty",
        nextStep: "run the same command again")
    }
  }
}
