import Foundation

/// Looks at a running process's peak memory until it ends.
package struct PeakMemory {
  private let pid: pid_t

  package init(of pid: pid_t) { self.pid = pid }

  /// Runs `body`, and asks all the while.
  ///
  /// - Returns: what `body` returned, and the largest VmHWM seen, in bytes.
  package func whileRunning<Result>(_ body: () throws -> Result) rethrows -> (value: Result, bytes: Int) {
    let peak = Peak(pid: pid)
    Thread.detachNewThread { peak.watch() }
    let value = try body()
    return (value, peak.end())
  }
}

private final class Peak: @unchecked Sendable {
  private let pid: pid_t
  private let lock = NSLock()
  private var bytes = 0
  private var ended = false

  init(pid: pid_t) { self.pid = pid }

  func watch() {
    while !lock.withLock({ ended }) {
      let seen = read()
      lock.withLock { bytes = max(bytes, seen) }
      usleep(5_000)
    }
  }

  func end() -> Int {
    lock.withLock {
      ended = true
      return bytes
    }
  }

  private func read() -> Int {
    let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
    return (Int(line.filter(\.isNumber)) ?? 0) << 10
  }
}
