import Foundation

/// Tells of the files that another program creates and closes in a folder, by inotify.
///
/// It may miss some (a full queue, no watches left): whoever uses it looks at the folder once more at the end.
final class FolderWatch: @unchecked Sendable {
  enum Event { case created(String), closed(String) }

  private let descriptor: Int32

  /// - Returns: nil where there is no inotify to be had.
  init?(_ folder: String) {
    descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
    guard descriptor >= 0 else { return nil }
    guard inotify_add_watch(descriptor, folder, UInt32(IN_CREATE | IN_CLOSE_WRITE)) >= 0 else {
      close(descriptor)
      return nil
    }
  }

  deinit { close(descriptor) }

  /// Events so far; waits a little for the first.
  func events(waitingMilliseconds: Int32) -> [Event] {
    var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&waiting, 1, waitingMilliseconds) > 0 else { return [] }
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    let count = read(descriptor, &buffer, buffer.count)
    return count > 0 ? Self.parse(buffer[..<count]) : []
  }

  /// `struct inotify_event`: wd, mask, cookie, len (4 bytes each), then the name, padded with NULs.
  private static func parse(_ bytes: ArraySlice<UInt8>) -> [Event] {
    var events: [Event] = []
    bytes.withUnsafeBytes { buffer in
      var position = 0
      while position + 16 <= buffer.count {
        let mask = buffer.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self)
        let length = Int(buffer.loadUnaligned(fromByteOffset: position + 12, as: UInt32.self))
        guard position + 16 + length <= buffer.count else { break }
        let name = String(
          decoding: buffer[(position + 16)..<(position + 16 + length)].prefix { $0 != 0 }, as: UTF8.self)
        if mask & UInt32(IN_CREATE) != 0 { events.append(.created(name)) }
        if mask & UInt32(IN_CLOSE_WRITE) != 0 { events.append(.closed(name)) }
        position += 16 + length
      }
    }
    return events
  }
}
