import StreamPipeline
import Testing

@Suite struct ReorderedRowsTests {
  @Test(arguments: 0..<5 as Range<UInt64>)
  func `digests rows as if their values had stood in the other order`(seed: UInt64) throws {
    var dice = Dice(seed)
    let old = (0..<dice.roll(1...6)).map { "c\($0)" }
    let new = old.shuffled(using: &dice)
    let values = (0..<40).map { _ in old.map { _ in dice.row().filter { $0 != 0x09 } } }
    let text = values.flatMap { $0.joined(separator: [0x09]) + [0x0A] } + Array("\\.\nnot a row\n".utf8)
    let expected = values.map { row in
      Array(new.map { name in old.firstIndex(of: name).map { row[$0] } ?? [] }.joined(separator: [0x09]))
    }
    for pieces in [[text[...]], dice.pieces(of: text, longest: 9)] {
      var rows = try #require(ReorderedRows(from: old, to: new))
      for piece in pieces { piece.withUnsafeBytes { rows.take($0) } }
      #expect(rows.digest == naiveDigest(expected))
    }
  }

  @Test func `a row whose value went into another column has another digest`() throws {
    let digests = try ["1\t2\n", "2\t1\n"].map { text in
      var rows = try #require(ReorderedRows(from: ["a", "b"], to: ["b", "a"]))
      Array(text.utf8).withUnsafeBytes { rows.take($0) }
      return rows.digest
    }
    #expect(digests[0] != digests[1])
    #expect(digests[0] == naiveDigest([Array("2\t1".utf8)]))
  }

  @Test func `columns whose names only differ in Unicode are two`() throws {
    // é of one character, and of two.
    let names = ["\u{E9}", "e\u{301}"]
    var rows = try #require(ReorderedRows(from: names, to: names.reversed()))
    Array("1\t2\n".utf8).withUnsafeBytes { rows.take($0) }
    #expect(rows.digest == naiveDigest([Array("2\t1".utf8)]))
  }

  @Test(
    arguments: [
      (["a"], ["b"]), (["a"], ["a", "b"]), (["a", "b"], ["a"]), (["a", "a"], ["a", "a"]), (["a", "b"], ["a", "a"]),
    ] as [([String], [String])])
  func `columns that are not the same cannot be reordered`(old: [String], new: [String]) {
    #expect(ReorderedRows(from: old, to: new) == nil)
  }
}
