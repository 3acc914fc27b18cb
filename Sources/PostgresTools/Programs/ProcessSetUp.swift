import CProcess
import Diagnostics
import Foundation

/// What has to be so in the process before its first thread and child.
package enum ProcessSetUp {
  /// Opens the three standard descriptors where they are closed, has failed writes be errors and not signals (SIGPIPE, SIGXFSZ), makes
  /// new files private, forgets the caller's PG* variables but for passwords, and turns SIGINT, SIGTERM, SIGHUP and SIGQUIT into a cancellation.
  ///
  /// Writes no core file, either: it would hold passwords.
  ///
  /// - Returns: the umask that the process was started with.
  package static func prepare(_ cancellation: Cancellation) -> mode_t {
    openStandardDescriptors()
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    coreLimit = cprocess_no_core()
    let started = umask(privateMask)
    // libpq would take from them whatever a policy leaves out: another host, another service, other settings.
    for name in ProcessInfo.processInfo.environment.keys
    where name.hasPrefix("PG") && !ConnectionVariables.kept.contains(name) { unsetenv(name) }
    // Blocked before any thread is made, so that only the waiting thread ever takes them.
    _ = cprocess_block_stop_signals()
    Thread.detachNewThread {
      while true {
        let number = cprocess_wait_stop_signal()
        if number > 0 { cancellation.cancel(signal: number) }
      }
    }
    return started
  }

  /// Of core files, which the process was started with: programs of the user's have it again.
  nonisolated(unsafe) static private(set) var coreLimit: Int64 = -1

  private static let privateMask: mode_t = 0o077

  /// Makes something that is no secret with the user's own umask. No other thread may make files meanwhile.
  package static func with<Result>(umask mask: mode_t, _ body: () -> Result) -> Result {
    umask(mask)
    let result = body()
    let number = errno
    umask(privateMask)
    errno = number
    return result
  }

  /// Before any other is opened: a connection or a file of a backup that came to be number 2 would get every line that is logged.
  private static func openStandardDescriptors() {
    // The lowest free number is the one that is opened. An export into a closed stdout is no success: what is written there fails, as it would.
    for number: Int32 in 0...2 where fcntl(number, F_GETFD) < 0 { _ = open("/dev/null", O_RDONLY) }
  }

  /// Columns of the terminal on a descriptor; nil when it is none.
  package static func terminalColumns(_ descriptor: Int32) -> Int? {
    let columns = Int(cprocess_terminal_columns(descriptor))
    return columns > 0 ? columns : nil
  }
}
