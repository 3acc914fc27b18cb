import BackupModel
import CLibPQ
import Diagnostics
import Foundation

/// Opens sessions.
package struct Connector: Sendable {
  private let cancellation: Cancellation
  private let log: Log

  package init(cancellation: Cancellation, log: Log) {
    self.cancellation = cancellation
    self.log = log
  }

  /// Connects. A server that is just starting, has no free connection or refuses them is asked again twice: connecting
  /// is safe to repeat.
  ///
  /// - Parameters:
  ///   - purpose: follows `holdfast` in `application_name`.
  /// - Returns: a session for Holdfast's own statements: nothing that others made in the database can stand for what PostgreSQL itself
  ///   brings, and no time-out of theirs ends the work.
  /// - Throws: `wrong_password`, `login_refused`, `no_such_database`, `server_unreachable`, `server_starting`,
  ///   `too_many_connections`.
  package func connect(_ target: ConnectionTarget, purpose: String) throws(Failure) -> Session {
    try withoutDefaults(try patient(target, purpose, .ours), target, purpose)
  }

  private func withoutDefaults(
    _ session: Session, _ target: ConnectionTarget, _ purpose: String
  ) throws(Failure) -> Session {
    // A session that was ended knows it no more.
    let version = session.serverVersion
    do throws(Failure) {
      try session.leaveDefaults()
      return session
    } catch {
      // A limit that is too short even for lifting it. (Not at once for all: a pooler refuses such options.)
      guard error.code == "connection_lost" || Self.limits.contains(error.server?.sqlState ?? "") else { throw error }
      let limits = ["statement_timeout", "idle_session_timeout"] + (version >= 170_000 ? ["transaction_timeout"] : [])
      let given = target.parameters["options"].map { [$0] } ?? []
      var unlimited = target
      unlimited.parameters["options"] = (given + limits.map { "-c \($0)=0" }).joined(separator: " ")
      let session = try patient(unlimited, purpose, .ours)
      try session.leaveDefaults()
      return session
    }
  }

  /// The SQLSTATEs of a statement, a session and a transaction that took too long: query_canceled, idle_session_timeout,
  /// transaction_timeout.
  private static let limits: Set = ["57014", "57P05", "25P04"]

  /// Connects for SQL of the user's own.
  ///
  /// - Throws: as `connect`.
  package func connectForScripts(_ target: ConnectionTarget, purpose: String) throws(Failure) -> ScriptSession {
    try ScriptSession(try patient(target, purpose, .theirs))
  }

  private enum SessionDefaults {
    case ours
    /// Those of role and database.
    case theirs
  }

  private func patient(
    _ target: ConnectionTarget, _ purpose: String, _ defaults: SessionDefaults
  ) throws(Failure) -> Session {
    for delay in [0.3, 1.0] {
      do { return try attempt(target, purpose, defaults).get() } catch {
        guard error.isPassing else { throw error.failure }
        log.info("connecting to \(target.endpoint): \(error.message); trying again")
        try pause(seconds: delay)
      }
    }
    do { return try attempt(target, purpose, defaults).get() } catch { throw error.failure }
  }

  /// Connects within `limit` seconds, however long the server takes to come up. A wrong password or a missing
  /// database is no matter of waiting.
  ///
  /// - Parameter onWait: called once, when it has to be waited for.
  package func connect(
    _ target: ConnectionTarget, purpose: String, waitingAtMost limit: Duration, onWait: () -> Void = {}
  ) throws(Failure) -> Session {
    let clock = ContinuousClock()
    var waits = false
    let deadline = clock.now + limit
    while true {
      switch attempt(target, purpose, .ours) {
      case .success(let session): return try withoutDefaults(session, target, purpose)
      case .failure(let error):
        guard error.isWorthWaiting, clock.now < deadline else { throw error.failure }
        if !waits { onWait() }
        waits = true
        try pause(seconds: 0.5)
      }
    }
  }

  private func pause(seconds: Double) throws(Failure) {
    let end = Date(timeIntervalSinceNow: seconds)
    while Date() < end {
      try cancellation.check()
      usleep(50_000)
    }
  }

  /// Tries one host after the other, each address of it, and each as long as `connect_timeout` says: by itself libpq does that only where
  /// it may block.
  private func attempt(
    _ target: ConnectionTarget, _ purpose: String, _ defaults: SessionDefaults
  ) -> Result<Session, ConnectionError> {
    var errors: [ConnectionError] = []
    for place in target.places {
      for address in hostAddresses(of: place.target) {
        switch attempt(place, at: address, purpose, defaults) {
        case .success(let session): return .success(session)
        case .failure(let error):
          errors.append(error)
          guard error.leadsToNextHost else { return .failure(error) }
        }
      }
    }
    return .failure(ConnectionError(errors, target: target))
  }

  /// - Parameter address: of the host, where it has several.
  private func attempt(
    _ place: ConnectionPlace, at address: String?, _ purpose: String, _ defaults: SessionDefaults
  ) -> Result<Session, ConnectionError> {
    let target = place.target
    var settings = target.parameters
    if let address { settings["hostaddr"] = address }
    settings["target_session_attrs"] = place.attributes
    settings["application_name"] = "holdfast \(purpose)"
    settings["client_encoding"] = "UTF8"
    settings["password"] = target.password?.reveal()
    if defaults == .ours { settings = QuietLogins.shared.applied(to: settings) }
    let names = settings.keys.sorted()
    let keywords = names.map { strdup($0) } + [nil]
    let values = names.map { strdup(settings[$0] ?? "") } + [nil]
    defer { for text in keywords + values { free(text) } }
    let connection = keywords.map { UnsafePointer($0) }.withUnsafeBufferPointer { keywords in
      values.map { UnsafePointer($0) }.withUnsafeBufferPointer {
        PQconnectStartParams(keywords.baseAddress, $0.baseAddress, 0)
      }
    }
    guard let connection else { return .failure(ConnectionError(message: "libpq has no memory", target: target)) }
    // Verbose errors carry the SQLSTATE, the only word about a refused login that does not depend on the language.
    PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
    let seconds = target.parameters["connect_timeout"].flatMap(Double.init) ?? 5
    if let failure = complete(connection, target: target, seconds: seconds == 0 ? 3600 : seconds) {
      PQfinish(connection)
      return .failure(failure)
    }
    return .success(
      Session(
        adopting: connection, target: target, hasLimits: defaults == .ours, cancellation: cancellation, log: log))
  }

  /// - Returns: nil once connected.
  private func complete(_ connection: OpaquePointer, target: ConnectionTarget, seconds: Double) -> ConnectionError? {
    let deadline = Date(timeIntervalSinceNow: seconds)
    var wanted = PGRES_POLLING_WRITING
    while PQstatus(connection) != CONNECTION_BAD {
      switch wanted {
      case PGRES_POLLING_OK: return nil
      case PGRES_POLLING_FAILED: return error(of: connection, target: target)
      default:
        let events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT
        var waiting = pollfd(fd: PQsocket(connection), events: Int16(events), revents: 0)
        let ready = poll(&waiting, 1, 100)
        if let signal = cancellation.signal { return ConnectionError(stopped: signal, target: target) }
        if ready > 0 { wanted = PQconnectPoll(connection) }
        if Date() > deadline {
          return ConnectionError(message: "no answer within \(Int(seconds)) s", target: target)
        }
      }
    }
    return error(of: connection, target: target)
  }

  private func error(of connection: OpaquePointer, target: ConnectionTarget) -> ConnectionError {
    ConnectionError(message: String(cString: PQerrorMessage(connection)), target: target)
  }
}

/// Why a connection did not come about.
struct ConnectionError: Error {
  let sqlState: String?
  let message: String
  private let target: ConnectionTarget
  private var stopped: Int32?

  init(message: String, target: ConnectionTarget) {
    // "FATAL:  28P01: password authentication failed …" and a line that tells the place in the server's source.
    let line = message.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("LOCATION:") }.map(Self.plain)
      .joined(separator: "; ")
    // The severity before the code is in the server's language.
    let match = line.firstMatch(of: /:  ([0-9A-Z]{5}): (.*)/)
    sqlState = match.map { String($0.1) }
    self.message = match.map { String($0.2) } ?? line
    self.target = target
  }

  /// A line of libpq's without its indentation and the address, which is told already; of several that a name leads to, which one it was.
  private static func plain(_ line: Substring) -> String {
    let text = line.drop { $0.isWhitespace }
    let address = #/connection to server (?:at|on socket) ".*?"(?: \((.*?)\))?(?:, port [0-9]+)? failed: /#
    guard let match = text.prefixMatch(of: address) else { return String(text) }
    return (match.1.map { "\($0): " } ?? "") + text[match.range.upperBound...]
  }

  init(stopped: Int32, target: ConnectionTarget) {
    self.init(message: "stopped", target: target)
    self.stopped = stopped
  }

  /// What kept us from each of several hosts.
  init(_ errors: [ConnectionError], target: ConnectionTarget) {
    sqlState = errors.lazy.compactMap(\.sqlState).first
    var messages: [String] = []
    for error in errors {
      let isOne = errors.allSatisfy { $0.target == error.target }
      let text = isOne ? error.message : "\(error.target.endpoint): \(error.message)"
      if !messages.contains(text) { messages.append(text) }
    }
    message = messages.isEmpty ? "there is no host to connect to" : messages.joined(separator: "; ")
    self.target = target
    stopped = errors.lazy.compactMap(\.stopped).first
  }

  /// As for libpq: one that does not answer, cannot be reached, is starting, or is not of the wanted kind. Not one that refuses the login.
  var leadsToNextHost: Bool {
    stopped == nil && (sqlState == nil || sqlState == "57P03") && !message.contains("no password supplied")
  }

  /// Likely over in a second.
  var isPassing: Bool { stopped == nil && (sqlState == "57P03" || sqlState == "53300") }
  /// Over when the server is up.
  var isWorthWaiting: Bool { stopped == nil && (isPassing || sqlState == nil) }

  var failure: Failure {
    if let stopped { return .stopped(by: stopped) }
    let user = target.parameters["user"] ?? ""
    let (code, exit, next): (String, ExitCode, String) =
      switch sqlState {
      case nil where message.contains("no password supplied"):
        ("wrong_password", .noPermission, "give the password in database.url, or in ~/.pgpass")
      case "28P01":
        ("wrong_password", .noPermission, "check user and password in database.url (special characters as %XX)")
      case "28000" where message.contains(/role ".*" does not exist/):
        (
          "login_refused", .noPermission,
          "CREATE ROLE \(quoteIdentifier(user)) LOGIN, or change the user in database.url"
        )
      case "28000":
        ("login_refused", .noPermission, "let role \(user) in by pg_hba.conf, or change database.url")
      case "3D000":
        (
          "no_such_database", .unavailable,
          "check the name in database.url: \(target.database); or, if it is lost, holdfast restore latest --into \(shellWord(target.database))"
        )
      case "57P03": ("server_starting", .unavailable, "wait until the server is up: holdfast check --wait 60s")
      case "53300":
        ("too_many_connections", .unavailable, "free connections on the server, then run the same command again")
      case "55000":
        (
          "database_closed", .unavailable,
          "if a rollback was interrupted (holdfast status): holdfast resume; otherwise ALTER DATABASE … ALLOW_CONNECTIONS true"
        )
      case "42501":
        (
          "login_refused", .noPermission,
          "GRANT CONNECT ON DATABASE \(quoteIdentifier(target.database)) TO \(quoteIdentifier(user))"
        )
      default:
        (
          "server_unreachable", .unavailable,
          sqlState == nil
            ? message.contains("SSL")
              ? "set sslmode in database.url to what the server offers"
              : "check host and port in database.url (special characters of a password as %XX), and that the server runs"
            : "the server runs, and lets nobody in so: fix what it says"
        )
      }
    return Failure(code, exit: exit, what: "connecting to \(target.endpoint)", why: message, nextStep: next)
  }
}
