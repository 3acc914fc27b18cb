import CProcess
import Diagnostics
import Foundation
import StreamPipeline

/// A folder that was opened once. What is written, renamed or removed in it goes by its descriptor: whoever puts another folder or a link in
/// its place meanwhile is not followed.
final class OpenFolder: Sendable {
  let path: String
  private let descriptor: Int32
  private let device: dev_t
  private let inode: ino_t

  /// - Parameter depth: how many of the last parts of the path are folders within a repository, and no links: of a policy's folder it is one, of a
  ///   backup's two. The path to the repository itself is its user's, who may have links there.
  /// - Throws: `cannot_write` for a link, and for what is no folder.
  convenience init(_ path: String, depth: Int) throws(Failure) {
    guard depth > 0 else {
      let number = open(path.isEmpty ? "." : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      try self.init(adopting: number, path: path)
      return
    }
    let above = try OpenFolder(parent(of: path), depth: depth - 1)
    try self.init(lastName(of: path), in: above, path: path)
  }

  private convenience init(_ name: String, in above: OpenFolder, path: String) throws(Failure) {
    let number = openat(above.descriptor, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
    try self.init(adopting: number, path: path)
  }

  private init(adopting number: Int32, path: String) throws(Failure) {
    guard number >= 0 else { throw cannotWrite(path, errno) }
    self.path = path
    descriptor = number
    var status = stat()
    let isKnown = fstat(number, &status) == 0
    (device, inode) = (status.st_dev, status.st_ino)
    guard isKnown else { throw cannotWrite(path, errno) }
  }

  deinit { close(descriptor) }

  private func full(_ name: String) -> String { "\(path)/\(name)" }

  /// - Throws: `folder_exchanged` when a path is that of another folder, or of none.
  func check(_ place: String) throws(Failure) {
    var status = stat()
    guard lstat(place, &status) == 0, status.st_dev == device, status.st_ino == inode else {
      throw Failure(
        "folder_exchanged", exit: .cannotWrite, what: "writing to \(place)",
        why: "somebody else has put something in the place of the folder",
        nextStep: "find out who writes to the repository; then run the same command again")
    }
  }

  /// Makes a new folder in it, 0700.
  func makeFolder(_ name: String) throws(Failure) -> OpenFolder {
    guard mkdirat(descriptor, name, 0o700) == 0 else { throw cannotWrite(full(name), errno) }
    return try OpenFolder(name, in: self, path: full(name))
  }

  /// A folder in it, which is made, durably, where there is none.
  func folder(_ name: String) throws(Failure) -> OpenFolder {
    if mkdirat(descriptor, name, 0o700) == 0 {
      try synchronize()
    } else if errno != EEXIST {
      throw cannotWrite(full(name), errno)
    }
    return try OpenFolder(name, in: self, path: full(name))
  }

  /// Opens a file in it, or makes it, 0600.
  func file(_ name: String, _ flags: Int32) throws(Failure) -> FileDescriptor {
    let number = openat(descriptor, name, flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard number >= 0 else { throw cannotWrite(full(name), errno) }
    return FileDescriptor(adopting: number, path: full(name))
  }

  /// Writes a new file and returns once it is on the disk.
  func write(_ bytes: [UInt8], to name: String) throws(Failure) {
    step("write \(name)")
    let file = try file(name, O_WRONLY | O_CREAT | O_EXCL)
    do throws(Failure) {
      try file.write(bytes)
      try file.synchronize()
    } catch {
      unlinkat(descriptor, name, 0)
      throw error
    }
  }

  /// Writes a small file so that only the whole of it is ever visible under its name, and durable.
  ///
  /// - Parameter temporary: one left by a killed run is replaced.
  func replace(_ name: String, by bytes: [UInt8], through temporary: String) throws(Failure) {
    unlinkat(descriptor, temporary, 0)
    try write(bytes, to: temporary)
    step("rename to \(name)")
    guard renameat(descriptor, temporary, descriptor, name) == 0 else {
      let failure = cannotWrite(full(name), errno)
      unlinkat(descriptor, temporary, 0)
      throw failure
    }
    try synchronize()
  }

  /// Renames what is in it, in the place of whatever has the new name.
  func rename(_ name: String, to new: String) throws(Failure) {
    guard renameat(descriptor, name, descriptor, new) == 0 else { throw cannotWrite(full(name), errno) }
  }

  /// Renames to a name that nothing has.
  ///
  /// - Parameter rename: does it in one step, or returns -errno. Where that cannot be had, as on NFS, the name is looked at first: whoever
  ///   shares the folder with others needs a lock.
  func rename(
    _ name: String, toFree new: String, by rename: (_ folder: Int32, _ from: String, _ to: String) -> Int32
  ) throws(Failure) {
    var result = rename(descriptor, name, new)
    if [-EINVAL, -ENOSYS, -EOPNOTSUPP].contains(result) {
      var status = stat()
      let isTaken = fstatat(descriptor, new, &status, AT_SYMLINK_NOFOLLOW) == 0
      result = isTaken ? -EEXIST : renameat(descriptor, name, descriptor, new) == 0 ? 0 : -errno
    }
    guard result == 0 else { throw cannotWrite(full(new), -result) }
  }

  /// Removes a file; one that is gone is no error.
  func remove(_ name: String) throws(Failure) {
    guard unlinkat(descriptor, name, 0) == 0 || errno == ENOENT else { throw cannotWrite(full(name), errno) }
  }

  /// Removes a file, or a folder with everything in it.
  func removeTree(_ name: String) throws(Failure) {
    if let error = FolderTree.remove(name, in: descriptor) { throw cannotWrite(full(name), error) }
  }

  /// Makes the names in it durable.
  func synchronize() throws(Failure) {
    guard fsync(descriptor) == 0 else { throw cannotWrite(path, errno) }
  }

  /// Makes everything durable that is on its file system.
  func synchronizeFileSystem() throws(Failure) {
    let result = cprocess_sync_file_system(descriptor)
    guard result == 0 else { throw cannotWrite(path, -result) }
  }
}
