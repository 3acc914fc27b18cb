import BackupModel
import Diagnostics

/// The workflow of `holdfast snapshot`: a backup bound to the migrations' state, for deploy hooks.
package struct TakeSnapshot {
  private let policy: Policy
  private let surroundings: Surroundings
  private let acceptsNewDatabase: Bool

  package init(policy: Policy, surroundings: Surroundings, acceptsNewDatabase: Bool = false) {
    self.policy = policy
    self.surroundings = surroundings
    self.acceptsNewDatabase = acceptsNewDatabase
  }

  /// - Throws: what a backup throws; `snapshot_of_another`; `no_way_back`.
  package func run() throws(Failure) -> VerifyBackup.Outcome {
    let books = try DeployBooks(policy: policy, surroundings: surroundings)
    let binding = TakeBackup.Binding(deploy: nil, folder: books.folder, wayBack: try wayBack(books))
    let outcome = try TakeBackup(
      policy: policy, surroundings: surroundings, binding: binding, acceptsNewDatabase: acceptsNewDatabase
    ).run(reason: "pre-deploy", hold: true)
    try books.checkIdentity(of: outcome.backup)
    return outcome
  }

  /// A role that only takes backups cannot try it, and leaves that to the one that deploys.
  private func wayBack(_ books: DeployBooks) throws(Failure) -> WayBackTrial.Proof? {
    let needs = try WayBack.needs(of: books.target.database, books.session)
    guard needs.missing.isEmpty else {
      surroundings.log.warning("the way back is not tried: role \(needs.role) may not restore on this server")
      return nil
    }
    return try WayBackTrial(policy, target: books.target, surroundings: surroundings).run(books.session)
  }
}
