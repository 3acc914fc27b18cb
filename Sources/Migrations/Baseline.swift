import Diagnostics
import PostgresTools

/// Migrations recorded as applied in a database that already has what they make, and had no history; and that taken back.
extension ResolveHistory {
  /// What a baseline would record.
  ///
  /// - Parameter last: the last migration that the database has; nil: it has all.
  /// - Throws: `P3019`, `P3017`, `P3015`.
  package static func baseline(of folder: MigrationFolder, upTo last: String?) throws(Failure) -> [MigrationScript] {
    try folder.checkProvider()
    var chosen = folder.migrations
    if let last {
      guard let end = chosen.firstIndex(where: { $0.name == last }) else { throw unknownMigration(last, in: folder) }
      chosen = Array(chosen[...end])
    }
    for migration in chosen where migration.text == nil { throw migration.missing }
    return chosen
  }

  /// Records them, all or none.
  ///
  /// - Throws: `already_managed`.
  package func record(_ migrations: [MigrationScript]) throws(Failure) {
    try refuseManaged()
    try table.create()
    try table.session.query("BEGIN")
    for migration in migrations { try table.insertApplied(migration.name, checksum: try migration.checksum() ?? "") }
    try table.session.query("COMMIT")
  }

  /// - Throws: `already_managed`.
  package func refuseManaged() throws(Failure) {
    guard try table.rows().isEmpty else {
      throw Failure(
        "already_managed", exit: .failed, what: "baseline", why: "the database already has a migration history",
        nextStep: "mark single migrations: holdfast resolve NAME --applied; to take the last baseline back: "
          + "holdfast baseline --undo")
    }
  }

  /// The rows that a baseline recorded: they begin the history, one transaction wrote them, and none of them was ever run.
  ///
  /// - Throws: `no_baseline`; `deployed_since`, naming the migration.
  package func lastBaseline() throws(Failure) -> [HistoryRow] {
    let rows = try table.rows()
    let writers = rows.isEmpty ? [:] : try table.writers()
    guard let first = rows.first(where: \.isRecorded), let writer = writers[first.id] else { throw nothingToUndo() }
    let recorded = rows.filter { $0.isRecorded && writers[$0.id] == writer }
    if let other = rows.first(where: { !$0.isRecorded }) {
      throw Failure(
        "deployed_since", exit: .failed, what: "baseline --undo",
        why: "\(other.name) was deployed since, or before: the history is no longer the baseline's alone",
        nextStep: "to go back to before a deploy: holdfast rollback")
    }
    return recorded
  }

  private func nothingToUndo() -> Failure {
    Failure(
      "no_baseline", exit: .failed, what: "baseline --undo",
      why: "the history has no migration that a baseline recorded",
      nextStep: "holdfast migrations shows the history")
  }

  /// Takes a baseline back. A history that is empty then goes too, so that the next deploy asks again.
  package func undo(_ rows: [HistoryRow]) throws(Failure) {
    try table.session.query("BEGIN")
    do throws(Failure) {
      try table.remove(rows.map(\.id))
      try table.session.query("COMMIT")
    } catch {
      _ = table.session.attempt("ROLLBACK", [])
      throw error
    }
  }
}

extension HistoryRow {
  /// As `baseline` and `migrate resolve --applied` leave it: never run.
  fileprivate var isRecorded: Bool {
    isApplied && steps == 0 && finishedAt.map { $0 + " UTC" } == startedAt && (logs ?? "").isEmpty
  }
}

/// `P3017`, with the names that were likely meant.
func unknownMigration(_ name: String, in folder: MigrationFolder) -> Failure {
  Failure(
    "P3017", exit: .failed, what: "migration \(name)",
    why: "it could not be found: the migrations folder has no folder of that name with a migration.sql",
    nextStep: suggestion(for: name, among: folder.migrations.map(\.name))
      ?? "give the whole name of the folder: holdfast migrations lists them")
}

/// "did you mean …?" for the name of a migration, of which people type the beginning.
package func suggestion(for name: String, among names: [String]) -> String? {
  let begun = names.filter { !name.isEmpty && ($0.hasPrefix(name) || $0.hasSuffix("_\(name)")) }
  return (begun.count == 1 ? begun.first : nearest(to: name, among: names)).map { "did you mean \($0)?" }
}
