import BackupModel
import Diagnostics
import Foundation
import StreamPipeline

/// A scanner that one thread feeds and another one asks, one after the other.
final class SharedScanner: @unchecked Sendable {
  private let lock = NSLock()
  private let scanner: DumpScanner

  /// The rows of a table with their values in another order, block by block.
  private var reordered: MultisetHash?
  private var block: ReorderedRows?

  init(keepStatements: Bool = false) { scanner = DumpScanner(keepStatements: keepStatements) }

  /// Digests the rows of one table with their values in another order, too.
  init(reordering table: TableDigest, _ columns: [String]) {
    scanner = DumpScanner()
    scanner.observe { [unowned self] event in
      guard case .rows(let target, let bytes, let areLast) = event, target.key == table.key else { return }
      var rows = block ?? ReorderedRows(from: target.columns, to: columns)
      rows?.take(bytes)
      block = areLast ? nil : rows
      guard areLast, let rows else { return }
      var sum = reordered ?? MultisetHash()
      sum.merge(rows.multiset)
      reordered = sum
    }
  }

  /// Keeps the schema's statements, and every statement as it stands in the dump.
  init(keepStatements: Bool, telling list: StatementList) {
    scanner = DumpScanner(keepStatements: keepStatements)
    scanner.observe { event in if case .statement(let bytes) = event { list.append(bytes) } }
  }

  /// Tells what passes, on the thread that feeds it.
  init(observer: @escaping (DumpEvent) throws(Failure) -> Void) {
    scanner = DumpScanner()
    scanner.observe(observer)
  }

  var reorderedDigest: String? { lock.withLock { reordered?.hex } }

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

  var definitions: CountedDigest { lock.withLock { scanner.definitions } }
  var owners: Set<String> { lock.withLock { scanner.owners } }
  var objects: DumpedObjects { lock.withLock { scanner.objects } }
  var statements: [SchemaStatement] { lock.withLock { scanner.statements } }
}
