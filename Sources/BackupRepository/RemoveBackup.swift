import BackupModel
import Diagnostics
import Foundation
import StreamPipeline

extension Repository {
  /// Removes a backup in two steps: out of sight at once and durably, then file by file. A run that is killed between them leaves a
  /// folder for the next sweep, and no half backup.
  ///
  /// - Parameter now: a hold that stands then keeps it, also one that was placed since the backup was listed.
  /// - Throws: `no_such_backup` when it is gone already, `backup_damaged` when its hold cannot be read, `cannot_read`, `cannot_write`.
  package func remove(_ backup: Backup, now: Date) throws(Failure) -> Removal {
    guard let use = try BackupUse.lock(backup, LOCK_EX) else { return .inUse }
    defer { withExtendedLifetime(use) {} }
    if let hold = try BackupReader.hold(backup.path, of: backup.id), hold.stands(at: now) { return .held(hold) }
    try remove(backup.path, as: backup.id, of: backup.manifest.policy)
    return .removed
  }

  /// Removes a folder that is no usable backup.
  package func remove(_ broken: Listing.Broken) throws(Failure) {
    try remove(broken.path, as: broken.id, of: broken.policy)
  }

  private func remove(_ path: String, as id: String, of policy: String) throws(Failure) {
    let folder = try OpenFolder(folder(of: policy), depth: 1)
    let hidden = "\(Self.removing)\(id)"
    step("hide the backup")
    try folder.rename(lastName(of: path), to: hidden)
    try folder.synchronize()
    step("remove the backup")
    try folder.removeTree(hidden)
    step("removed the backup")
  }

  static let removing = ".removing-"
}

/// What became of a backup that was to be removed.
package enum Removal: Sendable, Equatable {
  case removed
  /// Somebody is reading it just now.
  case inUse
  case held(Hold)
}

/// Keeps a backup from being removed while it is read. A lock of the kernel on its manifest: it goes with its owner.
package final class BackupUse: Sendable {
  private let descriptor: Int32

  private init(descriptor: Int32) { self.descriptor = descriptor }

  /// - Throws: `no_such_backup` when it was removed since it was listed; `locked` while somebody is about to; `cannot_read`.
  package static func reading(_ backup: Backup) throws(Failure) -> BackupUse {
    if let use = try lock(backup, LOCK_SH) { return use }
    throw Failure(
      "locked", exit: .locked, what: "backup \(backup.id)", why: "another run is just about to remove it",
      nextStep: "holdfast list shows what is there afterwards")
  }

  /// - Parameter kind: `LOCK_SH` or `LOCK_EX`.
  /// - Returns: nil while somebody has it.
  /// - Throws: `no_such_backup`, `cannot_read`.
  fileprivate static func lock(_ backup: Backup, _ kind: Int32) throws(Failure) -> BackupUse? {
    let manifest = "\(backup.path)/manifest.json"
    let descriptor = open(manifest, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { throw errno == ENOENT ? gone(backup) : cannotRead(manifest, errno) }
    let use = BackupUse(descriptor: descriptor)
    step("lock the backup")
    // A file system without locks keeps nobody from restoring.
    if flock(descriptor, kind | LOCK_NB) != 0, errno == EWOULDBLOCK { return nil }
    // What was removed between the two calls can still be locked.
    guard access(manifest, F_OK) == 0 || errno != ENOENT else { throw gone(backup) }
    return use
  }

  private static func gone(_ backup: Backup) -> Failure {
    Failure(
      "no_such_backup", exit: .notFound, what: "backup \(backup.id)", why: "it was removed meanwhile",
      nextStep: "holdfast list shows what is there")
  }

  deinit { close(descriptor) }
}
