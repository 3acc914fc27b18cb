import Diagnostics
import Foundation
import PostgresTools
import TestSupport

/// Stands in a run's way: it holds the lock of a deploy's journal, so that the run waits before the next line it wants to write.
final class JournalGate {
  private let path: String
  private let descriptor: Int32

  /// Shut from the start.
  init(_ path: String) throws {
    self.path = path
    descriptor = Foundation.open(path, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure.internalError("no journal \(path): \(errno)") }
    shut()
  }

  deinit { close(descriptor) }

  private func shut() { flock(descriptor, LOCK_EX) }
  func open() { flock(descriptor, LOCK_UN) }

  /// Waits until the run stands here: all that it has announced is done, and the next is not yet announced.
  ///
  /// - Returns: false when it has ended instead.
  func reach(_ run: ChildProcess) throws -> Bool {
    let waiting = try Regex("-> FLOCK +ADVISORY +WRITE \(run.pid) ")
    var isHere = false
    try waitUntil("the run stands before its journal", seconds: 60) {
      isHere = try String(contentsOfFile: "/proc/locks", encoding: .utf8).contains(waiting)
      return isHere || Self.hasEnded(run.pid)
    }
    return isHere
  }

  /// It is a zombie until it is waited for.
  private static func hasEnded(_ pid: pid_t) -> Bool {
    let status = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
    return status.contains(") Z ")
  }

  /// Lets the run write its next line, and no other: unless it is quick, and we are not.
  func pass() {
    letThrough()
    shut()
  }

  /// Lets the run write its next line and go on.
  func letThrough() {
    let before = size
    open()
    while size == before { sched_yield() }
  }

  private var size: off_t {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? status.st_size : -1
  }

  var lines: Int { FileManager.default.contents(atPath: path)?.count { $0 == 0x0A } ?? 0 }
}
