import Foundation
import Workflows

/// What a command warned of: JSON has it too.
final class Warnings: @unchecked Sendable {
  private let lock = NSLock()
  private var texts: [String] = []

  /// - Returns: whether it is new: a client that reads many backups is the same each time.
  @discardableResult
  func add(_ text: String) -> Bool {
    lock.withLock {
      guard !texts.contains(text) else { return false }
      texts.append(text)
      return true
    }
  }

  var json: JSONValue { .strings(lock.withLock { texts }) }
}

/// Tells nobody but the JSON document.
struct QuietReporter: Reporter {
  let warnings: Warnings

  func headline(_ text: String) {}
  func begin(_ phase: String, about subject: String, totalBytes: UInt64?) {}
  func advance(bytes: UInt64) {}
  func end(_ phase: String, _ summary: String, seconds: Double) {}
  func abort(_ phase: String) {}
  func note(_ text: String) { if let text = warning(in: text) { warnings.add(text) } }
  func output(_ bytes: UnsafeRawBufferPointer) {}
}
