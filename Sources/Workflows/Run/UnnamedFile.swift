import BackupRepository
import Diagnostics
import Foundation
import StreamPipeline

/// A file that has no name until it is whole, so that a killed run leaves nothing. Where the file system has no such files it has a name
/// of its own meanwhile.
struct UnnamedFile: ~Copyable {
  let descriptor: FileDescriptor
  private let partial: String?

  /// - Parameter path: that it is to get; errors name it.
  init(for path: String) throws(Failure) {
    let above = parent(of: path)
    let folder = above.isEmpty ? "." : above
    let number = open(folder, O_WRONLY | O_CLOEXEC | Self.temporary, 0o600)
    if number >= 0 {
      (descriptor, partial) = (FileDescriptor(adopting: number, path: path), nil)
    } else {
      guard [EOPNOTSUPP, EISDIR, EINVAL].contains(errno) else { throw cannotWrite(path, errno) }
      let name = "\(folder)/.holdfast-\(UInt32.random(in: 0...UInt32.max))"
      (descriptor, partial) = (try FileDescriptor.creating(name), name)
    }
  }

  deinit { if let partial { unlink(partial) } }

  /// `O_TMPFILE`, which is too involved a macro to be imported.
  private static let temporary: Int32 = 0o20000000 | O_DIRECTORY

  /// Gives it its name. Unlike a rename, a link never takes another file's place; but not every file system has links.
  func publish(as path: String) throws(Failure) {
    let source = partial ?? "/proc/self/fd/\(descriptor.number)"
    if linkat(AT_FDCWD, source, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 { return }
    guard errno != EEXIST, access(path, F_OK) != 0, let partial, rename(partial, path) == 0 else {
      throw cannotWrite(path, errno)
    }
  }
}
