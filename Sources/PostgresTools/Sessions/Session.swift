import BackupModel
import CLibPQ
import Diagnostics
import Foundation

/// One libpq session. Calls block the calling thread, never longer than the cancellation allows.
///
/// Every session is named `holdfast <purpose>` on the server, so that an administrator can tell it.
package final class Session: @unchecked Sendable {
  let connection: OpaquePointer
  let lock = NSRecursiveLock()
  let cancellation: Cancellation
  private let notices: Unmanaged<NoticeBox>
  package let target: ConnectionTarget
  /// The database had made it another role than the connection's.
  package private(set) var hasLeftRole = false
  /// Heard besides the session's own, for some statements. Guarded by `lock`.
  private var alsoHears: Cancellation?
  /// Whether statements have the usual limits: not where they are somebody else's.
  private let hasLimits: Bool
  /// Of the statement that runs. Guarded by `lock`.
  private var deadline: (at: ContinuousClock.Instant, grace: Duration)?
  /// The statement has passed its deadline, or the server was silent for too long. Guarded by `lock`.
  var lateness: ServerError.Excess?
  /// The usual limits are lifted. Guarded by `lock`.
  private var isWaiting = false

  init(
    adopting connection: OpaquePointer, target: ConnectionTarget, hasLimits: Bool, cancellation: Cancellation, log: Log
  ) {
    self.connection = connection
    self.hasLimits = hasLimits
    self.target = target
    self.cancellation = cancellation
    notices = Unmanaged.passRetained(NoticeBox(log: log))
    PQsetNoticeReceiver(connection, receiveNotice, notices.toOpaque())
    PQsetErrorVerbosity(connection, PQERRORS_DEFAULT)
  }

  deinit {
    PQfinish(connection)
    notices.release()
  }

  /// As `server_version_num` has it: 150020.
  package var serverVersion: Int { Int(PQserverVersion(connection)) }

  /// The session's process on the server; what a lock's holder is known by.
  package var process: Int { announcedProcess }

  /// Of the connector that it was made by.
  package var log: Log { notices.takeUnretainedValue().log }

  /// A transaction is open, or was aborted and not ended.
  package var isInTransaction: Bool {
    let status = PQtransactionStatus(connection)
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR
  }

  /// A transaction was aborted and not ended: it takes no statement.
  package var hasFailedTransaction: Bool { PQtransactionStatus(connection) == PQTRANS_INERROR }

  /// Connected, and nothing is under way.
  package var isIdle: Bool { PQstatus(connection) == CONNECTION_OK && PQtransactionStatus(connection) == PQTRANS_IDLE }

  /// The process id the server gave at connection; a pooler makes one up.
  var announcedProcess: Int { Int(PQbackendPID(connection)) }

  /// Leaves what role or database set for ordinary sessions. An operator or a function that somebody made in their search path must not run
  /// as us, and a limit of seconds must not end the work half way. What we leave behind when we are killed has to end soon. A pooler's sessions are left as they are: the next user of one would have
  /// the change too. Queries of catalogs take longer to be compiled (jit) than to run.
  func leaveDefaults() throws(Failure) {
    // No operator yet.
    let process = try query("SELECT pg_catalog.pg_backend_pid()").first?.first ?? nil
    guard process == "\(announcedProcess)" else { return }
    QuietLogins.shared.learn(from: connection, target.parameters)
    try query("SELECT pg_catalog.set_config('search_path', '', false)")
    // The database's owner may have made everybody who connects another role; what the role itself, or the connection, asks for stays.
    hasLeftRole = try !query(
      """
      SELECT pg_catalog.set_config('role', 'none', false) FROM pg_catalog.pg_database b
      WHERE b.datname = current_database() AND current_user <> session_user AND $1 = 'f'
        AND EXISTS (SELECT FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) c
          WHERE s.setdatabase = b.oid AND s.setrole = 0 AND c LIKE 'role=%')
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) c, pg_catalog.pg_roles r
          WHERE r.rolname = session_user AND s.setrole = r.oid AND s.setdatabase IN (0, b.oid) AND c LIKE 'role=%')
      """, [target.parameters["options"]?.contains("role") == true ? "t" : "f"]
    ).isEmpty
    try query(
      """
      SELECT pg_catalog.set_config(name, CASE name WHEN 'client_connection_check_interval' THEN '1s'
        WHEN 'default_transaction_read_only' THEN 'off' WHEN 'quote_all_identifiers' THEN 'off' WHEN 'jit' THEN 'off'
        WHEN 'standard_conforming_strings' THEN 'on' WHEN 'default_transaction_isolation' THEN 'read committed'
        ELSE '0' END, false)
      FROM pg_catalog.pg_settings
      WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_session_timeout',
        'idle_in_transaction_session_timeout', 'default_transaction_read_only', 'client_connection_check_interval',
        'quote_all_identifiers', 'jit', 'standard_conforming_strings',
        'default_transaction_isolation')
      """)
  }

  /// For statements of the user's own, which need the search path that role and database give: in it PostgreSQL's own functions and
  /// operators come first, as they do unless it says otherwise. A database's owner could have put others before them.
  func putCatalogFirst() throws(Failure) {
    let limit = TimeLimit.atMost(Self.usualLimit)
    let process = try query("SELECT pg_catalog.pg_backend_pid()", [], limit).first?.first ?? nil
    guard process == "\(announcedProcess)", let path = try query("SHOW search_path", [], limit).first?.first ?? nil
    else { return }
    let elements = DatabaseProperties.elements(ofList: path)
    guard elements.contains("pg_catalog") else { return }
    let others = elements.filter { $0 != "pg_catalog" }.map(quoteIdentifier)
    try query("SET search_path TO \(others.isEmpty ? "''" : others.joined(separator: ", "))", [], limit)
  }

  /// Runs queries under the search path that role and database give, or under one schema. They must name everything of PostgreSQL's own with
  /// its schema, and use no operator.
  package func underOwnSearchPath<Result>(
    _ schema: String?, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try query("RESET search_path")
    if let schema { try query("SELECT pg_catalog.set_config('search_path', $1, false)", [quoteIdentifier(schema)]) }
    let result = try body()
    try query("SELECT pg_catalog.set_config('search_path', '', false)")
    return result
  }

  /// How long a statement may take. What a table's owner or a server makes of a query has an end, too.
  package enum TimeLimit: Sendable {
    /// For what reads the catalogs, or a history: two minutes, then it is cancelled.
    case usual
    /// For what takes as long as the data is large, or waits for others within limits of its own. A server that says nothing for a week is
    /// given up all the same.
    case unlimited
    /// Then the connection is given up, with whatever runs there.
    case atMost(Duration)
  }

  /// In a debug build HOLDFAST_QUERY_SECONDS is another one, for tests.
  package static let usualLimit: Duration = {
    #if DEBUG
      if let seconds = ProcessInfo.processInfo.environment["HOLDFAST_QUERY_SECONDS"].flatMap(Int.init) {
        return .seconds(seconds)
      }
    #endif
    return .seconds(120)
  }()
  /// Bytes of an answer; beyond them the statement is cancelled.
  package static let mostBytes = 64 << 20

  /// Runs one statement and returns its rows as text, nil for NULL.
  ///
  /// - Throws: `ServerError` mapped to a `Failure`: `server_timeout` and `server_answer_too_large`, too; `Failure.stopped` after the
  ///   statement was cancelled.
  @discardableResult
  package func query(
    _ sql: String, _ parameters: [String?] = [], _ limit: TimeLimit = .usual
  ) throws(Failure) -> [[String?]] {
    do { return try attempt(sql, parameters, limit).get() } catch { throw error.failure }
  }

  /// The same for a statement in the bytes of the session's `client_encoding`, without a NUL.
  @discardableResult
  package func query(bytes: [UInt8]) throws(Failure) -> [[String?]] {
    do { return try outcome { send(bytes: bytes) }.get() } catch { throw error.failure }
  }

  /// Like `query(bytes:)`, with the server's error as a value to look at.
  package func attempt(bytes: [UInt8]) -> Result<[[String?]], ServerError> { outcome { send(bytes: bytes) } }

  /// Like `query`, with the server's error as a value to look at.
  ///
  /// Where it has no server's own limit, `limit` is kept by a cancellation.
  package func attempt(
    _ sql: String, _ parameters: [String?] = [], _ limit: TimeLimit = .usual
  ) -> Result<[[String?]], ServerError> {
    lock.withLock {
      switch limit {
      case .usual: deadline = hasLimits && !isWaiting ? (.now + Self.usualLimit, .seconds(2)) : nil
      case .unlimited: deadline = nil
      case .atMost(let duration): deadline = (.now + duration, .zero)
      }
      lateness = nil
      defer { (deadline, lateness) = (nil, nil) }
      return outcome { send(sql, parameters) }
    }
  }

  /// Runs statements that a stop of the run breaks off, on a session that otherwise goes on until its work is ended or undone.
  package func hearing<Result>(
    _ stop: Cancellation, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try stop.check()
    lock.withLock { alsoHears = stop }
    defer { lock.withLock { alsoHears = nil } }
    return try body()
  }

  var stopSignal: Int32? { cancellation.signal ?? alsoHears?.signal }

  /// Runs statements that wait for others as long as the run goes on.
  package func waiting<Result>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    lock.withLock { isWaiting = true }
    defer { lock.withLock { isWaiting = false } }
    return try body()
  }

  /// With the usual limits, for another protocol than a query's.
  func limited<Result>(_ body: () -> Result) -> Result {
    lock.withLock {
      deadline = hasLimits ? (.now + Self.usualLimit, .seconds(2)) : nil
      lateness = nil
      defer { (deadline, lateness) = (nil, nil) }
      return body()
    }
  }

  /// Runs a query whose answer is not kept, however large it is. It may take half an hour.
  ///
  /// - Parameter body: takes each row as it comes.
  /// - Throws: as `query`.
  func each(_ sql: String, _ body: ([String?]) -> Void) throws(Failure) {
    let outcome: Result<Void, ServerError> = lock.withLock {
      deadline = hasLimits ? (.now + .seconds(1800), .seconds(2)) : nil
      lateness = nil
      defer { (deadline, lateness) = (nil, nil) }
      guard send(sql, []) else { return .failure(lost()) }
      PQsetSingleRowMode(connection)
      var outcome: Result<Void, ServerError> = .success(())
      while waitForResult(), !isPastGrace {
        guard let result = PQgetResult(connection) else { return outcome }
        defer { PQclear(result) }
        if PQresultStatus(result) == PGRES_SINGLE_TUPLE {
          rows(of: result).forEach(body)
        } else if case .failure(let error) = read(result), case .success = outcome {
          outcome = .failure(error)
        }
      }
      if case .failure = outcome { return outcome }
      return .failure(lost())
    }
    if case .failure(let error) = outcome { throw error.failure }
  }

  private func outcome(_ send: () -> Bool) -> Result<[[String?]], ServerError> {
    lock.withLock {
      guard send() else { return .failure(lost()) }
      // Row after row: an answer without an end is not kept.
      if deadline != nil { PQsetSingleRowMode(connection) }
      var outcome: Result<[[String?]], ServerError> = .success([])
      var (rows, bytes): ([[String?]], Int) = ([], 0)
      while true {
        guard waitForResult(), !isPastGrace else {
          if case .failure = outcome { return outcome }
          return .failure(lost())
        }
        guard let result = PQgetResult(connection) else { break }
        defer { PQclear(result) }
        if PQresultStatus(result) == PGRES_COPY_OUT, !drainCopy() { return .failure(lost()) }
        if case .failure = outcome { continue }
        guard PQresultStatus(result) == PGRES_SINGLE_TUPLE else {
          outcome = read(result).map { rows + $0 }
          rows = []
          continue
        }
        let more = self.rows(of: result)
        bytes += more.joined().reduce(0) { $0 + ($1?.utf8.count ?? 0) + 32 }
        rows += more
        guard bytes > Self.mostBytes else { continue }
        outcome = .failure(tooLarge(Self.mostBytes))
        rows = []
        cancelStatement()
        deadline = (.now, .seconds(2))
      }
      return outcome
    }
  }

  /// A server that goes on answering does not hear.
  private var isPastGrace: Bool { deadline.map { $0.at + $0.grace < .now && $0.grace > .zero } ?? false }

  func tooLarge(_ limit: Int) -> ServerError {
    var error = ServerError(
      sqlState: Self.tooLarge, message: "the answer has more than \(limit >> 20) MB", detail: nil, hint: nil,
      stopped: stopSignal, endpoint: target.endpoint)
    error.excess = .answer
    return error
  }

  func send(bytes: [UInt8]) -> Bool {
    // Not PQsendQuery: the server takes one statement, whatever the bytes look like to us.
    (bytes.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer {
      PQsendQueryParams(connection, $0.baseAddress, 0, nil, nil, nil, nil, 0)
    } == 1
  }

  func send(_ sql: String, _ parameters: [String?]) -> Bool {
    // The simple protocol unless there are parameters: some statements (CREATE DATABASE) need it to be alone, all allow it.
    if parameters.isEmpty { return PQsendQuery(connection, sql) == 1 }
    let values = parameters.map { $0.flatMap { strdup($0) } }
    defer { for value in values { free(value) } }
    return values.map { UnsafePointer($0) }.withUnsafeBufferPointer {
      PQsendQueryParams(connection, sql, Int32($0.count), nil, $0.baseAddress, nil, nil, 0)
    } == 1
  }

  /// A statement after which commits outlast a crash of the server, also where that is told not to wait for its disk.
  ///
  /// - Parameter local: for the transaction only.
  package static func durableCommits(local: Bool) -> String {
    "SELECT pg_catalog.set_config('synchronous_commit', 'local', \(local)) "
      + "WHERE pg_catalog.current_setting('synchronous_commit') = 'off'"
  }

  /// Waits until a result can be read without blocking.
  func waitForResult() -> Bool {
    var wait = Wait()
    while PQisBusy(connection) == 1 {
      guard waitForInput(&wait) else { return false }
    }
    return true
  }

  /// Nobody here wants the rows of a COPY to the client; what the statement does besides stands.
  private func drainCopy() -> Bool {
    var wait = Wait()
    while true {
      var row: UnsafeMutablePointer<CChar>?
      let count = PQgetCopyData(connection, &row, 1)
      if let row { PQfreemem(row) }
      if count < 0 { return true }
      if count == 0, !waitForInput(&wait) { return false }
    }
  }

  /// For one answer of the server.
  struct Wait {
    // The time that a machine sleeps is nobody's silence.
    fileprivate let begin = SuspendingClock.now
    /// The statement was cancelled; nobody waits longer than this.
    fileprivate var giveUp: ContinuousClock.Instant?

    var isTooLong: Bool { SuspendingClock.now - begin >= ServerSilence.statementLimit }
  }

  /// Waits a moment for something from the server. When the run is to stop it cancels the statement, and does not wait
  /// longer than some seconds for a server that no longer answers.
  func waitForInput(_ wait: inout Wait) -> Bool {
    if wait.giveUp == nil {
      if stopSignal != nil {
        wait.giveUp = .now + .seconds(1)
        cancelStatement()
      } else if let deadline, deadline.at < .now {
        lateness = .time
        wait.giveUp = .now + deadline.grace
        cancelStatement()
      } else if lateness == .silence || isSilent(wait) {
        wait.giveUp = .now + .seconds(2)
        cancelStatement()
      }
    }
    if let giveUp = wait.giveUp, giveUp < .now { return false }
    var waiting = pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0)
    _ = poll(&waiting, 1, 100)
    return waiting.revents == 0 || takeInput()
  }

  /// Whether the server is waited for no longer. What a user's statement does, and who waits for others, has no limit.
  func isSilent(_ wait: Wait) -> Bool {
    guard hasLimits, !isWaiting, wait.isTooLong else { return false }
    lateness = .silence
    return true
  }

  /// Takes what has come. Notifications, which nobody has asked for, would be kept for ever.
  func takeInput() -> Bool {
    guard PQconsumeInput(connection) == 1 else { return false }
    while let notification = PQnotifies(connection) { PQfreemem(notification) }
    return true
  }

  /// On a thread of its own: PQcancel connects, and waits for the server without a limit.
  func cancelStatement() {
    nonisolated(unsafe) let handle = PQgetCancel(connection)
    let started = startThread {
      var message = [CChar](repeating: 0, count: 256)
      PQcancel(handle, &message, Int32(message.count))
      PQfreeCancel(handle)
    }
    // Then the statement ends with the session.
    if !started { PQfreeCancel(handle) }
  }

  func read(_ result: OpaquePointer) -> Result<[[String?]], ServerError> {
    switch PQresultStatus(result) {
    case PGRES_TUPLES_OK: return .success(rows(of: result))
    case PGRES_COMMAND_OK, PGRES_EMPTY_QUERY, PGRES_COPY_OUT: return .success([])
    // As long as a COPY is not ended the server waits, and libpq gives this same result again and again.
    case PGRES_COPY_IN:
      PQputCopyEnd(connection, "there are no rows to read here; write INSERT statements")
      return .success([])
    default:
      var error = ServerError(result, stopped: stopSignal, endpoint: target.endpoint)
      error.excess = lateness ?? error.excess
      return .failure(error)
    }
  }

  private func rows(of result: OpaquePointer) -> [[String?]] {
    (0..<PQntuples(result)).map { row in
      (0..<PQnfields(result)).map { column in
        PQgetisnull(result, row, column) == 1 ? nil : String(cString: PQgetvalue(result, row, column))
      }
    }
  }

  /// What the server keeps of a password, by its own way of encryption: for statements, which may be logged.
  package func encrypted(_ password: Secret, of role: String) throws(Failure) -> String {
    guard let text = PQencryptPasswordConn(connection, password.reveal(), role, nil) else { throw lost().failure }
    defer { PQfreemem(text) }
    return String(cString: text)
  }

  func lost() -> ServerError {
    var error = ServerError(
      sqlState: nil, message: String(cString: PQerrorMessage(connection)), detail: nil, hint: nil,
      stopped: stopSignal, endpoint: target.endpoint)
    error.excess = lateness ?? error.excess
    return error
  }
}

/// Logs what the server says besides results.
private final class NoticeBox {
  let log: Log
  init(log: Log) { self.log = log }
}

private func receiveNotice(_ box: UnsafeMutableRawPointer?, _ result: OpaquePointer?) {
  guard let box, let result, let message = ServerError.field("M", of: result) else { return }
  let severity = ServerError.field("V", of: result) ?? "NOTICE"
  Unmanaged<NoticeBox>.fromOpaque(box).takeUnretainedValue().log.debug("server: \(severity): \(message)")
}
