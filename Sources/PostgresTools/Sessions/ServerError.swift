import CLibPQ
import Diagnostics
import Foundation

/// An error that the server reported, or the loss of the connection (no SQLSTATE).
package struct ServerError: Error, Sendable {
  package let sqlState: String?
  package let message: String
  package let detail: String?
  package let hint: String?
  /// Of a character in the statement, from 1.
  package let position: Int?
  /// Where in functions, or in the rows of a COPY, it happened.
  let context: String?
  /// Nil for a lost connection.
  package let report: ServerReport?
  /// It ended the session; an ERROR of a statement does not, whatever its SQLSTATE says: a function may reach another server.
  let endsSession: Bool
  /// The signal by which the run is being stopped; the error is then only its consequence.
  let stopped: Int32?
  let endpoint: String
  /// What of the statement was more than it may be.
  var excess: Excess?

  enum Excess: Sendable { case time, silence, answer }

  init(
    sqlState: String?, message: String, detail: String?, hint: String?, position: Int? = nil,
    context: String? = nil, report: ServerReport? = nil, endsSession: Bool = true, stopped: Int32?, endpoint: String
  ) {
    self.endsSession = endsSession
    self.sqlState = sqlState
    self.message = message.trimmedOfNewlines
    self.detail = detail
    self.hint = hint
    self.position = position
    self.context = context
    self.report = report ?? sqlState.map { ServerReport(sqlState: $0) }
    self.stopped = stopped
    self.endpoint = endpoint
  }

  /// Nothing was asked of the server.
  package init(refusal: String) {
    self.init(sqlState: "42501", message: refusal, detail: nil, hint: nil, stopped: nil, endpoint: "")
  }

  init(_ result: OpaquePointer, stopped: Int32?, endpoint: String) {
    self.init(
      sqlState: Self.field("C", of: result), message: Self.field("M", of: result) ?? "unknown error",
      detail: Self.field("D", of: result), hint: Self.field("H", of: result),
      position: Self.field("P", of: result).flatMap { Int($0) }, context: Self.field("W", of: result),
      report: Self.report(of: result), endsSession: Self.field("V", of: result) != "ERROR", stopped: stopped,
      endpoint: endpoint)
  }

  private static func report(of result: OpaquePointer) -> ServerReport? {
    field("C", of: result).map {
      ServerReport(
        sqlState: $0, schema: field("s", of: result), table: field("t", of: result), dataType: field("d", of: result),
        constraint: field("n", of: result), column: field("c", of: result))
    }
  }

  /// Of a text of the server's: it may hold a whole row, or anything.
  private static let mostBytes = 8 << 10

  static func field(_ code: Unicode.Scalar, of result: OpaquePointer) -> String? {
    PQresultErrorField(result, Int32(code.value)).map { text in
      let length = strnlen(text, mostBytes + 1)
      let bytes = UnsafeRawBufferPointer(start: text, count: min(length, mostBytes))
      return String(decoding: bytes, as: UTF8.self) + (length > mostBytes ? "…" : "")
    }
  }

  /// The failure of a run that is being stopped; nil when it is not.
  package var stopFailure: Failure? { stopped.map { .stopped(by: $0) } }

  package var failure: Failure {
    if let stopped { return .stopped(by: stopped) }
    // A deep stack of functions is no help; where it began is.
    let place = context?.split(whereSeparator: \.isNewline).prefix(3).map(String.init) ?? []
    let details = [detail, hint].compactMap { $0 } + place
    switch excess {
    case .time:
      return Failure(
        "server_timeout", exit: .unavailable, what: "server \(endpoint)",
        why: "it has not done a statement of Holdfast's within \(Session.usualLimit.components.seconds) s",
        nextStep: "look at what it does (pg_stat_activity, its log), then run the same command again")
    case .silence:
      return Failure(
        "server_timeout", exit: .unavailable, what: "server \(endpoint)",
        why:
          "it has said nothing for \(ServerSilence.words(ServerSilence.statementLimit)) about a statement of Holdfast's",
        nextStep: "look at what it does (pg_stat_activity, its log), then run the same command again")
    case .answer:
      return Failure(
        "server_answer_too_large", exit: .unavailable, what: "server \(endpoint)", why: message,
        nextStep: "look at what is so large there: names, comments, settings, or the server itself")
    case nil: break
    }
    guard let sqlState, !endsSession || !sqlState.hasPrefix("57P") && !sqlState.hasPrefix("08") else {
      return Failure(
        "connection_lost", exit: .unavailable, what: "server \(endpoint)", why: "the connection was lost: \(message)",
        nextStep: "look at the server's log; when it runs again, run the same command again", details: details)
    }
    let exit: ExitCode = sqlState == "42501" ? .noPermission : sqlState == "53100" ? .cannotWrite : .failed
    return Failure(
      "server_error", exit: exit, what: "server \(endpoint)", why: "\(sqlState): \(message)",
      nextStep: sqlState == "42501"
        ? "let a superuser GRANT the role what the server names (CREATEDB is given by ALTER ROLE), then run the same command again"
        : "fix what the server says, then run the same command again", details: details,
      server: report)
  }
}

extension String {
  /// libpq ends its messages with a newline, and writes several in one, some of them indented.
  var trimmedOfNewlines: String {
    split(whereSeparator: \.isNewline).map { $0.drop { $0.isWhitespace } }.joined(separator: "; ")
  }
}

extension Failure {
  /// An error of the server's about what it was given, and not about itself, the connection, or a stop.
  package var isOfStatement: Bool {
    guard code == "server_error", let server else { return false }
    // No room, a stop, a disk that fails.
    return !["53", "57", "58030", "58000"].contains { server.sqlState.hasPrefix($0) }
  }
}
