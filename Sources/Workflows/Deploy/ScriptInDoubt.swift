import BackupModel
import Diagnostics
import Foundation
import Migrations
import PostgresTools

/// What became of the scripts of an interrupted deploy.
struct ScriptInDoubt {
  let record: DeployRecord
  let books: DeployBooks
  let surroundings: Surroundings

  enum Finding {
    /// Nothing is in doubt: every script of it was applied, or left nothing.
    case settled
    /// It is known to have failed.
    case failed(HistoryRow, isAtomic: Bool)
    /// A part of it may have stayed.
    case unknown(HistoryRow)

    var mayHaveChanged: Bool { if case .settled = self { false } else { true } }
  }

  /// Ends what the killed run left on the server, and finds out what its scripts did.
  ///
  /// The rows of scripts whose end is certain are brought to it: finished, or rolled back.
  func settle() throws(Failure) -> Finding {
    guard record.backup != nil else { return .settled }
    try endSessions()
    // Another program may still be applying: then it holds Prisma's lock.
    try AdvisoryLock.prisma.take(books.session, waiting: 10, cancellation: surroundings.cancellation)
    let finding = try find()
    try AdvisoryLock.prisma.release(books.session)
    return finding
  }

  private func find() throws(Failure) -> Finding {
    guard let row = try books.history.rows().last(where: { record.pending.contains($0.name) && $0.isFailed }) else {
      return .settled
    }
    if row.steps > 0, record.inDoubt == row.name {
      // The count was committed together with the script's end.
      try books.history.finish(row.id)
      return .settled
    }
    let isAtomic = record.inDoubt == row.name ? try ranAtomically(row) : false
    if row.logs != nil { return .failed(row, isAtomic: isAtomic) }
    guard isAtomic else { return .unknown(row) }
    try books.history.rollBackFailed(row.name)
    return .settled
  }

  /// Only the script that was run can tell; it may have been edited since.
  private func ranAtomically(_ row: HistoryRow) throws(Failure) -> Bool {
    guard let script = books.folder.migration(row.name), let text = script.text,
      try script.checksum() == row.checksum
    else { return false }
    // A script that cannot be read is sent as it is.
    guard let plan = try? ScriptPlan(text) else { return false }
    return plan.isAtomic
  }

  private func endSessions() throws(Failure) {
    let deadline = Date(timeIntervalSinceNow: 10)
    while Date() < deadline {
      if try ScriptSessions(books.session).end() { return }
      try surroundings.cancellation.check()
      usleep(50_000)
    }
    throw Failure(
      "script_still_runs", exit: .failed, what: "deploy \(record.id)",
      why: "a session of the interrupted run does not end", nextStep: "end it on the server, then run the command again"
    )
  }
}
