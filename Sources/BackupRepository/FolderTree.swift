import Diagnostics
import Foundation

/// Removing a folder with everything in it.
package enum FolderTree {
  /// Likewise, of what is in a folder that is open.
  static func remove(_ name: String, in folder: Int32) -> Int32? {
    remove(Array(name.utf8CString), in: folder, depth: 0)
  }

  /// Goes only through folders that were opened without following a link: whoever swaps one for a link meanwhile loses the link.
  ///
  /// - Returns: the error number of what could not be removed; nil when all is gone.
  package static func remove(_ path: String) -> Int32? {
    let above = parent(of: path)
    let folder = open(above.isEmpty ? "." : above, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { return errno == ENOENT ? nil : errno }
    defer { close(folder) }
    return remove(Array(lastName(of: path).utf8CString), in: folder, depth: 0)
  }

  /// Folders within folders; a backup has two of them.
  private static let deepest = 40

  /// - Parameter name: in the bytes of the file system, with a NUL.
  private static func remove(_ name: [CChar], in parent: Int32, depth: Int) -> Int32? {
    if unlinkat(parent, name, 0) == 0 || errno == ENOENT { return nil }
    // Linux says EISDIR of a folder, and POSIX allows EPERM.
    guard errno == EISDIR || errno == EPERM else { return errno }
    guard depth < deepest else { return ELOOP }
    let folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard folder >= 0 else { return errno == ENOENT ? nil : errno }
    guard let names = entries(folder) else {
      let error = errno
      close(folder)
      return error
    }
    var failure: Int32?
    for entry in names { failure = failure ?? remove(entry, in: folder, depth: depth + 1) }
    close(folder)
    if let failure { return failure }
    return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? nil : errno
  }

  private static func entries(_ folder: Int32) -> [[CChar]]? {
    let copy = dup(folder)
    guard copy >= 0, let stream = fdopendir(copy) else { return nil }
    defer { closedir(stream) }
    rewinddir(stream)
    var names: [[CChar]] = []
    errno = 0
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) {
          Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
        }
      }
      if name != Array(".".utf8CString), name != Array("..".utf8CString) { names.append(name) }
    }
    return errno == 0 ? names : nil
  }
}
