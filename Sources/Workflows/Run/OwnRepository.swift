import BackupModel
import BackupRepository
import Diagnostics

/// Whether what lies at a policy's `repository` is the repository that the policy means: a disk that is not mounted leaves an empty
/// folder, and another disk may be mounted in its place.
extension Policy {
  /// Why the repository is another one than the policy's; nil when nothing says so.
  package func otherRepository(_ repository: Repository, _ listing: Listing) -> Failure? {
    guard let id = repository.id else { return nil }
    if let repositoryID {
      return repositoryID == id ? nil : other(repository, id, "the policy's repository_id is \(repositoryID)")
    }
    let known = listing.backups.compactMap(\.manifest.repository)
    // One that was copied here is no reason: as soon as this repository has one of its own, it is the policy's.
    guard let newest = known.first, !known.contains(id) else { return nil }
    return other(repository, id, "the backups of \(name) in it were written into \(newest)")
  }

  private func other(_ repository: Repository, _ id: String, _ why: String) -> Failure {
    Failure(
      "other_repository", exit: .notFound, what: "repository \(repository.path)", why: "its id is \(id), and \(why)",
      nextStep: "mount the right disk; if this is the right one, write into the policy: repository_id: \(id)")
  }
}

extension Surroundings {
  /// Opens the policy's repository to write into it.
  ///
  /// - Throws: `no_repository`, `other_repository`; what cannot be read or written.
  func repository(of policy: Policy) throws(Failure) -> Repository {
    let repository = try Repository.openToWrite(policy.repository)
    if repository.isRepaired {
      log.warning("repository \(policy.repository) had lost its holdfast.json, which was written again")
    }
    let listing: Listing
    do throws(Failure) { listing = try repository.listing(of: policy.name) } catch {
      // Whoever wants to write there finds out why not, and says so.
      guard error.code == "cannot_read" else { throw error }
      return repository
    }
    if let failure = policy.otherRepository(repository, listing) { throw failure }
    return repository
  }
}
