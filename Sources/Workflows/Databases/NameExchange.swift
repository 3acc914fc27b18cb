import BackupModel
import Diagnostics
import Foundation
import PostgresTools

/// The exchange itself: fences, one transaction, and the way back from each of its failures.
extension DatabaseSwap {
  /// `live` gets the name `keptAs`, and `replacement` the name `live`.
  ///
  /// A missing `live` is no obstacle: then the replacement just takes the name.
  ///
  /// - Throws: after which the names are as before, and clients get in, as far as the server could be told so. What had to be exchanged is
  ///   still open.
  func exchange(live: String, keptAs: String, replacement: String) throws(Failure) {
    do throws(Failure) { try tryExchange(live: live, keptAs: keptAs, replacement: replacement) } catch {
      throw error.followed(by: "holdfast resume; or give it up: holdfast abandon")
    }
  }

  /// The same for a caller that knows what comes next: the failure's next step only says what has to be fixed.
  func tryExchange(live: String, keptAs: String, replacement: String) throws(Failure) {
    // Everybody who wants to connect waits meanwhile, or is refused.
    try session.query("SELECT pg_catalog.set_config('lock_timeout', $1, false)", [Self.lockTimeout])
    let liveExists = try exists(live)
    if liveExists { try refuseUnstoppable(live, waiting: 5) }
    let exchange = renaming(live: liveExists ? live : nil, keptAs: keptAs, replacement: replacement, as: live)
    var closed: Set<String> = []
    // What was closed before stays so: nobody has been in it, and `resume` need not restore it again.
    let wasShut = try isShut(replacement)
    do throws(Failure) {
      for attempt in 1... {
        for name in liveExists ? [replacement, live] : [replacement] {
          try closeFence(name)
          // Not before: who kept it from closing would keep it from being opened, too.
          if name != replacement || !wasShut { closed.insert(name) }
          try endSessions(on: name)
        }
        step("exchange the names")
        guard let error = unseen(exchange, liveExists ? [replacement, live] : [replacement]) else {
          return step("exchanged the names")
        }
        // A client that was past the fence when it closed shows only when it is in.
        guard error.sqlState == "55006", attempt < Self.attempts else { throw refusal(error, of: live) }
        try cancellation.check()
      }
    } catch {
      if error.code == "connection_lost" { return try settleAnew(error, live, replacement, closed) }
      throw opened(closed.sorted(), after: error)
    }
  }

  private func isShut(_ name: String) throws(Failure) -> Bool {
    try session.query("SELECT FROM pg_catalog.pg_database WHERE datname = $1 AND NOT datallowconn", [name]).isEmpty
      == false
  }

  private static let attempts = 4
  private static let lockTimeout = "5s"

  /// Lets nobody into a database any more, and ends who is in it.
  ///
  /// - Throws: `fence_failed`, `database_locked`.
  func shut(_ name: String) throws(Failure) {
    try closeFence(name)
    try endSessions(on: name)
  }

  /// Until it is closed nothing was begun that would have to be ended or undone: a stop of the run is heard.
  private func closeFence(_ name: String) throws(Failure) {
    step("close the fence")
    try session.hearing(cancellation) { () throws(Failure) in
      try alter("ALTER DATABASE \(quoteIdentifier(name)) ALLOW_CONNECTIONS false", of: name)
    }
  }

  /// Ends every session behind a closed fence.
  ///
  /// Only those are waited for that may be ended by us: the server's own processes, such as the workers of autovacuum, go when the name
  /// changes, and only a superuser may end them before.
  /// - Throws: `fence_failed` when sessions stay.
  private func endSessions(on name: String) throws(Failure) {
    let start = Date()
    var refusal: String?
    while true {
      // Of other roles' sessions the kind is hidden from all but superusers. What has no role is the server's own.
      let left = try session.query(
        """
        SELECT pid, coalesce(backend_type, 'client backend') IN ('client backend', 'walsender', 'parallel worker')
        FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND usesysid IS NOT NULL
        """, [name])
      // One by one: a session that we may not end is no reason to spare the others.
      for row in left {
        if let error = terminate(row.first ?? nil), row.last == "t" { refusal = error.message }
      }
      if !left.contains(where: { $0.last == "t" }) { return }
      guard Date().timeIntervalSince(start) < (refusal == nil ? 15 : 5), cancellation.signal == nil else { break }
      usleep(20_000)
    }
    try cancellation.check()
    throw Failure(
      "fence_failed", exit: .failed, what: "swap of \(name)",
      why: "sessions on it do not end\(refusal.map { " (\($0))" } ?? ""); nothing was changed",
      nextStep: "end them, or grant pg_signal_backend to holdfast's role")
  }

  /// Ends a session: by the role that this one works as, or as the one that it logged in as. Our own sessions are that one's.
  private func terminate(_ process: String?) -> ServerError? {
    let statement = "SELECT pg_catalog.pg_terminate_backend($1::int)"
    guard case .failure(let error) = session.attempt(statement, [process]) else { return nil }
    guard error.sqlState == "42501", case .success(let role) = session.attempt("SHOW role"),
      let name = role.first?.first ?? nil, name != "none", case .success = session.attempt("SET ROLE NONE")
    else { return error }
    defer { _ = session.attempt("SET ROLE \(quoteIdentifier(name))") }
    if case .failure(let other) = session.attempt(statement, [process]) { return other }
    return nil
  }

  /// Both renamings, and both fences opened, for one transaction.
  private func renaming(live: String?, keptAs: String, replacement: String, as name: String) -> String {
    let pairs = [live.map { ($0, keptAs) }, (replacement, name)].compactMap { $0 }
    return pairs.map { old, new in
      """
      ALTER DATABASE \(quoteIdentifier(old)) RENAME TO \(quoteIdentifier(new));
      ALTER DATABASE \(quoteIdentifier(new)) ALLOW_CONNECTIONS true;
      """
    }.joined(separator: "\n")
  }

  /// Runs the exchange so that no client can be told in its midst that there is no such database.
  ///
  /// A client looks its database's name up, waits for the renaming to end, and finds that the name is another's now. Behind a lock on the
  /// catalog it waits before it looks. Only a superuser may take that; for others, and where the lock is not to be had within some
  /// moments (all connections of the server wait behind us), there remains an instant.
  ///
  /// - Returns: nil when it is done; otherwise nothing was changed.
  private func unseen(_ exchange: String, _ names: [String]) -> ServerError? {
    for _ in 0..<10 {
      let outcome = session.attempt(
        """
        BEGIN; \(Session.durableCommits(local: true)); SET LOCAL lock_timeout = '100ms'; LOCK TABLE pg_catalog.pg_database IN ACCESS EXCLUSIVE MODE;
        \(exchange) COMMIT
        """)
      guard case .failure(let error) = outcome else { return nil }
      _ = session.attempt("ROLLBACK")
      // Ours to wait, as a client that has just looked would wait for us.
      guard error.sqlState == "55P03" else {
        guard error.sqlState == "42501" else { return error }
        break
      }
      usleep(100_000)
    }
    let outcome = DatabaseLocks.attempt(on: names, session) {
      let outcome = session.attempt("BEGIN; \(Session.durableCommits(local: true)); \(exchange) COMMIT")
      if case .failure = outcome { _ = session.attempt("ROLLBACK") }
      return outcome
    }
    guard case .failure(let error) = outcome else { return nil }
    return error
  }

  // MARK: After a failure

  private func refusal(_ error: ServerError, of live: String) -> Failure {
    var failure = error.failure
    switch error.sqlState {
    case "55006":
      failure.code = "fence_failed"
      failure.what = "swap of \(live)"
      failure.nextStep = "end what connects to it, or is on it"
    case "55P03": return databaseLocked(live)
    case "42501": failure.nextStep = "use the role that owns both databases, or a superuser, in database.url"
    default: failure.nextStep = "fix what the server says"
    }
    return failure
  }

  /// Opens the fences after a failure.
  private func opened(_ names: [String], after cause: Failure) -> Failure {
    var failure = cause
    if let stopped = cancellation.signal.map(Failure.stopped) {
      failure = stopped
      failure.why = "the run was stopped before the names were exchanged"
      failure.nextStep = ""
    }
    for name in names {
      do throws(Failure) { try openFence(name) } catch {
        failure.details.append(
          "Nobody can connect to \(name) now: its fence could not be opened again (\(error.why)).")
      }
    }
    return failure
  }

  /// After the loss of the connection: connects anew, waits until whatever the lost session had begun is over, and opens the fences.
  ///
  /// - Throws: the loss, unless the exchange turns out to be done.
  ///
  /// - Parameter closed: the databases whose fences it had closed.
  private func settleAnew(
    _ loss: Failure, _ live: String, _ replacement: String, _ closed: Set<String>
  ) throws(Failure) {
    var failure = loss
    failure.nextStep = "look at the server's log, and wait until it runs"
    do throws(Failure) {
      let connector = Connector(cancellation: Cancellation(), log: .silent)
      let anew = DatabaseSwap(
        session: try connector.connect(session.target, purpose: "maintenance", waitingAtMost: Self.patience),
        cancellation: Cancellation())
      // Whoever has the turn instead of us is still at it, and what the names are now may not stay so.
      let isOver = anew.hasTurn(of: live)
      if isOver, try !anew.exists(replacement), try anew.exists(live) { return }
      var there: [String] = []
      for name in closed.sorted() where try anew.exists(name) { there.append(name) }
      failure = anew.opened(there, after: failure)
    } catch {
      failure.details.append("Nobody can connect to \(live) now: its fence could not be opened again (\(error.why)).")
    }
    throw failure
  }

  private func hasTurn(of name: String) -> Bool {
    do throws(Failure) {
      try takeTurn(of: name)
      return true
    } catch { return false }
  }

  private static let patience = Duration.seconds(20)
}

extension Failure {
  /// With the command that comes after its next step.
  func followed(by command: String) -> Failure {
    var failure = self
    failure.nextStep = nextStep.isEmpty ? command : "\(nextStep), then: \(command)"
    return failure
  }
}
