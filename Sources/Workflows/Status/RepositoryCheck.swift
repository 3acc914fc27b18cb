import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Planning
import StreamPipeline

/// Whether backups can be written where the policy says, and for how long.
struct RepositoryCheck {
  let policy: Policy
  /// Of pg_dump.
  let jobs: Int
  let now: Date

  func findings() throws(Failure) -> [CheckFinding] {
    let path = policy.repository
    let place = existingAncestor("\(path)/\(policy.name)")
    if let refusal = refusal(of: place, mayBeLink: place == existingAncestor(path)) {
      return [
        CheckFinding(
          kind: .problem, text: "repository \(path) is not writable: \(place): \(refusal)",
          fix: "make that a folder that the user who runs holdfast may write to, on a file system that has locks")
      ]
    }
    let repository = try Repository.open(path)
    let listing = try repository.listing(of: policy.name)
    if let failure = policy.otherRepository(repository, listing) { throw failure }
    return [space(listing.backups.first?.manifest)] + retentionFindings + ageFindings(listing)
      + listing.broken.map {
        CheckFinding(
          kind: .problem, text: "\($0.policy)/\($0.id) is no usable backup: \($0.failure.why)", fix: $0.failure.nextStep
        )
      }
      + listing.backups.filter { $0.state == .damaged }.map {
        CheckFinding(
          kind: .problem, text: "backup \($0.id) is damaged",
          fix:
            "take a new one if it was the newest: holdfast backup; this one stays until it is removed: holdfast remove \($0.id) --confirm"
        )
      }
  }

  private var retentionFindings: [CheckFinding] {
    guard policy.retention.isEmpty else { return [] }
    return [CheckFinding(kind: .fine, text: "retention is not set: no backup is ever removed")]
  }

  /// Nothing else tells that a job does not run.
  private func ageFindings(_ listing: Listing) -> [CheckFinding] {
    let own = listing.backups.filter { $0.state == .complete && $0.isOf(database: policy.target.database) }
    guard let newest = own.first else { return [] }
    let freshness = Freshness(taken: own.map(\.manifest.createdAt), now: now, maxAge: policy.backup.maxAge)
    var findings: [CheckFinding] = []
    if freshness.isFromFuture {
      findings.append(
        CheckFinding(
          kind: .problem, text: "backup \(newest.id) is dated in the future",
          fix: "set the clock right; then take a new one: holdfast backup"))
    }
    if freshness.isStale {
      findings.append(
        CheckFinding(
          kind: .problem, text: "the newest good backup, \(newest.id), is older than backup.max_age",
          fix: "take one: holdfast backup; and look why the job that takes them did not run"))
    }
    return findings
  }

  private func space(_ last: Manifest?) -> CheckFinding {
    let free = freeBytes(policy.repository)
    guard let last, last.storedBytes > 0 else {
      guard free >= BackupRoom.besidesPerJob else {
        return CheckFinding(
          kind: .problem, text: "repository \(policy.repository): \(sizeText(free)) free: too little to take a backup",
          fix: "make room there")
      }
      return CheckFinding(kind: .fine, text: "repository \(policy.repository) is writable, \(sizeText(free)) free")
    }
    let room = BackupRoom(
      stored: last.storedBytes, raw: last.rawBytes, format: policy.backup.format,
      compression: policy.backup.compression, jobs: jobs,
      givesBack: canPunchHoles(in: policy.repository))
    guard room.backups(in: free) >= 2 else {
      return CheckFinding(
        kind: .problem, text: "repository \(policy.repository): \(room.text(free: free))", fix: "make room there")
    }
    return CheckFinding(
      kind: .fine, text: "repository \(policy.repository) is writable, \(room.text(free: free))")
  }

  /// Why nothing can be made in a folder, found by trying: permissions do not tell of root, read-only mounts and quotas, and not every
  /// network's file system has locks.
  ///
  /// - Parameter mayBeLink: not the policy's folder, which could lead anywhere then.
  private func refusal(of folder: String, mayBeLink: Bool) -> String? {
    let opened = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (mayBeLink ? 0 : O_NOFOLLOW))
    guard opened >= 0 else { return !mayBeLink && errno == ENOTDIR ? "it is no folder, or a link" : systemError(errno) }
    defer { close(opened) }
    var template = Array("/proc/self/fd/\(opened)/.partial-check-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { return systemError(errno) }
    defer { rmdir(template) }
    let path = "\(String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self))/lock"
    let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { return systemError(errno) }
    defer {
      close(file)
      unlink(path)
    }
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else { return "files cannot be locked there: \(systemError(errno))" }
    return fsync(file) == 0 ? nil : systemError(errno)
  }

  private func existingAncestor(_ path: String) -> String {
    var place = path
    while access(place, F_OK) != 0, place != "/", !place.isEmpty {
      place = parent(of: place)
    }
    return place
  }
}
