import Foundation
import StreamPipeline
import Testing

@Suite struct CopyRowsTests {
  @Test(arguments: [
    "\\.\n", "\n\\.\n", "a\n\\.\nrest", "\\\\.\n\\.\nrest\n", ".\n\\\n\\.x\n\\.\r\n\\.\n\\.\n",
    "\\..\n..\n\\\\\n\n\n\\.\n",
    "a\tb\r\n\r\n\\.\n",
  ])
  func `counts and digests as a naive reader does, and takes no byte after the end line`(text: String) {
    let bytes = Array(text.utf8)
    let naive = NaiveRows(bytes[...])
    for pieces in everySplit(of: bytes) {
      var rows = CopyRows()
      let taken = take(pieces, into: &rows)
      #expect(rows.finished)
      #expect(taken == naive.rest?.startIndex)
      #expect(rows.rows == UInt64(naive.rows.count))
      #expect(rows.digest == naive.digest)
    }
  }

  @Test(arguments: ["", "\\", "\\.", "a", "a\n", "a\n\\.", "\\.\r\n", "\\\\.\n"])
  func `is not finished without a whole end line`(text: String) {
    for pieces in everySplit(of: Array(text.utf8)) {
      var rows = CopyRows()
      _ = take(pieces, into: &rows)
      #expect(!rows.finished)
      #expect(rows.atLineStart == (text.isEmpty || text.utf8.last == 0x0A))
    }
  }

  @Test(arguments: 0..<10 as Range<UInt64>)
  func `gives one digest for any order of the rows, and another for any other rows`(seed: UInt64) {
    var dice = Dice(seed)
    let rows = (0..<50).map { Array("\($0)\t".utf8) + dice.row() } + [[], Array("same".utf8), Array("same".utf8)]
    let whole = digest(rows)
    #expect(digest(rows.shuffled(using: &dice)) == whole)
    for index in rows.indices {
      #expect(digest(Array(rows[..<index] + rows[(index + 1)...])) != whole, "without row \(index)")
      #expect(digest(rows + [rows[index]]) != whole, "row \(index) twice")
      #expect(digest(changed(rows, index, &dice)) != whole, "row \(index) changed")
    }
    #expect(digest(rows.dropLast(2) + [Array("same2".utf8), Array("sam".utf8)]) != whole)
  }

  @Test func `digests a row of more than 64 MiB`() throws {
    let row = [UInt8](repeating: UInt8(ascii: "x"), count: 65 << 20)
    var rows = CopyRows()
    var dice = Dice(1)
    var start = 0
    while start < row.count {
      let end = min(row.count, start + dice.roll(1...(1 << 20)))
      _ = take([row[start..<end]], into: &rows)
      start = end
    }
    _ = take([Array("\n\\.\n".utf8)[...]], into: &rows)
    #expect(rows.finished)
    #expect(rows.digest == naiveDigest([row]))
  }

  @Test func `needs no memory for a row of a gigabyte`() throws {
    let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 256 << 10)
    let scanner = DumpScanner()
    try Array("-- PostgreSQL database dump\nCOPY a.b (t) FROM stdin;\n".utf8).withUnsafeBytes { try scanner.scan($0) }
    let before = try residentBytes()
    for _ in 0..<(4 << 10) { try piece.withUnsafeBytes { try scanner.scan($0) } }
    // Other tests take their memory at the same time; a held row would be far above that.
    #expect(try residentBytes() - before < 400 << 20)
    try Array("\n\\.\n-- PostgreSQL database dump complete\n".utf8).withUnsafeBytes { try scanner.scan($0) }
    #expect(try scanner.finish().tables.map(\.rows) == [1])
  }

  // MARK: Helpers

  /// - Returns: how many bytes were taken.
  @discardableResult
  private func take(_ pieces: [ArraySlice<UInt8>], into rows: inout CopyRows) -> Int {
    pieces.reduce(0) { sum, piece in sum + piece.withUnsafeBytes { rows.take($0) } }
  }

  private func digest(_ rows: [[UInt8]]) -> String {
    var block = CopyRows()
    take([rows.flatMap { $0 + [0x0A] }[...], Array("\\.\n".utf8)[...]], into: &block)
    return block.digest
  }

  private func changed(_ rows: [[UInt8]], _ index: Int, _ dice: inout Dice) -> [[UInt8]] {
    var rows = rows
    var row = rows[index]
    if row.isEmpty { row = [0x20] } else { row[dice.roll(0...(row.count - 1))] ^= 0x80 }
    rows[index] = row
    return rows
  }
}
