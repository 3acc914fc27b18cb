import CProcess
import Diagnostics
import Foundation

/// An open file that is closed with its last reference; every call is checked.
package final class FileDescriptor: Sendable {
  package let number: Int32
  private let path: String
  /// Ends waiting for whoever reads a pipe.
  private let cancellation: Cancellation?

  /// Takes over an open descriptor.
  ///
  /// - Parameter cancellation: of a pipe, whose reader may have stopped reading.
  package init(adopting number: Int32, path: String, cancellation: Cancellation? = nil) {
    self.number = number
    self.path = path
    self.cancellation = cancellation
  }

  /// Opens a plain file for reading. A symbolic link as the last part is refused, and a pipe, which would be waited for.
  ///
  /// - Parameter givingBack: what was read is to be given back to the file system, which takes a file that is open for writing.
  /// - Throws: `cannot_read`; `cannot_write` for one that cannot be given back.
  package static func reading(_ path: String, givingBack: Bool = false) throws(Failure) -> FileDescriptor {
    let number = open(path, (givingBack ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard number >= 0 else { throw givingBack && errno != ENOENT ? cannotWrite(path, errno) : cannotRead(path, errno) }
    let file = FileDescriptor(adopting: number, path: path)
    try file.refuseSpecial()
    return file
  }

  /// Creates a new file, 0600.
  ///
  /// - Throws: `cannot_write`.
  package static func creating(_ path: String) throws(Failure) -> FileDescriptor {
    let number = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard number >= 0 else { throw cannotWrite(path, errno) }
    return FileDescriptor(adopting: number, path: path)
  }

  /// Writes other bytes into a file that is there.
  package static func replaceContent(of path: String, by bytes: [UInt8]) throws(Failure) {
    let number = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)
    guard number >= 0 else { throw cannotWrite(path, errno) }
    let file = FileDescriptor(adopting: number, path: path)
    try file.write(bytes)
    guard ftruncate(number, off_t(bytes.count)) == 0 else { throw cannotWrite(path, errno) }
  }

  deinit { close(number) }

  /// - Throws: `cannot_read` unless it is a plain file: pipes and devices have no end to look for.
  package func refuseSpecial() throws(Failure) {
    var status = stat()
    guard fstat(number, &status) == 0 else { throw cannotRead(path, errno) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw Failure(
        "cannot_read", exit: .dataDamaged, what: "reading \(path)", why: "it is no plain file",
        nextStep: "look what it is, and move it away")
    }
  }

  /// Reads into a buffer; 0 at the end.
  package func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
    while true {
      let count = Foundation.read(number, buffer.baseAddress, buffer.count)
      if count >= 0 { return count }
      guard errno == EINTR else { throw cannotRead(path, errno) }
    }
  }

  /// Writes everything.
  package func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    var rest = bytes
    while !rest.isEmpty {
      let piece = try roomForWriting(rest.count)
      let count = Foundation.write(number, rest.baseAddress, piece)
      if count < 0 {
        if errno == EINTR { continue }
        // A pipe that another program has made so waits for nobody.
        if errno == EAGAIN {
          try waitForReader()
          continue
        }
        throw cannotWrite(path, errno)
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  /// How much can be written at once so that a stop is heard: a pipe that has room takes `PIPE_BUF` bytes without blocking.
  private func roomForWriting(_ wanted: Int) throws(Failure) -> Int {
    guard cancellation != nil else { return wanted }
    try waitForReader()
    return min(wanted, Int(PIPE_BUF))
  }

  private func waitForReader() throws(Failure) {
    var waiting = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
    while poll(&waiting, 1, 200) <= 0 { try cancellation?.check() }
  }

  /// Writes everything.
  package func write(_ bytes: [UInt8]) throws(Failure) {
    try bytes.withBytes { (buffer) throws(Failure) in try write(buffer) }
  }

  /// Returns once the file is on the disk.
  package func synchronize() throws(Failure) {
    guard fsync(number) == 0 else { throw cannotWrite(path, errno) }
  }
}

/// Renames to a name that nothing has. Where that cannot be had in one step, as on NFS, the name is looked at first.
///
/// - Throws: `cannot_write`.
func renameToFreeName(_ path: String, _ name: String) throws(Failure) {
  var result = cprocess_rename_new(AT_FDCWD, path, name)
  if [-EINVAL, -ENOSYS, -EOPNOTSUPP].contains(result) {
    var status = stat()
    result = lstat(name, &status) == 0 ? -EEXIST : Foundation.rename(path, name) == 0 ? 0 : -errno
  }
  guard result == 0 else { throw cannotWrite(name, -result) }
}

/// `ENOSPC` → "No space left on device".
package func systemError(_ number: Int32) -> String { String(cString: strerror(number)) }

/// The failure to write a file: exit 73.
package func cannotWrite(_ path: String, _ number: Int32) -> Failure {
  let full = number == ENOSPC || number == EDQUOT
  let next =
    switch number {
    case ENOSPC, EDQUOT: "make room on that file system, then run the same command again"
    case EEXIST: "choose another name: an existing file is never replaced"
    case ENOENT, ENOTDIR: "make the folder first, or choose another one"
    case EPIPE, EBADF: "let what reads it read to its end"
    default: "let the user that runs holdfast write there"
    }
  let why = number == EPIPE ? "what reads it has ended before the end of it" : systemError(number)
  return Failure(
    full ? "no_space" : "cannot_write", exit: .cannotWrite, what: "writing \(path)", why: why, nextStep: next)
}

extension [UInt8] {
  /// `withUnsafeBytes`, which loses the type of what is thrown.
  package func withBytes(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
    let outcome: Result<Void, Failure> = withUnsafeBytes { bytes in
      do throws(Failure) { return .success(try body(bytes)) } catch { return .failure(error) }
    }
    try outcome.get()
  }
}

/// A buffer of the size that suits reads and writes of data.
package func withDataBuffer<Result>(
  _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
) throws(Failure) -> Result {
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
  defer { buffer.deallocate() }
  return try body(buffer)
}

/// Bytes that an ordinary user may still write on the file system of a path; 0 when that cannot be known.
package func freeBytes(_ path: String) -> UInt64 {
  var status = statvfs()
  guard statvfs(path, &status) == 0 else { return 0 }
  return UInt64(status.f_bavail) * UInt64(status.f_frsize)
}
