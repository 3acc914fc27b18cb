import Foundation

/// Whether a file or folder that is about to be trusted belongs to somebody else: as git asks of a project's folder, and ssh of its keys.
///
/// Only root is asked: whoever owns what root reads, writes or runs decides what root does. Another user can lose no more than its own.
package enum ForeignOwner {
  /// - Parameters:
  ///   - path: followed, as its user will.
  ///   - code: of the failure.
  /// - Returns: nil where it is root's, and so is everything above it, and nobody else may write to it or exchange it; where it is not there;
  ///   and for other users than root.
  package static func refusal(of path: String, code: String, what: String) -> Failure? {
    guard geteuid() == 0, let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    var place = String(cString: resolved)
    if let refusal = refusal(at: place, shown: path, mayBeOfGroup: false, code, what) { return refusal }
    while place != "/" {
      place = parent(of: place)
      // Groups of the system's may have folders of the system, as Debian's staff has /usr/local.
      if let refusal = refusal(at: place, shown: place, mayBeOfGroup: true, code, what) { return refusal }
    }
    return nil
  }

  /// Likewise of one file or folder that was opened below such a place.
  package static func refusal(of descriptor: Int32, path: String) -> Failure? {
    var status = stat()
    guard geteuid() == 0, fstat(descriptor, &status) == 0, status.st_uid != 0 else { return nil }
    return belongs(to: status.st_uid, path, "foreign_owner", "reading \(path)")
  }

  private static func refusal(
    at path: String, shown: String, mayBeOfGroup: Bool, _ code: String, _ what: String
  ) -> Failure? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    if status.st_uid != 0 { return belongs(to: status.st_uid, shown, code, what) }
    // In a folder like /tmp nobody removes what is another's.
    guard status.st_mode & S_ISVTX == 0 else { return nil }
    if status.st_mode & S_IWOTH != 0 {
      return Failure(
        code, exit: .noPermission, what: what, why: "everybody may write to \(shown)",
        nextStep: "chmod o-w \(shellWord(shown))")
    }
    guard status.st_mode & S_IWGRP != 0, status.st_gid != 0, !mayBeOfGroup else { return nil }
    return Failure(
      code, exit: .noPermission, what: what, why: "the group \(groupName(status.st_gid)) may write to \(shown)",
      nextStep: "chmod g-w \(shellWord(shown))")
  }

  private static func belongs(to user: uid_t, _ path: String, _ code: String, _ what: String) -> Failure {
    let name = userName(user)
    return Failure(
      code, exit: .noPermission, what: what,
      why: "\(path) belongs to \(name), and root does not work with what another user can change",
      nextStep:
        "run holdfast as that user (runuser -u \(name) -- holdfast …), or give it to root: chown -R root \(shellWord(path))"
    )
  }

  private static func groupName(_ id: gid_t) -> String {
    guard let entry = getgrgid(id) else { return "#\(id)" }
    return String(cString: entry.pointee.gr_name)
  }

  private static func userName(_ id: uid_t) -> String {
    guard let entry = getpwuid(id) else { return "#\(id)" }
    return String(cString: entry.pointee.pw_name)
  }
}
