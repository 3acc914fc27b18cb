import CProcess
import Diagnostics
import Foundation
import StreamPipeline

/// Creates a folder, 0700, and those above it that are missing.
///
/// - Throws: `cannot_write`.
func makeFolder(_ path: String) throws(Failure) {
  if mkdir(path, 0o700) == 0 { return try synchronizeFolder(parent(of: path)) }
  switch errno {
  case EEXIST where fileKind(path, following: true) == .folder: return
  case ENOENT where parent(of: path) != path:
    try makeFolder(parent(of: path))
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw cannotWrite(path, errno) }
    // Its name too has to be durable in the folder above.
    try synchronizeFolder(parent(of: path))
  default: throw cannotWrite(path, errno)
  }
}

/// Makes the names in a folder durable.
package func synchronizeFolder(_ path: String) throws(Failure) {
  let descriptor = open(path.isEmpty ? "." : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else { throw cannotWrite(path, errno) }
  defer { close(descriptor) }
  guard fsync(descriptor) == 0 else { throw cannotWrite(path, errno) }
}

enum FileKind: Equatable {
  case file, folder, link, other, missing
  /// With the system's number for why.
  case unreadable(Int32)
}

/// Bytes; 0 where there is no file.
func fileSize(_ path: String) -> UInt64 {
  var status = stat()
  return lstat(path, &status) == 0 ? UInt64(status.st_size) : 0
}

/// What stands at a path. A symbolic link is a link unless it is to be followed.
func fileKind(_ path: String, following: Bool = false) -> FileKind {
  var status = stat()
  guard (following ? stat(path, &status) : lstat(path, &status)) == 0 else {
    return errno == ENOENT || errno == ENOTDIR ? .missing : .unreadable(errno)
  }
  switch status.st_mode & S_IFMT {
  case S_IFREG: return .file
  case S_IFDIR: return .folder
  case S_IFLNK: return .link
  default: return .other
  }
}
