import BackupModel
import Diagnostics
import Foundation
import StreamPipeline

extension Repository {
  /// Removes a backup in two steps: out of sight at once and durably, then file by file. A run that is killed between them leaves a
  /// folder for the next sweep, and no half backup.
  ///
  /// - Returns: false when somebody is reading it just now.
  package func remove(_ backup: Backup) throws(Failure) -> Bool {
    guard let use = BackupUse(backup, exclusively: true) else { return false }
    defer { withExtendedLifetime(use) {} }
    let folder = folder(of: backup.manifest.policy)
    let hidden = "\(folder)/\(Self.removing)\(backup.id)"
    step("hide the backup")
    guard rename(backup.path, hidden) == 0 else { throw cannotWrite(backup.path, errno) }
    try synchronizeFolder(folder)
    step("remove the backup")
    try removeTree(hidden)
    step("removed the backup")
    return true
  }

  static let removing = ".removing-"

  func removeTree(_ path: String) throws(Failure) {
    do { try FileManager.default.removeItem(atPath: path) } catch {
      let cause = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
      throw cannotWrite(path, cause.map { Int32($0.code) } ?? EIO)
    }
  }
}

/// Keeps a backup from being removed while it is read. A lock of the kernel on its manifest: it goes with its owner.
package final class BackupUse: Sendable {
  private let descriptor: Int32

  /// - Returns: nil when that is not to be had just now.
  package init?(_ backup: Backup, exclusively: Bool = false) {
    let manifest = "\(backup.path)/manifest.json"
    descriptor = open(manifest, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return nil }
    step("lock the backup")
    // A file system without locks keeps nobody from restoring. What was removed between the two calls can still be locked.
    guard flock(descriptor, (exclusively ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 || errno != EWOULDBLOCK,
      access(manifest, F_OK) == 0
    else {
      close(descriptor)
      return nil
    }
  }

  /// - Throws: `no_such_backup` when it was removed since it was listed; `locked` while somebody is about to.
  package static func reading(_ backup: Backup) throws(Failure) -> BackupUse {
    if let use = BackupUse(backup) { return use }
    if fileKind("\(backup.path)/manifest.json") != .missing {
      throw Failure(
        "locked", exit: .locked, what: "backup \(backup.id)", why: "another run is just about to remove it",
        nextStep: "holdfast list shows what is there afterwards")
    }
    throw Failure(
      "no_such_backup", exit: .notFound, what: "backup \(backup.id)", why: "it was removed meanwhile",
      nextStep: "holdfast list shows what is there")
  }

  deinit { close(descriptor) }
}
