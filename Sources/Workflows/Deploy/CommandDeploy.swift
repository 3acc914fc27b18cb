import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Migrations
import PostgresTools

/// Applies pending migrations by another program, and believes the history, not the program's exit.
struct CommandDeploy {
  let command: [String]
  /// How long it may take; nil: as long as it takes.
  let limit: Duration?
  let books: DeployBooks
  let journal: DeployJournal
  let surroundings: Surroundings

  /// - Throws: `command_failed`, `command_timed_out`, `nothing_applied`, `P3018`.
  func apply(_ pending: [String], _ outcome: inout DeployMigrations.Outcome) throws(Failure) {
    try journal.append(DeployEvent(.applying, at: surroundings.now(), migrations: pending))
    let result: Result<ChildExit, Failure>
    do throws(Failure) { result = .success(try runCommand()) } catch { result = .failure(stopped(error)) }

    let rows = try HistoryTable(books.session, schema: books.target.schema).rows()
    let applied = Set(rows.filter(\.isApplied).map(\.name))
    outcome.applied = pending.filter { applied.contains($0) }
    for name in outcome.applied {
      try journal.append(DeployEvent(.applied, at: surroundings.now(), migration: name))
    }
    let failed = rows.last(where: \.isFailed)
    if let failed {
      outcome.failed = failed.name
      try journal.append(DeployEvent(.failed, at: surroundings.now(), migration: failed.name, error: failed.logs))
    }
    // What stopped the run comes first: it also explains the row.
    let exit = try result.get()
    if let failed {
      throw failure(
        "P3018", "migration \(failed.name) failed", "the history has it as failed after \(command[0]) ended",
        details: (failed.logs ?? "").split(separator: "\n").prefix(20).map(String.init))
    }
    guard exit.succeeded else {
      throw failure("command_failed", "command \(command[0])", "it ended with \(exit.description)", details: [])
    }
    let left = pending.filter { !applied.contains($0) }
    guard left.isEmpty else {
      throw failure(
        "nothing_applied", "command \(command[0])",
        "it ended with exit 0, but the history does not have \(left.joined(separator: ", "))", details: [])
    }
  }

  private func failure(_ code: String, _ what: String, _ why: String, details: [String]) -> Failure {
    Failure(
      code, exit: .failed, what: what, why: why,
      nextStep: "look at what it printed; then fix it and deploy again, or go back: holdfast rollback",
      details: details)
  }

  /// What a program had begun is not undone by ending it.
  private func stopped(_ cause: Failure) -> Failure {
    if cause.code == ChildRunner.timedOut {
      var failure = cause
      failure.what = "command \(command[0])"
      failure.nextStep =
        "holdfast migrations shows how far it came; deploy again, with a larger migrations.command_timeout"
        + " where it needs that, or go back: holdfast rollback"
      return failure
    }
    guard surroundings.cancellation.signal != nil else { return cause }
    return Failure(
      cause.code, exit: cause.exit, what: "command \(command[0])", why: "it was \(cause.code), and its processes ended",
      nextStep: "holdfast migrations shows how far it came; deploy again, or go back: holdfast rollback")
  }

  /// Its output streams through to stderr; with its whole group it ends when the run is interrupted.
  private func runCommand() throws(Failure) -> ChildExit {
    let child = try surroundings.userCommand(command)
    let reporter = surroundings.reporter
    return try surroundings.phase(
      "apply", summary: { "\(command.joined(separator: " ")): \($0.description)" }
    ) { () throws(Failure) in try surroundings.runner.runVisibly(child, within: limit, tell: { reporter.output($0) }) }
    .value
  }
}
