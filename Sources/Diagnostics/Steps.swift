import Foundation

/// Marks a step: the moment before something that others can see or that has to last.
///
/// In a debug build the program stops there (`SIGSTOP`) when `HOLDFAST_STOP_AT` names the step, so that a test can kill it, or take
/// its disk or its server away, at that very point. In a release build this is nothing.
///
/// - Parameter name: says what comes next; the same in every run.
@inline(__always)
package func step(_ name: @autoclosure () -> String) {
  #if DEBUG
    Steps.shared?.reach(name())
  #endif
}

#if DEBUG
  /// `HOLDFAST_STOP_AT` is the name of a step, `NAME#2` for its second time, or `*` for all; each stop's name goes first into the file
  /// `HOLDFAST_STOPS`, a line each.
  private final class Steps: @unchecked Sendable {
    static let shared = Steps(ProcessInfo.processInfo.environment)

    private let wanted: String
    private let notes: Int32
    private let lock = NSLock()
    private var times: [String: Int] = [:]

    init?(_ environment: [String: String]) {
      guard let wanted = environment["HOLDFAST_STOP_AT"], let path = environment["HOLDFAST_STOPS"] else { return nil }
      self.wanted = wanted
      notes = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    }

    func reach(_ name: String) {
      // Under the lock also while stopped: no other thread gets by.
      lock.withLock {
        times[name, default: 0] += 1
        let numbered = "\(name)#\(times[name] ?? 0)"
        guard ["*", name, numbered].contains(wanted) else { return }
        let line = Array("\(numbered)\n".utf8)
        _ = write(notes, line, line.count)
        // To this thread, which goes no further; a signal to the process may reach another one first.
        raise(SIGSTOP)
      }
    }
  }
#endif
