import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import PostgresTools

/// A rollback, or its undo, that was interrupted. Which database has which name tells how far it got: the exchange is one transaction.
struct InterruptedRollback {
  private let work: RollBackDeploy
  private let record: DeployRecord
  private let rollback: DeployRecord.Rollback
  private let journal: DeployJournal
  /// Keeps deploys of other machines away.
  private let live: Session?

  /// - Parameter work: holds the turn, so that whatever the killed run had begun on the server is over.
  init(work: RollBackDeploy, record: DeployRecord) throws(Failure) {
    guard let rollback = record.rollback else { throw .internalError("deploy \(record.id) has no rollback") }
    try record.refuseForeignNames()
    self.work = work
    self.record = record
    self.rollback = rollback
    journal = try DeployJournal(work.repository, policy: work.policy.name, id: record.id)
    // Somebody may have given the replaced one another name in the midst of it.
    let moved: String? = if let oid = rollback.live { try work.swap.name(ofOID: oid) } else { nil }
    for name in Set([rollback.database, rollback.keptAs, moved].compactMap { $0 })
    where try work.swap.exists(name) && (name == rollback.database || record.isOwn(name)) {
      try work.maintenance.hearing(work.surroundings.cancellation) { () throws(Failure) in
        try work.swap.openFence(name)
      }
    }
    live = try work.swap.exists(rollback.database) ? try work.lockLive() : nil
  }

  private var now: Date { work.surroundings.now() }

  /// Drops what the killed run was restoring, if that is still what has the name.
  ///
  /// - Returns: the name, where it is not: somebody has opened it since, or put another database in its place.
  private func drop(_ name: String) throws(Failure) -> String? {
    try NewDatabase.endMaking(of: name, session: work.maintenance)
    guard try work.swap.exists(name) else { return nil }
    guard try isOurs(name) else {
      work.surroundings.log.warning("\(name) was opened since, or is another database: it is kept")
      return name
    }
    try NewDatabase.drop(name, session: work.maintenance)
    return nil
  }

  /// Unfinished, or closed as we leave one that is whole. Of one whose identity is in the journal nobody may have been in it since: more
  /// sessions tell of somebody, fewer of a crash of the server, which forgets them. A standby copy that we had to open is known by its number.
  private func isOurs(_ name: String) throws(Failure) -> Bool {
    // What a rollback has kept is never dropped, whatever a journal says of it.
    guard record.isOwn(name, [.restore, .standby]) else { return false }
    if try NewDatabase.isUnfinished(name, work.maintenance) { return true }
    let copy = record.copy?.name == name ? record.copy?.identity?.prefix { $0 != " " } : nil
    let known = (rollback.restoredIdentity ?? "").split(separator: " ").map(String.init)
    return try !work.maintenance.query(
      """
      SELECT FROM pg_catalog.pg_database d WHERE d.datname = $1 AND NOT d.datistemplate AND (d.oid::text = $2
        OR NOT d.datallowconn AND ($3::text IS NULL
          OR d.oid::text = $3 AND pg_catalog.pg_stat_get_db_sessions(d.oid) <= $4::bigint))
      """, [name, copy.map(String.init), known.first, known.count > 1 ? known[1] : "0"]
    ).isEmpty
  }

  private func isSwapped() throws(Failure) -> Bool {
    guard let replacement = rollback.replacement else { return false }
    return try work.swap.oid(of: rollback.database) == replacement
  }

  // MARK: Rollback

  /// - Returns: the name under which the replaced database is kept.
  func resumeRollback() throws(Failure) -> String? {
    guard let temporary = rollback.temporaryName else {
      try work.resolveOnly(rollback.undoes, journal)
      return nil
    }
    if try isSwapped() {
      if !rollback.swapped { try journal.append(DeployEvent(.swapped, at: now)) }
      try journal.append(DeployEvent(.rolledBack, at: now))
      return rollback.keptAs
    }
    try refuseAnother()
    var plan = try work.plan(again: record)
    // A standby copy that nobody has opened yet is still what was proven, and so is what was restored whole.
    if plan.copy == nil {
      plan.copy = try restoredWhole(temporary)
      if plan.copy != nil {
        plan.temporary = temporary
      } else if let kept = try drop(temporary) {
        // From here on it is one of the kept ones, and this rollback begins again.
        try journal.append(DeployEvent(.abandoned, at: now, keptAs: kept))
      } else {
        plan.temporary = temporary
      }
    }
    let outcome = try work.execute(plan, holding: live)
    return plan.liveExists ? outcome.plan.keptAs : nil
  }

  private func restoredWhole(_ name: String) throws(Failure) -> DeployRecord.StandbyCopy? {
    guard rollback.restored, let identity = rollback.restoredIdentity else { return nil }
    let copy = DeployRecord.StandbyCopy(name: name, isWhole: true, identity: identity)
    return try work.standby.isUntouched(copy) ? copy : nil
  }

  /// - Throws: `another_database`: somebody has put one in the place of that which was to be replaced.
  private func refuseAnother() throws(Failure) {
    guard let live = rollback.live, let found = try work.swap.oid(of: rollback.database), found != live else { return }
    throw Failure(
      "another_database", exit: .failed, what: "resume of \(record.id)",
      why: "\(rollback.database) is another database than when the rollback began (oid \(found), then \(live))",
      nextStep: "give that rollback up: holdfast abandon; then look which of them is to be kept")
  }

  func abandonRollback() throws(Failure) {
    guard let temporary = rollback.temporaryName else {
      return try journal.append(DeployEvent(.abandoned, at: now))
    }
    guard try isSwapped() else {
      let kept = try drop(temporary)
      return try journal.append(DeployEvent(.abandoned, at: now, keptAs: kept))
    }
    guard let kept = rollback.keptAs else {
      throw Failure(
        "already_rolled_back", exit: .failed, what: "abandon of \(record.id)",
        why: "there was no \(rollback.database) before, and the restored one has its name now",
        nextStep: "holdfast resume")
    }
    // Clients may have written to it since.
    let name = try work.freeName("__undone_\(record.id.suffix(6))")
    // So that status knows the name, wherever this run ends.
    try journal.append(
      DeployEvent(
        .swapping, at: now, temporary: name, identity: rollback.replacement, keptAs: kept))
    try work.swap.exchange(live: rollback.database, keptAs: name, replacement: kept)
    try journal.append(DeployEvent(.abandoned, at: now, keptAs: name))
  }

  // MARK: Undo

  func resumeUndo() throws(Failure) {
    if let kept = rollback.keptAs, try work.swap.exists(kept) {
      try work.swap.exchange(live: rollback.database, keptAs: rollback.temporary, replacement: kept)
    }
    try journal.append(DeployEvent(.undone, at: now))
  }

  func abandonUndo() throws(Failure) {
    if let kept = rollback.keptAs, try !work.swap.exists(kept) {
      try work.swap.exchange(live: rollback.database, keptAs: kept, replacement: rollback.temporary)
    }
    try journal.append(DeployEvent(.abandoned, at: now))
  }
}
