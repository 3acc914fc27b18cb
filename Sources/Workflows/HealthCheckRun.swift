import BackupModel
import Diagnostics
import Foundation
import PostgresTools

/// Asks after a deploy whether all is well.
struct HealthCheckRun {
  let checks: [HealthCheck]
  let target: ConnectionTarget
  let surroundings: Surroundings

  /// - Throws: `health_check_failed`, with the first check that does not hold.
  func run() throws(Failure) {
    guard !checks.isEmpty else { return }
    func all() throws(Failure) { for check in checks { try run(check) } }
    _ = try surroundings.phase("health", summary: { "\(counted(checks.count, "check")) passed" }, all)
  }

  private func run(_ check: HealthCheck) throws(Failure) {
    switch check {
    case .sql(let query):
      let session = try surroundings.connector.connect(target, purpose: "health check", defaults: .theirs)
      switch session.attempt(query) {
      case .success(let rows):
        guard rows.count == 1, rows[0] == ["t"] else {
          throw failed(query, "it gave \(rows.first?.first?.map { $0 } ?? "nothing") instead of true")
        }
      case .failure(let error): throw failed(query, error.message)
      }
    case .command(let words):
      let reporter = surroundings.reporter
      let child: ChildCommand
      do throws(Failure) { child = try surroundings.userCommand(words) } catch {
        throw failed(words.joined(separator: " "), error.why)
      }
      let exit = try surroundings.runner.runVisibly(child, tell: { reporter.output($0) })
      guard exit.succeeded else { throw failed(words.joined(separator: " "), "it ended with \(exit.description)") }
    }
  }

  private func failed(_ check: String, _ why: String) -> Failure {
    Failure(
      "health_check_failed", exit: .failed, what: "health check \(check)", why: why,
      nextStep: "the migrations are applied; if the application is not well: holdfast rollback --plan")
  }
}

extension Surroundings {
  /// A program of the user's, found in PATH as a shell finds it, with the environment that Holdfast was started with.
  ///
  /// - Throws: `command_missing`.
  func userCommand(_ words: [String]) throws(Failure) -> ChildCommand {
    let folders = (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
    let candidates = words.first.map { word in word.contains("/") ? [word] : folders.map { "\($0)/\(word)" } } ?? []
    guard let path = candidates.first(where: { access($0, X_OK) == 0 }) else {
      throw Failure(
        "command_missing", exit: .unavailable, what: "command \(words.first ?? "")", why: "there is no such program",
        nextStep: "check the command in the policy, or what stands after --")
    }
    return ChildCommand(executable: path, arguments: Array(words.dropFirst()), environment: environment)
  }
}
