import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// Applies one migration after the other, with Prisma's rows at Prisma's moments.
///
/// The books are kept on a session of their own: a script may change its session's search path or leave a transaction open, and neither
/// reaches the history. Each script has a session of its own too.
package struct MigrationApplier {
  private let table: HistoryTable
  private let openSession: () throws(Failure) -> ScriptSession
  private let settings: Settings
  private let cancellation: Cancellation
  /// Told what a running script waits for.
  private let watch: @Sendable (String) -> Void

  package struct Settings: Sendable {
    package var schema: String?
    package var lockTimeout: Duration
    package var statementTimeout: Duration

    package init(schema: String?, lockTimeout: Duration, statementTimeout: Duration) {
      self.schema = schema
      self.lockTimeout = lockTimeout
      self.statementTimeout = statementTimeout
    }
  }

  /// What became of one script.
  package enum Outcome: Sendable {
    /// - transaction: that the script ran in, as xmin has it, where it was one that counted itself.
    case applied(invalidIndexes: [String], transaction: String?)
    case failed(ScriptFailure)
  }

  /// - Parameters:
  ///   - table: on a session that holds Prisma's lock.
  ///   - openSession: a new session for a script.
  package init(
    _ table: HistoryTable, settings: Settings, cancellation: Cancellation,
    openSession: @escaping () throws(Failure) -> ScriptSession, watch: @escaping @Sendable (String) -> Void
  ) {
    self.table = table
    self.settings = settings
    self.cancellation = cancellation
    self.openSession = openSession
    self.watch = watch
  }

  /// Applies one migration.
  ///
  /// - Throws: `P3015`, `migration_not_utf8`; failures to keep the books. A script that fails is an outcome: its row says so.
  package func apply(_ migration: MigrationScript) throws(Failure) -> Outcome {
    if let refusal = migration.refusal { throw refusal }
    guard let script = migration.text, let checksum = try migration.checksum() else { throw migration.missing }
    try table.create()
    let invalidBefore = Set(try invalidIndexes())
    let row = try table.begin(migration.name, checksum: checksum)
    let failure: ScriptFailure?
    do throws(Failure) { failure = try run(script, migration.name, row: row) } catch {
      // The script's session is lost: the row must tell.
      failure = ScriptFailure(name: migration.name, stopped: error, isAtomic: false)
    }
    let invalid = try invalidIndexes()
    guard var failure else {
      // The row's last writer is the script itself, until it is finished.
      let writer = try table.writers(of: [row], isPatient: true).first
      try table.finish(row)
      return .applied(invalidIndexes: invalid, transaction: writer)
    }
    failure.left(invalidIndexes: invalid.filter { !invalidBefore.contains($0) })
    try table.fail(row, logs: failure.logs)
    return .failed(failure)
  }

  // MARK: The script

  /// - Returns: nil when it went well.
  private func run(_ script: String, _ name: String, row: String) throws(Failure) -> ScriptFailure? {
    guard !script.unicodeScalars.contains("\0") else {
      return ScriptFailure(name: name, message: "the script has a NUL byte in it", isAtomic: true)
    }
    let plan: ScriptPlan
    do throws(Failure) { plan = try ScriptPlan(script) } catch {
      // Left to the server, whose message has the position.
      return try send([Message(text: script)], name, isAtomic: false, counting: row)
    }
    if let refusal = plan.refusal { return ScriptFailure(name: name, message: refusal, isAtomic: true) }
    switch plan.mode {
    case .whole where plan.isAtomic:
      let message = Message(text: script + "\n" + (try table.countStep(row)), mayRepeat: true)
      let failure = try send([message], name, isAtomic: true, counting: nil)
      guard plan.statements.count == 1, failure?.sqlState == Self.inTransaction else { return failure }
      // What the plan does not know, such as REINDEX of a partitioned table. Nothing of it was done yet.
      watch("\(name) runs alone: its statement cannot run in a transaction")
      return try send([Message(text: script)], name, isAtomic: false, counting: row)
    case .whole: return try send([Message(text: script)], name, isAtomic: false, counting: row)
    case .stepwise(let reason):
      watch("\(name) runs statement by statement: \(reason)")
      return try send(plan.statements.map(Message.init), name, isAtomic: false, counting: row)
    }
  }

  /// The server's refusal of a statement that has to be alone in its message (active_sql_transaction).
  private static let inTransaction = "25001"

  /// What goes to the server at once.
  private struct Message {
    var text: String
    /// Lines of the file before it.
    var linesBefore = 0
    /// When it fails, nothing of it is left.
    var mayRepeat = false

    init(text: String, mayRepeat: Bool = false) {
      self.text = text
      self.mayRepeat = mayRepeat
    }

    /// An index that could not be built concurrently stays, and would stand in its own way; what commits on its own may have done a part.
    init(_ step: SQLScript.Statement) {
      text = step.text
      linesBefore = step.line - 1
      let commits: Set = ["CALL", "DO", "VACUUM", "CLUSTER", "REINDEX"]
      mayRepeat = !step.words.contains("CONCURRENTLY") && !commits.contains(step.words.first ?? "")
    }
  }

  /// - Parameter row: counted as done after the last message; nil: the message counts it itself.
  private func send(
    _ messages: [Message], _ name: String, isAtomic: Bool, counting row: String?
  ) throws(Failure) -> ScriptFailure? {
    let session: ScriptSession
    do throws(Failure) { session = try scriptSession() } catch {
      return ScriptFailure(name: name, stopped: error, isAtomic: true)
    }
    let observer = LockObserver(books: table.session, process: session.process, tell: watch)
    defer { observer.stop() }
    for (number, message) in messages.enumerated() {
      let outcome: ServerError?
      do throws(Failure) { outcome = try attempt(message, session) } catch {
        return ScriptFailure(name: name, stopped: error, isAtomic: isAtomic)
      }
      if let error = outcome {
        // Without a word of the server's nobody knows whether it had committed.
        return ScriptFailure(
          name: name, error: error, script: message.text, linesBefore: message.linesBefore,
          isAtomic: isAtomic && error.sqlState != nil, statementsDone: number)
      }
    }
    guard !session.isInTransaction else {
      try session.rollBack()
      return ScriptFailure(
        name: name, message: "the script left a transaction open; it was rolled back", isAtomic: false)
    }
    if let row { try table.count(row) }
    return nil
  }

  /// A statement that did not get its lock in time is tried again, a few times: what waits behind it gets its turn in between.
  private func attempt(_ message: Message, _ session: ScriptSession) throws(Failure) -> ServerError? {
    let pauses = [1.0, 3.0]
    for (number, pause) in pauses.enumerated() {
      guard case .failure(let error) = session.run(message.text) else { return nil }
      guard error.sqlState == "55P03", message.mayRepeat, !session.isInTransaction else { return error }
      let milliseconds = Int(settings.lockTimeout / .milliseconds(1))
      let limit = milliseconds % 1000 == 0 ? "\(milliseconds / 1000) s" : "\(milliseconds) ms"
      watch("no lock within \(limit); retrying (\(number + 1) of \(pauses.count))")
      let end = Date(timeIntervalSinceNow: pause)
      while Date() < end {
        try cancellation.check()
        usleep(50_000)
      }
    }
    guard case .failure(let error) = session.run(message.text) else { return nil }
    return error
  }

  private func scriptSession() throws(Failure) -> ScriptSession {
    let session = try openSession()
    if let schema = settings.schema {
      try session.set("search_path", to: quoteIdentifier(schema))
    }
    for (name, duration) in [("lock_timeout", settings.lockTimeout), ("statement_timeout", settings.statementTimeout)] {
      try session.set(name, to: "\(duration / .milliseconds(1))")
    }
    return session
  }

  /// An index that was built concurrently and failed stays behind, invalid.
  private func invalidIndexes() throws(Failure) -> [String] {
    try table.session.query(
      "SELECT indexrelid::pg_catalog.regclass::text FROM pg_catalog.pg_index WHERE NOT indisvalid ORDER BY 1"
    ).compactMap { $0.first ?? nil }
  }
}
