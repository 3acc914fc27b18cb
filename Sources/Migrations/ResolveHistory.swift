import Diagnostics

/// What `prisma migrate resolve` does to the history, with the same preconditions and the same rows.
package struct ResolveHistory {
  let table: HistoryTable
  let folder: MigrationFolder

  /// The caller holds Prisma's advisory lock.
  package init(_ table: HistoryTable, folder: MigrationFolder) {
    self.table = table
    self.folder = folder
  }

  /// The database has what the migration makes.
  ///
  /// - Throws: `P3019`, `P3017`, `P3008`.
  package func markApplied(_ name: String) throws(Failure) {
    try folder.checkProvider()
    guard let checksum = try folder.migration(name)?.checksum() else {
      throw unknownMigration(name, in: folder)
    }
    if try table.rows().contains(where: { $0.name == name && $0.finishedAt != nil }) {
      throw Failure(
        "P3008", exit: .failed, what: "migration \(name)", why: "it is already recorded as applied in the database",
        nextStep: "holdfast migrations shows the state of each")
    }
    try table.create()
    try table.rollBackFailed(name)
    try table.insertApplied(name, checksum: checksum)
  }

  /// The database has nothing of what the migration began.
  ///
  /// - Returns: whether a row was marked; one that was marked before, and stands beside an applied one, is not marked again.
  /// - Throws: `no_history`, `P3011`, `P3012`.
  package func markRolledBack(_ name: String) throws(Failure) -> Bool {
    let rows = try table.rows().filter { $0.name == name }
    guard table.isThere else {
      throw Failure(
        "no_history", exit: .failed, what: "migration \(name)", why: "the database has no migration history",
        nextStep: "nothing has to be resolved: holdfast deploy")
    }
    guard !rows.isEmpty else {
      throw Failure(
        "P3011", exit: .failed, what: "migration \(name)",
        why: "it cannot be rolled back, because it was never applied to the database",
        nextStep: suggestion(for: name, among: try table.rows().map(\.name))
          ?? "give the whole name of the migration: holdfast migrations lists them")
    }
    guard rows.contains(where: { $0.finishedAt == nil }) else {
      throw Failure(
        "P3012", exit: .failed, what: "migration \(name)",
        why: "it cannot be rolled back, because it is not in a failed state",
        nextStep: "to undo a migration that succeeded, restore the backup from before it")
    }
    try table.rollBackFailed(name)
    return rows.contains(where: \.isFailed)
  }
}
