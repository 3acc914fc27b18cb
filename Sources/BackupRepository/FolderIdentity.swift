import Diagnostics
import Foundation
import StreamPipeline

/// A folder that was opened once: whether its name still means it can be asked before and after each thing that is done by the name.
final class FolderIdentity {
  private let descriptor: Int32
  private let device: dev_t
  private let inode: ino_t

  /// - Throws: `cannot_write` for a link, and for what is no folder.
  init(_ path: String) throws(Failure) {
    descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { throw cannotWrite(path, errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let number = errno
      close(descriptor)
      throw cannotWrite(path, number)
    }
    (device, inode) = (status.st_dev, status.st_ino)
  }

  deinit { close(descriptor) }

  /// - Throws: `folder_exchanged` when a path is that of another folder, or of none.
  func check(_ path: String) throws(Failure) {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode else {
      throw Failure(
        "folder_exchanged", exit: .cannotWrite, what: "writing to \(path)",
        why: "somebody else has put something in the place of the folder",
        nextStep: "find out who writes to the repository; then run the same command again")
    }
  }
}
