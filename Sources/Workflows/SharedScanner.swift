import BackupModel
import Diagnostics
import Foundation
import StreamPipeline

/// A scanner that one thread feeds and another one asks, one after the other.
final class SharedScanner: @unchecked Sendable {
  private let lock = NSLock()
  private let scanner: DumpScanner

  /// With the values of a table's rows in another order.
  private var reordered: ReorderedRows?

  init(keepStatements: Bool = false) { scanner = DumpScanner(keepStatements: keepStatements) }

  /// Digests the rows of one table with their values in another order, too.
  init(reordering table: TableDigest, _ rows: ReorderedRows) {
    scanner = DumpScanner()
    reordered = rows
    scanner.observe { [unowned self] event in
      guard case .rows(let target, let bytes, _) = event else { return }
      if target.key == table.key { reordered?.take(bytes) }
    }
  }

  /// Tells what passes, on the thread that feeds it.
  init(observer: @escaping (DumpEvent) throws(Failure) -> Void) {
    scanner = DumpScanner()
    scanner.observe(observer)
  }

  var reorderedDigest: String? { lock.withLock { reordered?.digest } }

  func scan(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    lock.lock()
    defer { lock.unlock() }
    try scanner.scan(bytes)
  }

  func finish() throws(Failure) -> DatabaseDigest {
    lock.lock()
    defer { lock.unlock() }
    return try scanner.finish()
  }

  var owners: Set<String> { lock.withLock { scanner.owners } }
  var statements: [String] { lock.withLock { scanner.statements } }
}
