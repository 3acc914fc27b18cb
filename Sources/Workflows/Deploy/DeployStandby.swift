import BackupModel
import BackupRepository
import Diagnostics
import PostgresTools

/// The step of a deploy that keeps its snapshot as a database too, where the policy wants that.
struct DeployStandby {
  let policy: Policy
  let turn: DeployTurn
  let journal: DeployJournal
  let surroundings: Surroundings

  /// Makes the copy, and drops those of earlier deploys, which the new snapshot has made stale.
  ///
  /// - Throws: after which nothing of the copy is left, and no migration may be begun.
  func make(of snapshot: Backup) throws(Failure) {
    let others = try turn.repository.deploys(of: policy.name).filter { $0.id != journal.id }
    guard policy.migrations.standbyCopy != .off || others.contains(where: { $0.copy != nil }) else { return }
    let standby = try database()
    for name in try NewDatabase.sweep(standby.maintenance, log: surroundings.log) {
      surroundings.log.info("dropped \(name), left by a killed run")
    }
    if policy.migrations.standbyCopy != .off { try make(standby, snapshot) }
    do throws(Failure) {
      for name in try standby.discardStale(of: others) {
        surroundings.reporter.note("dropped \(name), the copy of an earlier deploy")
      }
    } catch {
      try surroundings.cancellation.check()
      surroundings.log.warning("the copy of an earlier deploy could not be dropped: \(error.why)")
    }
  }

  /// The same when a run was killed before its first migration.
  func makeAgain(of record: DeployRecord, _ snapshot: Backup) throws(Failure) {
    guard record.hasBegunNothing, record.copy?.isWhole != true else { return }
    try discard(record)
    try make(of: snapshot)
  }

  /// Drops what there is of the copy: nothing was deployed that it would lead back from.
  func discard(_ record: DeployRecord) throws(Failure) {
    guard let copy = record.copy else { return }
    try record.refuseForeignNames()
    try database().discard(copy.name)
  }

  private func make(_ standby: StandbyDatabase, _ snapshot: Backup) throws(Failure) {
    let name = try standby.freeName(for: journal.id)
    try journal.append(DeployEvent(.copying, at: surroundings.now(), temporary: name))
    do throws(Failure) {
      var moment: String?
      if policy.migrations.standbyCopy == .cloned {
        moment = try standby.clone(snapshot, as: name, by: turn.books.session)
      } else {
        try standby.restore(snapshot, as: name, tools: policy.tools)
      }
      try journal.append(
        DeployEvent(
          .copied, at: surroundings.now(), temporary: name, snapshot: moment, identity: try standby.identity(name)))
    } catch {
      var failure = error
      do throws(Failure) { try standby.discard(name) } catch {
        failure.details.append("The half-made copy \(name) is left (\(error.why)); the next deploy drops it.")
      }
      throw failure
    }
  }

  private func database() throws(Failure) -> StandbyDatabase {
    // What was begun on the server is ended or undone even when the run is being stopped.
    let maintenance = try Connector(cancellation: Cancellation(), log: surroundings.log)
      .maintenanceSession(of: turn.books.target, renames: true)
    return StandbyDatabase(
      target: turn.books.target, maintenance: maintenance,
      surroundings: try surroundings.limited(by: policy, on: maintenance))
  }
}
