import BackupModel
import Diagnostics
import Foundation

/// Digests rows of COPY text with their values in another order.
///
/// A table that inherits gets the columns of its parents first when it is restored, so its rows may come back with their values in
/// another order. That is rare: whole lines are held here.
package struct ReorderedRows {
  /// For each new place the old one.
  private let places: [Int]
  private var hasher = RowHasher()
  private var line: [UInt8] = []
  private var ended = false

  /// - Returns: nil unless both lists have the same columns.
  package init?(from oldColumns: [String], to newColumns: [String]) {
    // By their bytes: to Swift, not to PostgreSQL, an é of one character is equal to one of two.
    let (old, new) = (oldColumns.map { Array($0.utf8) }, newColumns.map { Array($0.utf8) })
    let indices = new.map { old.firstIndex(of: $0) }
    guard old.count == new.count, Set(old).count == old.count, Set(old) == Set(new) else { return nil }
    places = indices.compactMap { $0 }
  }

  package var digest: String { hasher.multiset.hex }
  package var multiset: MultisetHash { hasher.multiset }

  package mutating func take(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes where !ended {
      if byte == 0x0A { endLine() } else { line.append(byte) }
    }
  }

  private mutating func endLine() {
    defer { line.removeAll(keepingCapacity: true) }
    if line == Array("\\.".utf8) {
      ended = true
      return
    }
    let fields = line.split(separator: 0x09, omittingEmptySubsequences: false)
    guard fields.count == places.count else { return hash(line) }
    hash(Array(places.map { fields[$0] }.joined(separator: [0x09])))
  }

  private mutating func hash(_ row: [UInt8]) {
    row.withUnsafeBytes { buffer in
      if let base = buffer.baseAddress { hasher.append(base, buffer.count) }
    }
    hasher.finishItem()
  }
}
