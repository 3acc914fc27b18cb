import Diagnostics
import Foundation
import PostgresTools

/// Has a program's calls fail for whatever lies below a folder, from a chosen moment on.
package final class FailingDisk {
  private let library: String
  private let flag: String
  private let path: String
  private let number: Int32

  /// - Parameters:
  ///   - number: `EIO` and `ENOSPC` for writing and syncing; any other for making, renaming and removing.
  ///   - folder: for what is needed meanwhile.
  package init(below path: String, number: Int32, folder: String) throws {
    self.path = path
    self.number = number
    // A path with a space in it would be taken for two.
    library = "\(TestCluster.temporary)/hf-failing-\(UInt32.random(in: 0...UInt32.max)).so"
    flag = "\(folder)/failing"
    let command = ChildCommand(
      executable: "/usr/bin/env",
      arguments: [
        "clang", "-shared", "-fPIC", "-o", library, "\(SourceTree.path)/Tests/Fixtures/failing-disk.c", "-ldl",
      ],
      environment: ProcessInfo.processInfo.environment)
    _ = try ChildRunner(cancellation: Cancellation()).output(of: command)
  }

  deinit { unlink(library) }

  /// The same command on this disk.
  package func command(_ command: ChildCommand) -> ChildCommand {
    var command = command
    command.environment.merge([
      "LD_PRELOAD": library, "FAIL_WHEN": flag, "FAIL_BELOW": path, "FAIL_WITH": "\(number)",
    ]) { _, own in own }
    return command
  }

  package func fail() throws { try Data().write(to: URL(fileURLWithPath: flag)) }
  package func mend() { unlink(flag) }
}
