import Diagnostics
import Foundation

/// The names in a folder, hidden ones too, in order; none when there is no such folder.
///
/// - Throws: `cannot_read`: a folder that cannot be read is never an empty one.
package func folderNames(_ path: String) throws(Failure) -> [String] {
  guard let folder = opendir(path) else {
    if errno == ENOENT { return [] }
    throw cannotRead(path, errno)
  }
  defer { closedir(folder) }
  var names: [String] = []
  while true {
    errno = 0
    guard let entry = readdir(folder) else {
      guard errno == 0 else { throw cannotRead(path, errno) }
      return names.filter { $0 != "." && $0 != ".." }.sorted()
    }
    names.append(
      withUnsafePointer(to: &entry.pointee.d_name) {
        String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
      })
  }
}

/// A small file's content; nil only when there is no such file.
///
/// - Parameter megabytes: a larger one is not read: somebody else may have made it.
/// - Throws: `foreign_owner` when root is to read what another user can change; `cannot_read`, also for what is no plain file: a pipe would be waited for, a link could lead anywhere.
package func contents(_ path: String, atMost megabytes: Int) throws(Failure) -> Data? {
  let number = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
  guard number >= 0 else {
    if errno == ENOENT { return nil }
    throw cannotRead(path, errno)
  }
  let file = FileDescriptor(adopting: number, path: path)
  try file.refuseSpecial()
  if let refusal = ForeignOwner.refusal(of: number, path: path) { throw refusal }
  func tooLarge() -> Failure {
    Failure(
      "cannot_read", exit: .dataDamaged, what: "reading \(path)", why: "it is larger than \(megabytes) MiB",
      nextStep: "look where it came from: Holdfast writes no such file")
  }
  // Before anything of it is in memory.
  var status = stat()
  guard fstat(number, &status) == 0, status.st_size <= megabytes << 20 else { throw tooLarge() }
  var data = Data()
  try withDataBuffer { (buffer) throws(Failure) in
    while true {
      let count = try file.read(into: buffer)
      if count == 0 { return }
      guard data.count + count <= megabytes << 20 else { throw tooLarge() }
      data.append(contentsOf: buffer[..<count])
    }
  }
  return data
}

/// The failure to read a file or folder: exit 77 when the user may not, 1 when the system
/// has no means left for it or the disk does not answer, else 65.
package func cannotRead(_ path: String, _ number: Int32) -> Failure {
  let (exit, nextStep): (ExitCode, String) =
    switch number {
    case EACCES, EPERM:
      (.noPermission, "let the user that runs holdfast read it, or run holdfast as the user that wrote it")
    case EMFILE, ENFILE, ENOMEM: (.failed, "raise what is limited (ulimit -a), then run the same command again")
    // A disk or a network that does not answer says nothing of what the file holds.
    case EIO, ESTALE, ETIMEDOUT, EHOSTDOWN, EHOSTUNREACH, ENXIO, ENODEV:
      (.failed, "check the disk or the network that the folder is on, then run the same command again")
    default: (.dataDamaged, "check what stands there, and the disk")
    }
  return Failure(
    "cannot_read", exit: exit, what: "reading \(path)",
    why: number == ELOOP ? "it is a symbolic link" : systemError(number), nextStep: nextStep)
}
