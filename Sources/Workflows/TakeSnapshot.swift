import BackupModel
import Diagnostics

/// The workflow of `holdfast snapshot`: a backup bound to the migrations' state, for deploy hooks.
package struct TakeSnapshot {
  private let policy: Policy
  private let surroundings: Surroundings

  package init(policy: Policy, surroundings: Surroundings) {
    self.policy = policy
    self.surroundings = surroundings
  }

  /// - Throws: what a backup throws; `snapshot_of_another`.
  package func run() throws(Failure) -> VerifyBackup.Outcome {
    let books = try DeployBooks(policy: policy, surroundings: surroundings)
    let binding = TakeBackup.Binding(deploy: nil, folder: books.folder)
    let outcome = try TakeBackup(policy: policy, surroundings: surroundings, binding: binding)
      .run(reason: "pre-deploy", hold: true)
    try books.checkIdentity(of: outcome.backup)
    return outcome
  }
}
