import BackupModel
import Diagnostics
import PostgresTools

/// Whether a server has what a backup refers to: roles, tablespaces, extensions.
enum RestoreNeeds {
  /// - Throws: `restore_needs`, with everything that is missing.
  static func check(_ backup: Backup, _ session: Session) throws(Failure) {
    let missing = try ServerReader(session).missing(of: backup.manifest.needs)
    guard !missing.isEmpty else { return }
    throw Failure(
      "restore_needs", exit: .unavailable, what: "restore of \(backup.id)",
      why:
        "the server lacks \(missing.count == 1 ? "something" : "\(missing.count) things") that the database refers to; nothing was created",
      nextStep:
        "make them, then run the same command again; the backup's roles: psql -X -d postgres -f \(backup.path)/globals.sql",
      details: missing.map { "\($0.what): \($0.fix)" })
  }
}
