import Diagnostics
import Foundation

/// Takes one line out of the beginning of a text that passes by in pieces. What stands further behind is data, and stays.
package final class HeadFilter: @unchecked Sendable {
  /// With the line ends before and behind it.
  private let line: [UInt8]
  private let lock = NSLock()
  private var head: [UInt8]? = []

  /// So much is the beginning: the settings of a dump stand in its first lines.
  private static let length = 4096

  package init(without line: String) { self.line = Array("\n\(line)\n".utf8) }

  package func take(
    _ bytes: UnsafeRawBufferPointer, pass: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    let held: [UInt8]? = lock.withLock {
      head?.append(contentsOf: bytes)
      return head
    }
    guard let held else { return try pass(bytes) }
    if held.count >= Self.length { try finish(pass: pass) }
  }

  /// Passes on what was held back. Of a text shorter than its beginning this is all.
  package func finish(pass: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
    var held: [UInt8] = lock.withLock {
      defer { head = nil }
      return head ?? []
    }
    if let found = held.prefix(Self.length).firstRange(of: line) { held.removeSubrange(found.dropLast()) }
    try held.withBytes(pass)
  }
}
