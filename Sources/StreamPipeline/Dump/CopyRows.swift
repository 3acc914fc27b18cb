import BackupModel
import Foundation

/// Counts and digests the rows of one block of COPY text, which ends with the line `\.`.
///
/// Bytes may come in pieces split anywhere; no line is ever held, so a row of any length costs no memory. In COPY's text
/// format a backslash in the data is doubled, so the end line cannot occur in it.
package struct CopyRows {
  private var hasher = RowHasher()
  /// Bytes of the line begun in an earlier piece; they are in the hasher's stream.
  private var begun = 0
  /// Whether the begun line is so far exactly `\` or `\.`.
  private var maybeEnd = false
  /// The end line was seen.
  package private(set) var finished = false

  package init() {}

  package var rows: UInt64 { hasher.multiset.count }
  package var digest: String { hasher.multiset.hex }

  /// Whether the block stands at the start of a line: nothing of a row is missing.
  package var atLineStart: Bool { begun == 0 }

  /// Takes bytes up to the end line or to the end of the piece.
  ///
  /// - Returns: how many bytes were taken; fewer than given once the end line is complete.
  package mutating func take(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard let base = bytes.baseAddress, !finished else { return 0 }
    var position = 0
    if begun > 0 {
      position = finishBegunLine(base, bytes.count)
      if finished || begun > 0 { return position }
    }
    while position < bytes.count {
      let start = base + position
      let left = bytes.count - position
      guard let newline = memchr(start, 0x0A, left) else {
        begin(start, left)
        return bytes.count
      }
      let length = UnsafeRawPointer(newline) - start
      position += length + 1
      if length == 2, isEndLine(start) {
        finished = true
        return position
      }
      hasher.insert(start, length)
    }
    return position
  }

  /// The line that an earlier piece began goes on here.
  private mutating func finishBegunLine(_ base: UnsafeRawPointer, _ count: Int) -> Int {
    guard let newline = memchr(base, 0x0A, count) else {
      begin(base, count)
      return count
    }
    let length = UnsafeRawPointer(newline) - base
    if length > 0 { begin(base, length) }
    if begun == 2, maybeEnd {
      finished = true
      hasher.dropItem()
    } else {
      hasher.finishItem()
    }
    begun = 0
    maybeEnd = false
    return length + 1
  }

  private mutating func begin(_ start: UnsafeRawPointer, _ count: Int) {
    if begun == 0 { maybeEnd = true }
    for index in 0..<min(count, max(0, 3 - begun)) where maybeEnd {
      let byte = start.load(fromByteOffset: index, as: UInt8.self)
      maybeEnd = begun + index < 2 && byte == (begun + index == 0 ? UInt8(ascii: "\\") : UInt8(ascii: "."))
    }
    hasher.append(start, count)
    begun += count
  }

  private func isEndLine(_ start: UnsafeRawPointer) -> Bool {
    start.load(as: UInt8.self) == UInt8(ascii: "\\")
      && start.load(fromByteOffset: 1, as: UInt8.self) == UInt8(ascii: ".")
  }
}
