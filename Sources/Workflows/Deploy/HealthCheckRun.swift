import BackupModel
import Diagnostics
import Foundation
import PostgresTools

/// Asks after a deploy whether all is well.
struct HealthCheckRun {
  let checks: [HealthCheck]
  /// How long each may take; nil: as long as it takes.
  let limit: Duration?
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
      let session = try surroundings.connector.connectForScripts(target, purpose: "health check")
      switch try outcome(of: query, session) {
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
      let exit: ChildExit
      do throws(Failure) {
        exit = try surroundings.runner.runVisibly(child, within: limit, tell: { reporter.output($0) })
      } catch {
        throw error.code == ChildRunner.timedOut ? failed(words.joined(separator: " "), tooLong) : error
      }
      guard exit.succeeded else { throw failed(words.joined(separator: " "), "it ended with \(exit.description)") }
    }
  }

  /// A statement may set its own limits; ours is not one of the session's.
  private func outcome(of query: String, _ session: ScriptSession) throws(Failure) -> Result<[[String?]], ServerError> {
    guard let limit else { return session.run(query) }
    let end = Cancellation()
    let timer = DispatchSource.makeTimerSource(queue: .global())
    timer.setEventHandler { @Sendable in end.cancel(signal: SIGALRM) }
    timer.schedule(deadline: .now() + limit.seconds)
    timer.resume()
    defer { timer.cancel() }
    let outcome = try session.run(query, hearing: end)
    try surroundings.cancellation.check()
    if case .failure = outcome, end.signal != nil { throw failed(query, tooLong) }
    return outcome
  }

  private var tooLong: String {
    "it still ran after migrations.health_check_timeout (\((limit ?? .zero).seconds.formatted()) s), and was ended"
  }

  private func failed(_ check: String, _ why: String) -> Failure {
    Failure(
      "health_check_failed", exit: .failed, what: "health check \(check)", why: why,
      nextStep: "the migrations are applied; if the application is not well: holdfast rollback --plan")
  }
}

extension Surroundings {
  /// A program of the user's, found in PATH as a shell finds it, with the environment and the umask that Holdfast was started with.
  ///
  /// - Throws: `command_missing`.
  func userCommand(_ words: [String]) throws(Failure) -> ChildCommand {
    guard let path = words.first.flatMap({ findProgram($0, path: environment["PATH"]) }) else {
      throw Failure(
        "command_missing", exit: .unavailable, what: "command \(words.first ?? "")", why: "there is no such program",
        nextStep: "check the command in the policy, or what stands after --")
    }
    return ChildCommand(
      executable: path, arguments: Array(words.dropFirst()), environment: environment, umask: umask)
  }
}
