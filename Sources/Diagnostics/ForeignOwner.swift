import Foundation

/// Whether a file or folder that is about to be trusted belongs to somebody else: as git asks of a project's folder, and ssh of its keys.
///
/// Only root is asked: whoever owns what root reads, writes or runs decides what root does. Another user can lose no more than its own.
package enum ForeignOwner {
  /// - Parameters:
  ///   - path: followed, as its user will.
  ///   - code: of the failure.
  /// - Returns: nil where it is root's and nobody else may write to it, where it is not there, and for other users than root.
  package static func refusal(of path: String, code: String, what: String) -> Failure? {
    guard geteuid() == 0 else { return nil }
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    if status.st_uid != 0 {
      let name = userName(status.st_uid)
      return Failure(
        code, exit: .noPermission, what: what,
        why: "\(path) belongs to \(name), and root does not work with what another user can change",
        nextStep:
          "run holdfast as that user (runuser -u \(name) -- holdfast …), or give it to root: chown -R root \(shellWord(path))"
      )
    }
    // In a folder like /tmp nobody removes what is another's.
    guard status.st_mode & S_IWOTH != 0, status.st_mode & S_ISVTX == 0 else { return nil }
    return Failure(
      code, exit: .noPermission, what: what, why: "everybody may write to \(path)",
      nextStep: "chmod o-w \(shellWord(path))")
  }

  private static func userName(_ id: uid_t) -> String {
    guard let entry = getpwuid(id) else { return "#\(id)" }
    return String(cString: entry.pointee.pw_name)
  }
}
