import BackupModel
import Diagnostics
import PostgresTools

/// Whether a server has what a backup refers to: roles, tablespaces, extensions.
enum RestoreNeeds {
  /// - Throws: `row_type_order`, `restore_needs`.
  static func check(_ backup: Backup, _ session: Session) throws(Failure) {
    if let refusal = exchange(by: backup, tables: nil) { throw refusal }
    try checkServer(backup, session)
  }

  /// Fields that a restore would put into each other's places: nobody is to find that out later.
  ///
  /// - Parameter tables: `schema.name` of the only ones that are restored; nil: all.
  /// - Returns: `row_type_order`.
  static func exchange(by backup: Backup, tables: Set<String>?) -> Failure? {
    let entries = (backup.manifest.missing ?? []).of(CensusKind.rowTypeOrder.rawValue)
      .filter { entry in tables.map { $0.contains(entry.table ?? "") } ?? true }
    guard let first = entries.first else { return nil }
    return Failure(
      "row_type_order", exit: .dataDamaged, what: "restore of \(backup.id)",
      why: "\(first.name) keeps whole rows: \(first.why)",
      nextStep:
        "restore the other tables: holdfast restore \(backup.id) --table SCHEMA.NAME --into NAME; "
        + "holdfast export has the rest as text, in which the fields have to be put in order by hand",
      details: entries.summaries)
  }

  /// - Throws: `restore_needs`, with everything that is missing.
  static func checkServer(_ backup: Backup, _ session: Session) throws(Failure) {
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
