import BackupModel
import Diagnostics
import Foundation
import Migrations
import PostgresTools

/// The migrations folder and the history of a policy's database.
package struct MigrationBooks {
  package let folder: MigrationFolder
  package let history: HistoryTable
  let target: ConnectionTarget
  private let surroundings: Surroundings

  /// - Throws: `no_migrations_folder`, connection failures, `pooler`.
  package init(policy: Policy, purpose: String, surroundings: Surroundings) throws(Failure) {
    self.surroundings = surroundings
    folder = try Self.folder(of: policy)
    let wanted = policy.target
    let session = try surroundings.connector.connect(wanted, purpose: purpose)
    target = wanted.at(session)
    if let refusal = try ServerReader(session).facts().poolerRefusal(endpoint: target.endpoint) { throw refusal }
    history = try HistoryTable(session, schema: target.schema)
  }

  /// Where nobody knows better.
  package static let exampleFolder = "../app/prisma/migrations"

  static func folder(of policy: Policy) throws(Failure) -> MigrationFolder {
    guard let directory = policy.migrations.directory else {
      throw Failure(
        "no_migrations_folder", exit: .configuration, what: "policy \(policy.name)",
        why: "it does not say where the migrations are",
        nextStep: "set migrations.directory, for example to \(exampleFolder)")
    }
    // Prisma takes a missing folder for one without migrations; it has no policy in which the path may be mistyped.
    guard access(directory, R_OK | X_OK) == 0 else {
      throw Failure(
        "no_migrations_folder", exit: .configuration, what: "policy \(policy.name)",
        why: "migrations.directory \(directory) cannot be read: \(String(cString: strerror(errno)))",
        nextStep: "correct the path in the policy, or make the folder")
    }
    return try MigrationFolder(path: directory)
  }

  /// - Throws: `P3019`.
  package func status() throws(Failure) -> MigrationStatus {
    try folder.checkProvider()
    let rows = try history.rows()
    var status = try MigrationStatus(folder: folder, rows: rows)
    if !status.failed.isEmpty, try isRunning() { status.tellRunning(by: rows) }
    return status
  }

  /// Whether a deploy is refused until it is said which migrations the database has already: `P3005`; nil when it is not.
  package func baselineNeeded() throws(Failure) -> Failure? { try history.baselineNeeded(for: folder) }

  /// The session that is applying or resolving migrations just now, of whatever program; nil: none.
  package func worker() throws(Failure) -> String? { try AdvisoryLock.prisma.holder(history.session) }

  /// Whether a script may still come to its end, if only because its run was killed and the server does not know.
  private func isRunning() throws(Failure) -> Bool {
    if try worker() != nil { return true }
    return try ScriptSessions(history.session).running() != nil
  }

  /// Does something to the history under Prisma's own lock.
  package func resolving<Result>(
    _ body: (ResolveHistory) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try AdvisoryLock.prisma.take(history.session, waiting: 10, cancellation: surroundings.cancellation)
    // A killed run's script goes on in the server, and may still be committed.
    if let script = try ScriptSessions(history.session).running() {
      throw Failure(
        "script_still_runs", exit: .locked, what: "history of \(target.database)",
        why: "a script of an interrupted deploy still runs on the server: \(script)",
        nextStep: "end it and settle that deploy: holdfast resume, or holdfast abandon; or wait until it has ended")
    }
    return try body(ResolveHistory(history, folder: folder))
  }
}

extension HistoryTable {
  /// `P3005`, where a deploy of the folder would throw it.
  func baselineNeeded(for folder: MigrationFolder) throws(Failure) -> Failure? {
    guard !folder.migrations.isEmpty else { return nil }
    do throws(Failure) { try refuseUnmanaged() } catch {
      guard error.code == "P3005" else { throw error }
      return error
    }
    return nil
  }
}
