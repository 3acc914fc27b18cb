import Diagnostics
import Foundation
import PostgresTools

/// Polls until a condition holds.
///
/// - Returns: whether it held before the deadline.
package func eventually(within seconds: Double = 60, _ condition: () throws -> Bool) rethrows -> Bool {
  let deadline = Date(timeIntervalSinceNow: seconds)
  while Date() < deadline {
    if try condition() { return true }
    usleep(5_000)
  }
  return try condition()
}

extension ChildProcess {
  /// Waits for the end, but not for ever: a program that hangs is killed, and that is an error.
  package func end(within seconds: Double = 180) throws -> ChildExit {
    let slot = Slot()
    Thread.detachNewThread { slot.fill(self.wait()) }
    if let exit = slot.content(within: seconds) { return exit }
    kill(pid, SIGKILL)
    throw Failure.internalError("the program still ran after \(seconds) s")
  }

  /// Sends a signal to the program alone, and waits for its end.
  ///
  /// - Returns: how it ended, and after how many seconds.
  package func end(bySending signal: Int32, within seconds: Double = 180) throws -> (exit: ChildExit, seconds: Double) {
    let start = Date()
    kill(pid, signal)
    let exit = try end(within: seconds)
    return (exit, Date().timeIntervalSince(start))
  }
}

private final class Slot: @unchecked Sendable {
  private var exit: ChildExit?
  private let filled = DispatchSemaphore(value: 0)

  func fill(_ exit: ChildExit) {
    self.exit = exit
    filled.signal()
  }

  func content(within seconds: Double) -> ChildExit? {
    filled.wait(timeout: .now() + seconds) == .success ? exit : nil
  }
}
