import BackupModel
import Diagnostics
import Migrations
import PostgresTools

extension BackupSource {
  /// The history as the open snapshot has it.
  ///
  /// - Returns: nil when the database has none, or a table of that name that is not Prisma's.
  /// - Throws: whatever else keeps it from being read: a snapshot must not look as if it had no history.
  func history() throws(Failure) -> [HistoryRow]? {
    try session.query("SAVEPOINT history")
    do throws(Failure) {
      let table = try HistoryTable(session, schema: target.schema)
      let rows = try table.rows()
      // The lock on the table goes with it: somebody who waits for it would stand before pg_dump.
      try session.query("ROLLBACK TO history")
      return table.isThere ? rows : nil
    } catch {
      if session.isInTransaction { try session.query("ROLLBACK TO history") }
      guard error.code == HistoryTable.foreignTable else { throw error }
      return nil
    }
  }
}

extension Manifest.Migrations {
  /// - Parameter folder: whose scripts are pending; nil: none is known of.
  init(_ rows: [HistoryRow], folder: MigrationFolder?) throws(Failure) {
    let live = Set(rows.filter(\.isLive).map(\.name))
    let pending = try (folder?.migrations ?? []).filter { !live.contains($0.name) }.map { (script) throws(Failure) in
      Manifest.Migrations.Migration(name: script.name, checksum: try script.checksum() ?? "")
    }
    self.init(
      applied: rows.filter(\.isApplied).map { Manifest.Migrations.Migration(name: $0.name, checksum: $0.checksum) },
      pending: pending)
  }
}
