import BackupModel
import Diagnostics
import Foundation
import StreamPipeline

/// A scanner that one thread feeds and another one asks, one after the other.
final class SharedScanner: @unchecked Sendable {
  private let lock = NSLock()
  private let scanner: DumpScanner

  private let reordering: Reordering?

  init(keepStatements: Bool = false) {
    scanner = DumpScanner(keepStatements: keepStatements)
    reordering = nil
  }

  /// Digests the rows of one table with their values in another order, too.
  init(reordering table: TableDigest, _ columns: [String]) {
    let reordering = Reordering(table, columns)
    scanner = DumpScanner { event in reordering.take(event) }
    self.reordering = reordering
  }

  /// Keeps the schema's statements, and every statement as it stands in the dump.
  init(keepStatements: Bool, telling list: StatementList) {
    scanner = DumpScanner(keepStatements: keepStatements) { event in
      if case .statement(let bytes) = event { list.append(bytes) }
    }
    reordering = nil
  }

  /// Tells what passes, on the thread that feeds it.
  init(observer: @escaping (DumpEvent) throws(Failure) -> Void) {
    scanner = DumpScanner(observer: observer)
    reordering = nil
  }

  var reorderedDigest: String? { lock.withLock { reordering?.digest } }

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

/// The digest of a table's rows with their values in another order, block by block.
private final class Reordering {
  private let table: TableDigest
  private let columns: [String]
  private var sum: MultisetHash?
  private var block: ReorderedRows?

  init(_ table: TableDigest, _ columns: [String]) {
    self.table = table
    self.columns = columns
  }

  var digest: String? { sum?.hex }

  func take(_ event: DumpEvent) {
    guard case .rows(let target, let bytes, let areLast) = event, target.key == table.key else { return }
    var rows = block ?? ReorderedRows(from: target.columns, to: columns)
    rows?.take(bytes)
    block = areLast ? nil : rows
    guard areLast, let rows else { return }
    var sum = sum ?? MultisetHash()
    sum.merge(rows.multiset)
    self.sum = sum
  }
}

/// Filled by one thread, read by another one afterwards.
final class StatementList: @unchecked Sendable {
  private(set) var all: [[UInt8]] = []
  func append(_ statement: [UInt8]) { all.append(statement) }
}
