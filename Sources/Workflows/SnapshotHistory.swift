import BackupModel
import Diagnostics
import Migrations
import PostgresTools

extension BackupSource {
  /// The history as the open snapshot has it.
  ///
  /// - Returns: nil when the database has none, or a table of that name that is not Prisma's.
  func history() throws(Failure) -> [HistoryRow]? {
    try session.query("SAVEPOINT history")
    do throws(Failure) {
      let table = try HistoryTable(session, schema: target.schema)
      let rows = try table.rows()
      return table.isThere ? rows : nil
    } catch {
      guard error.code == "server_error" else { throw error }
      try session.query("ROLLBACK TO history")
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
