import Foundation

/// Whether a file or folder that is about to be trusted belongs to somebody else: as git asks of a project's folder, and ssh of its keys.
///
/// Only root is asked: whoever owns what root reads, writes or runs decides what root does. Another user can lose no more than its own.
package enum ForeignOwner {
  /// - Parameters:
  ///   - path: every folder and link on the way to it is looked at, as its user will go that way.
  ///   - code: of the failure.
  ///   - isNew: it may not be there yet: then what is there of the way counts. Else what is not there is nobody's.
  /// - Returns: nil where all of it is root's and nobody else may write to it; and for other users than root.
  package static func refusal(of path: String, code: String, what: String, isNew: Bool = false) -> Failure? {
    guard geteuid() == 0, isNew || access(path, F_OK) == 0 else { return nil }
    for place in places(on: path) {
      guard let problem = problem(with: place) else { continue }
      let (why, nextStep) = sentences(problem, place, path)
      return Failure(code, exit: .noPermission, what: what, why: why, nextStep: nextStep)
    }
    return nil
  }

  /// The same of one file that was opened in such a folder.
  package static func refusal(of descriptor: Int32, path: String) -> Failure? {
    var status = stat()
    guard geteuid() == 0, fstat(descriptor, &status) == 0 else { return nil }
    let place = Place(path: path, status: status, isAbove: false)
    guard let problem = problem(with: place) else { return nil }
    let (why, nextStep) = sentences(problem, place, path)
    return Failure("foreign_owner", exit: .noPermission, what: "reading \(path)", why: why, nextStep: nextStep)
  }

  // MARK: The way

  private struct Place {
    var path: String
    var status: stat
    /// On the way: a folder that the path goes through, or a link.
    var isAbove: Bool
  }

  /// From the root on, with the links that are followed, as far as it is there.
  private static func places(on path: String) -> [Place] {
    var rest = parts(path.hasPrefix("/") ? path : "\(FileManager.default.currentDirectoryPath)/\(path)")[...]
    var places: [Place] = []
    var (current, links) = ("", 0)
    func look(_ path: String, isAbove: Bool) -> stat? {
      var status = stat()
      guard lstat(path, &status) == 0 else { return nil }
      places.append(Place(path: path, status: status, isAbove: isAbove))
      return status
    }
    guard look("/", isAbove: true) != nil else { return places }
    while let name = rest.popFirst() {
      if name == ".." {
        current = parent(of: current) == "/" ? "" : parent(of: current)
        continue
      }
      let next = "\(current)/\(name)"
      // What is missing is made in what was looked at.
      guard let status = look(next, isAbove: true) else { return places }
      guard status.st_mode & S_IFMT == S_IFLNK else {
        current = next
        continue
      }
      links += 1
      guard links < 40, let target = try? FileManager.default.destinationOfSymbolicLink(atPath: next) else {
        return places
      }
      if target.hasPrefix("/") { current = "" }
      rest = (parts(target) + rest)[...]
    }
    let end = current.isEmpty ? "/" : current
    if let last = places.lastIndex(where: { $0.path == end }) { places[last].isAbove = false }
    return places
  }

  private static func parts(_ path: String) -> [Substring] { path.split(separator: "/").filter { $0 != "." } }

  // MARK: What is wrong

  private enum Problem {
    case belongs(to: uid_t)
    case isWritable(byGroup: gid_t?)
  }

  private static func problem(with place: Place) -> Problem? {
    let status = place.status
    if status.st_uid != 0 { return .belongs(to: status.st_uid) }
    // A link has no mode of its own. In a folder like /tmp nobody exchanges what is another's.
    if status.st_mode & S_IFMT == S_IFLNK || place.isAbove && status.st_mode & S_ISVTX != 0 { return nil }
    if status.st_mode & S_IWOTH != 0 { return .isWritable(byGroup: nil) }
    guard status.st_mode & S_IWGRP != 0, status.st_gid != 0 else { return nil }
    // Groups of the system's may have folders of the system, as Debian's staff has /usr/local.
    return place.isAbove && status.st_gid < 1000 ? nil : .isWritable(byGroup: status.st_gid)
  }

  private static func sentences(_ problem: Problem, _ place: Place, _ path: String) -> (why: String, nextStep: String) {
    let shown = place.isAbove ? "\(place.path), on the way to \(path)," : path
    // The owner of a home keeps it.
    let move = "keep \(path) in a folder that only root can change, such as /var/lib/holdfast"
    switch problem {
    case .belongs(let user):
      let name = userName(user)
      let runAs = "run holdfast as that user (runuser -u \(name) -- holdfast …)"
      let isFolder = place.status.st_mode & S_IFMT == S_IFDIR
      return (
        "\(shown) belongs to \(name), and root does not work with what another user can change",
        place.isAbove
          ? "\(runAs), or \(move)"
          : "\(runAs), or give it to root: chown \(isFolder ? "-R " : "")root \(shellWord(path))"
      )
    case .isWritable(let group):
      let (who, letter) = group.map { ("the group \(groupName($0))", "g") } ?? ("everybody", "o")
      return (
        "\(who) may write to \(shown.hasSuffix(",") ? String(shown.dropLast()) : shown)",
        place.isAbove ? move : "chmod \(letter)-w \(shellWord(path))"
      )
    }
  }

  private static func userName(_ id: uid_t) -> String {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 16 << 10)
    guard getpwuid_r(id, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return "#\(id)" }
    return String(cString: entry.pw_name)
  }

  private static func groupName(_ id: gid_t) -> String {
    var entry = group()
    var found: UnsafeMutablePointer<group>?
    var buffer = [CChar](repeating: 0, count: 64 << 10)
    guard getgrgid_r(id, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return "#\(id)" }
    return String(cString: entry.gr_name)
  }
}
