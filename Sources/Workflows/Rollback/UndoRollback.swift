import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Migrations
import PostgresTools

/// The workflow of `holdfast undo`: swaps the last rollback back.
package struct UndoRollback {
  private let rollback: RollBackDeploy

  /// - Throws: what taking the deploy lock throws.
  package init(policy: Policy, surroundings: Surroundings) throws(Failure) {
    rollback = try RollBackDeploy(policy: policy, purpose: "undo", surroundings: surroundings)
  }

  package struct Plan: Sendable {
    package var deploy: String
    package var database: String
    /// The database that gets its name back.
    package var brings: String
    /// The name that the present one gets.
    package var keptAs: String
    /// When the rollback exchanged them: what was written since goes with the present one.
    package var since: Date
    /// Deploys since then, which go too.
    package var newer: [DeployRecord]
    /// Migrations of the present one that the other has not, and the other way round; nil when the histories cannot be read.
    package var undoes: [String]?
    package var bringsBack: [String]?
    package var sessions: [(application: String, count: Int)]
  }

  /// - Parameter id: of a deploy, or so much of it that only one begins or ends so; nil: the last rollback.
  /// - Throws: `nothing_to_undo`, `already_undone`, `deploy_interrupted`, `deploy_of_another`, `another_database`.
  package func plan(_ id: String? = nil) throws(Failure) -> Plan {
    let records = try rollback.repository.deploys(of: rollback.policy.name)
    if let open = records.first(where: \.isUnfinished) {
      throw Failure(
        "deploy_interrupted", exit: .failed, what: "undo", why: "deploy \(open.id) is \(open.state.rawValue)",
        nextStep: "finish it: holdfast resume; or give it up: holdfast abandon")
    }
    let (record, last, kept) = try choose(id, among: records)
    try record.refuseOther(than: rollback.target.database)
    try record.refuseForeignNames()
    if let oid = last.live, try rollback.swap.oid(of: kept) != oid {
      throw Failure(
        "another_database", exit: .failed, what: "undo of \(record.id)",
        why: "\(kept) is another database than the rollback has kept",
        nextStep: "look at both, and rename by hand what is to be kept")
    }
    for name in [last.database, kept] { try rollback.swap.refuseBlocked(name) }
    let newer = records.filter { $0.startedAt >= last.at && $0.id > record.id && $0.state != .abandoned }
    var plan = Plan(
      deploy: record.id, database: last.database, brings: kept,
      keptAs: try rollback.freeName("__undone_\(record.id.suffix(6))"), since: last.at, newer: newer,
      sessions: try rollback.swap.sessions(on: last.database))
    if let now = try migrations(of: last.database), let then = try migrations(of: kept) {
      plan.undoes = now.filter { !then.contains($0) }
      plan.bringsBack = then.filter { !now.contains($0) }
    }
    return plan
  }

  /// The last rollback that exchanged databases: one that only resolved the history replaced none.
  private func choose(
    _ id: String?, among records: [DeployRecord]
  ) throws(Failure) -> (DeployRecord, DeployRecord.Rollback, kept: String) {
    let exchanged = records.filter { record in
      guard let rollback = record.rollback, rollback.temporaryName != nil else { return false }
      return record.state == .rolledBack || rollback.undone
    }.sorted { ($0.rollback?.at ?? $0.startedAt) > ($1.rollback?.at ?? $1.startedAt) }
    let named = exchanged.filter { record in id.map { record.id.hasPrefix($0) || record.id.hasSuffix($0) } ?? true }
    // The same command once more must not go one rollback further.
    if let last = named.first, last.rollback?.undone == true {
      let next = exchanged.first { $0.state == .rolledBack }
      // One that only marked a failed migration is newer, and has exchanged nothing.
      let ofHistory = records.contains { record in
        guard id == nil, let rollback = record.rollback, record.state == .rolledBack else { return false }
        return rollback.temporaryName == nil && rollback.at > last.rollback?.at ?? .distantPast
      }
      throw Failure(
        "already_undone", exit: .notFound, what: "undo of \(rollback.policy.name)",
        why: ofHistory
          ? "the last rollback changed the migration history only: there is no database to swap back"
          : "the \(id == nil ? "last rollback" : "rollback of \(last.id)") is undone already",
        nextStep: next.map {
          "nothing is left to do; to undo an older one: holdfast undo \(rollback.policy.name) --deploy \($0.id)"
        } ?? "nothing is left to do: holdfast status")
    }
    guard id == nil || named.count < 2, let record = named.first, let last = record.rollback, let kept = last.keptAs,
      try rollback.swap.exists(kept)
    else {
      throw Failure(
        "nothing_to_undo", exit: .notFound, what: "undo of \(rollback.policy.name)",
        why: "there is no \(id == nil ? "" : "such ")rollback whose replaced database is still there",
        nextStep: "holdfast status shows what is kept")
    }
    return (record, last, kept)
  }

  /// For the plan only: a history that cannot be read is no reason not to go back.
  private func migrations(of database: String) throws(Failure) -> [String]? {
    do throws(Failure) {
      let target = rollback.target.database(database)
      let session = try rollback.surroundings.connector.connect(target, purpose: "undo")
      return try HistoryTable(session, schema: target.schema).rows().filter(\.isLive).map(\.name)
    } catch {
      try rollback.surroundings.cancellation.check()
      return nil
    }
  }

  package func execute(_ plan: Plan) throws(Failure) {
    let live = try rollback.swap.exists(plan.database) ? try rollback.lockLive() : nil
    defer { withExtendedLifetime(live) {} }
    let journal = try DeployJournal(rollback.repository, policy: rollback.policy.name, id: plan.deploy)
    let now = rollback.surroundings.now
    try journal.append(DeployEvent(.undoing, at: now(), temporary: plan.keptAs))
    func exchange() throws(Failure) {
      do throws(Failure) {
        try rollback.swap.tryExchange(live: plan.database, keptAs: plan.keptAs, replacement: plan.brings)
      } catch { throw givenUp(plan, journal, error) }
    }
    _ = try rollback.surroundings.phase("swap", summary: { "names exchanged" }, exchange)
    try journal.append(DeployEvent(.undone, at: now()))
  }

  /// An undo that changed nothing is over: nobody has to settle it. Where the names cannot be looked at, that remains to be done.
  private func givenUp(_ plan: Plan, _ journal: DeployJournal, _ cause: Failure) -> Failure {
    do throws(Failure) {
      guard try rollback.swap.exists(plan.brings) else { return cause.followed(by: "holdfast resume") }
      let event = DeployEvent(
        .abandoned, at: rollback.surroundings.now(), error: "\(cause.code): \(cause.why)")
      try journal.append(event)
      return cause.followed(by: "holdfast undo")
    } catch { return cause.followed(by: "holdfast resume; or give it up: holdfast abandon") }
  }
}
