import BackupModel
import Diagnostics
import Foundation
import StreamPipeline

/// A lock of one policy's folder in a repository: one backup, or one deploy, at a time.
///
/// A lock of the kernel on a file: it goes with its owner, however that ends, and children do not inherit it.
/// What the file says only names the owner to others.
package final class PolicyLock {
  private let file: FileDescriptor

  package enum Kind: String { case backup = ".lock", deploy = ".deploy.lock" }

  /// - Throws: `locked`, naming the holder.
  package init(
    _ repository: Repository, policy: String, kind: Kind = .backup, purpose: String, now: Date
  ) throws(Failure) {
    let folder = repository.folder(of: policy)
    guard fileKind(folder) != .link else { throw repository.symbolicLink(policy) }
    try makeFolder(folder)
    if let refusal = ForeignOwner.refusal(of: folder, code: "foreign_owner", what: "repository of \(policy)") {
      throw refusal
    }
    let path = "\(folder)/\(kind.rawValue)"
    file = try OpenFolder(folder, depth: 1).file(kind.rawValue, O_RDWR | O_CREAT | O_NONBLOCK)
    let descriptor = file.number
    guard Self.taken(descriptor) else {
      // A file system that knows no locks is nobody's lock.
      guard errno == EWOULDBLOCK else { throw cannotWrite(path, errno) }
      let holder = Self.holder(path)
      throw Failure(
        "locked", exit: .locked, what: "\(purpose) of \(policy)", why: "another run holds the lock: \(holder)",
        nextStep: "wait until it has ended, then run the same command again")
    }
    let text = "\(purpose), pid \(getpid()) on \(ProcessInfo.processInfo.hostName), since \(minuteText(now)) UTC"
    ftruncate(descriptor, 0)
    _ = Array(text.utf8).withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
  }

  /// Asks a few times: whoever only looks has the lock for an instant.
  private static func taken(_ descriptor: Int32) -> Bool {
    for _ in 0..<5 {
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
      guard errno == EWOULDBLOCK else { return false }
      usleep(20_000)
    }
    errno = EWOULDBLOCK
    return false
  }

  /// Who holds the lock just now, in its own words.
  ///
  /// - Returns: nil when nobody does, or it cannot be told.
  package static func holder(of kind: Kind, policy: String, in repository: Repository) -> String? {
    let path = "\(repository.folder(of: policy))/\(kind.rawValue)"
    guard let file = try? FileDescriptor.reading(path) else { return nil }
    guard flock(file.number, LOCK_SH | LOCK_NB) != 0, errno == EWOULDBLOCK else { return nil }
    return holder(path)
  }

  private static func holder(_ path: String) -> String {
    let data = (try? contents(path, atMost: 1)) ?? nil
    let text = data.map { String(decoding: $0.prefix(500), as: UTF8.self) } ?? ""
    return text.isEmpty ? "it has not said who it is yet" : text
  }
}

/// `2026-11-22T02:15:00Z`
package func timestamp(_ date: Date) -> String { date.formatted(.iso8601) }

/// `2026-11-22 02:15`, in UTC: for people.
package func minuteText(_ date: Date) -> String {
  String(timestamp(date).prefix(16).map { $0 == "T" ? " " : $0 })
}
