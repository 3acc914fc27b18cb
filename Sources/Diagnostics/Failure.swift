import Foundation

/// What every error of Holdfast carries to the person who reads it: what failed, why, and what to type next.
///
/// Code matches on `code`, never on the texts.
package struct Failure: Error, Sendable, Equatable {
  /// A stable word for scripts, in snake_case: `wrong_password`, `backup_damaged`.
  package var code: String
  package var exit: ExitCode
  /// What was being done: "backup of app", "policy production".
  package var what: String
  package var why: String
  /// The next step, as an instruction or a command.
  package var nextStep: String
  /// More of the same kind, a line each: every bad key of a policy, the last lines of a child's stderr.
  package var details: [String]
  /// What the server reported, where the failure is an error of its own.
  package var server: ServerReport?

  package init(
    _ code: String, exit: ExitCode, what: String, why: String, nextStep: String, details: [String] = [],
    server: ServerReport? = nil
  ) {
    self.code = code
    self.exit = exit
    self.what = what
    self.why = why
    self.nextStep = nextStep
    self.details = details
    self.server = server
  }

  /// The two lines that every error is printed as, with its details between them.
  package var lines: [String] {
    // A single problem of a file is the reason, with its place before it.
    let (first, last) = ("error: \(singleLine(what)): ", "hint: \(singleLine(nextStep))")
    if code == "configuration", details.count == 1, details[0].hasSuffix(": \(why)") {
      return [first + singleLine(details[0]), last]
    }
    return [first + singleLine(why)] + details.map { "       \(singleLine($0))" } + [last]
  }
}

/// The fields of a server's error that decisions are made by.
package struct ServerReport: Sendable, Equatable {
  /// SQLSTATE, five characters.
  package var sqlState: String
  package var schema: String?
  package var table: String?
  package var dataType: String?
  package var constraint: String?
  package var column: String?

  package init(
    sqlState: String, schema: String? = nil, table: String? = nil, dataType: String? = nil, constraint: String? = nil,
    column: String? = nil
  ) {
    self.column = column
    self.sqlState = sqlState
    self.schema = schema
    self.table = table
    self.dataType = dataType
    self.constraint = constraint
  }
}

extension Failure {
  /// The run was asked to stop by a signal.
  package static func stopped(by signal: Int32) -> Failure {
    let (word, exit): (String, ExitCode) =
      signal == SIGINT ? ("interrupted", .interrupted) : ("terminated", .terminated)
    let names = [SIGINT: "SIGINT", SIGTERM: "SIGTERM", SIGHUP: "SIGHUP", SIGQUIT: "SIGQUIT"]
    let name = names[signal] ?? "signal \(signal)"
    return Failure(
      word, exit: exit, what: word, why: "\(name) was received; what was begun was undone",
      nextStep: "run the same command again")
  }

  /// A bug in Holdfast itself: an invariant that does not hold.
  package static func internalError(_ why: String) -> Failure {
    Failure(
      "internal_error", exit: .internalError, what: "internal error", why: why,
      nextStep: "report this with the command that you ran; nothing is counted as done that was not proven")
  }
}

extension [Failure] {
  /// The first one, with what the others say beside it; nil without any.
  package var joined: Failure? {
    guard var failure = first else { return nil }
    failure.details += dropFirst().flatMap { other in ["\(other.what): \(other.why)"] + other.details }
    return failure
  }
}
