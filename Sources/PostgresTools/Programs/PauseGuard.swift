import Diagnostics
import Foundation

/// Ends a group of processes should we die while it stands still: a stopped process does not hear the SIGTERM that it gets then, and
/// would keep its locks on the server for ever.
final class PauseGuard: @unchecked Sendable {
  private let child: ChildProcess

  /// A shell that waits on its stdin: a line sends it away, the end is ours. The SIGTERM of our death is not for it.
  private static let script = "trap '' TERM; echo ready; read -r line && exit 0; kill -KILL -- \"-$0\""

  /// - Throws: when it cannot be had; then nothing must be paused.
  init(group: pid_t) throws(Failure) {
    let command = ChildCommand(
      executable: "/bin/sh", arguments: ["-c", Self.script, "\(group)"], environment: Toolbox.baseEnvironment())
    child = try ChildProcess(starting: command, capturesOutput: true, takesInput: true)
    // From here on it hears our end.
    guard child.waitForOutput() else {
      _ = child.wait()
      throw .internalError("the guard of a paused program does not run")
    }
  }

  /// The group has ended.
  func dismiss() {
    _ = Array("done\n".utf8).withUnsafeBytes { child.put($0) }
    child.endInput()
    _ = child.wait()
  }
}
