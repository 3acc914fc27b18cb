import Foundation

/// How much room a folder's files take at most while something writes there, as the file system counts it: holes take none.
package final class PeakDisk: @unchecked Sendable {
  private let folder: String
  private let lock = NSLock()
  private let ended = DispatchSemaphore(value: 0)
  private var bytes: UInt64 = 0
  private var isWanted = true

  package init(of folder: String) { self.folder = folder }

  /// - Returns: what `body` returned, and the peak.
  package func whileRunning<Result>(_ body: () throws -> Result) rethrows -> (value: Result, bytes: UInt64) {
    Thread.detachNewThread { [self] in watch() }
    defer {
      lock.withLock { isWanted = false }
      ended.wait()
    }
    let value = try body()
    return (value, lock.withLock { bytes })
  }

  private func watch() {
    while lock.withLock({ isWanted }) {
      let now = Self.bytes(in: folder)
      lock.withLock { bytes = max(bytes, now) }
      usleep(5_000)
    }
    ended.signal()
  }

  package static func bytes(in folder: String) -> UInt64 {
    (FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? [])
      .reduce(0) { $0 + allocated("\(folder)/\($1)") }
  }

  /// Of one file; 0 when it is gone.
  package static func allocated(_ path: String) -> UInt64 {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG ? UInt64(status.st_blocks) * 512 : 0
  }

  /// Whether the file system of a folder takes back part of a file.
  package static func canPunchHoles(in folder: String) throws -> Bool {
    let path = "\(folder)/hole"
    try Data(count: 1 << 20).write(to: URL(fileURLWithPath: path))
    defer { unlink(path) }
    let run = try ProgramRun(
      running: .init(executable: "/usr/bin/fallocate", arguments: ["-p", "-l", "1048576", path], environment: [:]))
    return run.exit == 0
  }
}
