import Diagnostics
import Foundation
import StreamPipeline

/// A file of lines that only grows, written by one at a time.
struct LineFile {
  let folder: OpenFolder
  let name: String

  private var path: String { "\(folder.path)/\(name)" }

  /// - Parameter depth: of its folder within the repository.
  init(path: String, depth: Int) throws(Failure) {
    folder = try OpenFolder(parent(of: path), depth: depth)
    name = lastName(of: path)
  }

  /// Appends a line; it is on the disk on return.
  ///
  /// - Parameter line: makes it, its end included, from the last whole line, which is empty when there is none.
  func append(_ line: (_ last: [UInt8]) throws(Failure) -> [UInt8]) throws(Failure) {
    // Not waiting: a pipe in its place must not hang the program.
    let file = try folder.file(name, O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK)
    let descriptor = file.number
    try file.refuseSpecial()
    try lockInTurn(descriptor, path)
    // What a killed writer left half written is cut off, never written behind.
    let end = try endOfLine(descriptor, before: lseek(descriptor, 0, SEEK_END))
    guard ftruncate(descriptor, end) == 0 else { throw cannotWrite(path, errno) }
    step("append \(name)")
    try file.write(try line(try lastLine(descriptor, end)))
    try file.synchronize()
    // Its first line may be the first that the folder hears of it, whoever created it.
    if end == 0 { try folder.synchronize() }
    step("appended \(name)")
  }

  private func lastLine(_ descriptor: Int32, _ end: off_t) throws(Failure) -> [UInt8] {
    guard end > 0 else { return [] }
    let start = try endOfLine(descriptor, before: end - 1)
    return try bytes(descriptor, start..<(end - 1))
  }

  /// No line of ours is as long.
  private static let longestLine: off_t = 4 << 20

  /// Where the last line before a place ends: after its newline; 0 when there is none.
  private func endOfLine(_ descriptor: Int32, before place: off_t) throws(Failure) -> off_t {
    var end = place
    while end > 0 {
      guard place - end <= Self.longestLine else {
        throw Failure(
          "cannot_read", exit: .dataDamaged, what: "reading \(path)", why: "its last line is longer than 4 MiB",
          nextStep: "look where it came from, and put it elsewhere: Holdfast writes no such line")
      }
      let start = max(0, end - (64 << 10))
      if let newline = try bytes(descriptor, start..<end).lastIndex(of: 0x0A) { return start + off_t(newline) + 1 }
      end = start
    }
    return 0
  }

  private func bytes(_ descriptor: Int32, _ range: Range<off_t>) throws(Failure) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: range.count)
    guard pread(descriptor, &buffer, buffer.count, range.lowerBound) == buffer.count else {
      throw cannotRead(path, errno)
    }
    return buffer
  }
}

/// Locks a file that others keep for moments only.
///
/// - Throws: `locked` when one of them has had it for half a minute; `cannot_write`.
func lockInTurn(_ descriptor: Int32, _ path: String) throws(Failure) {
  for _ in 0..<600 {
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return }
    guard errno == EWOULDBLOCK || errno == EINTR else { throw cannotWrite(path, errno) }
    usleep(50_000)
  }
  throw Failure(
    "locked", exit: .locked, what: "writing to \(path)", why: "another run has had it locked for half a minute",
    nextStep: "see what that run does (fuser \(path)), then run the same command again")
}
