import BackupModel
import BackupRepository
import Diagnostics

/// What the commands that write a backup have in common.
extension CommandContext {
  /// Only when it is asked for: an empty folder is what a disk leaves that is not mounted.
  func createRepositoryIfAsked(_ policy: Policy) throws(Failure) {
    guard invocation.flag("create-repository"),
      try Repository.create(policy.repository, id: policy.repositoryID) != nil, !invocation.flag("quiet")
    else { return }
    console.say("repository \(policy.repository) did not exist and was created")
  }

  func json(of backup: Backup, since start: ContinuousClock.Instant) -> JSONValue {
    let seconds = (ContinuousClock.now - start) / .milliseconds(1)
    return ["backup": backup.json, "seconds": .number(seconds.rounded() / 1000), "warnings": warnings.json]
  }
}
