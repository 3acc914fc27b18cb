import BackupRepository
import Diagnostics
import Foundation
import PostgresTools

/// A file system of a few megabytes, mounted where only the programs see it that are started by `command`. It goes with its
/// holder: no mount is left, however the tests end.
package final class SmallDisk {
  private let holder: ChildProcess
  private let folder: String
  private static var isRoot: Bool { getuid() == 0 }

  /// - Parameter folder: where it is mounted; an existing folder.
  package init(at folder: String, bytes: Int) throws {
    self.folder = folder
    let script = "mount -t tmpfs -o size=\(bytes),mode=0700 none \"$0\" && mkdir \"$0/.mounted\" && exec sleep 600"
    holder = try ChildProcess(
      starting: ChildCommand(
        executable: "/usr/bin/unshare",
        arguments: [Self.isRoot ? "-m" : "-rm", "/bin/sh", "-c", script, folder],
        environment: Toolbox.baseEnvironment()), capturesOutput: false)
    guard eventually({ access("\(path)/.mounted", F_OK) == 0 }) else {
      let end = try holder.end(bySending: SIGKILL).exit
      throw Failure.internalError("no small file system: \(end.standardError)")
    }
    rmdir("\(path)/.mounted")
  }

  /// One that holds a repository without backups.
  package static func holdingRepository(at folder: String, bytes: Int) throws -> SmallDisk {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let disk = try SmallDisk(at: folder, bytes: bytes)
    try Repository.create(disk.path)
    return disk
  }

  deinit { _ = try? holder.end(bySending: SIGKILL) }

  /// The file system as it is seen from outside.
  package var path: String { "/proc/\(holder.pid)/root\(folder)" }

  /// The same command where the file system is mounted.
  package func command(_ command: ChildCommand) -> ChildCommand {
    ChildCommand(
      executable: "/usr/bin/nsenter",
      arguments: ["-t", "\(holder.pid)", "-m"] + (Self.isRoot ? [] : ["-U", "--preserve-credentials"])
        + [command.executable] + command.arguments, environment: command.environment)
  }

  /// Fills it, but for some bytes.
  package func fill(leaving bytes: Int) throws {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { throw Failure.internalError("statvfs failed: \(errno)") }
    let ballast = open("\(path)/.ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    defer { close(ballast) }
    let room = Int(status.f_bavail) * Int(status.f_frsize) - bytes
    guard ballast >= 0, room <= 0 || posix_fallocate(ballast, 0, off_t(room)) == 0 else {
      throw Failure.internalError("the ballast cannot be written")
    }
  }

  package func makeRoom() { unlink("\(path)/.ballast") }

  /// Where it has to be possible (`HOLDFAST_TEST_REQUIRE_MOUNTS`, which scripts/test sets) the tests run and fail instead of being skipped.
  package static let isToBeTested: Bool = {
    if isPossible || !(ProcessInfo.processInfo.environment["HOLDFAST_TEST_REQUIRE_MOUNTS"] ?? "").isEmpty {
      return true
    }
    FileHandle.standardError.write(Data("SKIPPED: the tests of full disks, for nothing can be mounted here\n".utf8))
    return false
  }()

  /// Whether this machine lets an ordinary user, or a root without all its rights, mount in a name space of its own.
  private static let isPossible: Bool = {
    let command = ChildCommand(
      executable: "/usr/bin/unshare", arguments: [isRoot ? "-m" : "-rm", "/bin/mount", "-t", "tmpfs", "none", "/mnt"],
      environment: Toolbox.baseEnvironment())
    return (try? ProgramRun(running: command).exit) == 0
  }()
}
