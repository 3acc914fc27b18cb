import BackupModel
import Testing

@Suite struct DigestTests {
  private let items: [(low: UInt64, high: UInt64)] = [(1, 2), (.max, .max), (.max, 0), (7, .max), (7, .max), (0, 0)]

  @Test func `a multiset's hash is the sum of its items, whatever their order`() {
    let sum = items.reduce(UInt128(0)) { $0 &+ (UInt128($1.high) << 64 | UInt128($1.low)) }
    let digits = String(sum, radix: 16)
    let expected = String(repeating: "0", count: 32 - digits.count) + digits
    for order in [items, items.reversed(), items.sorted { $0.low < $1.low }] {
      #expect(hash(order).hex == expected)
      #expect(hash(order) == hash(items))
    }
    #expect(MultisetHash().hex == String(repeating: "0", count: 32))
  }

  @Test func `a multiset differs when an item is missing, doubled or another, even one that hashes to nothing`() {
    for index in items.indices {
      #expect(hash(Array(items[..<index] + items[(index + 1)...])) != hash(items))
      #expect(hash(items + [items[index]]) != hash(items))
      var other = items
      other[index].high ^= 1
      #expect(hash(other).hex != hash(items).hex)
    }
  }

  @Test(arguments: 0...6)
  func `two multisets taken together are one`(cut: Int) {
    var left = hash(Array(items[..<cut]))
    left.merge(hash(Array(items[cut...])))
    #expect(left == hash(items))
  }

  @Test func `comes back from its digits, and from nothing else`() {
    let whole = hash(items)
    #expect(MultisetHash(count: whole.count, hex: whole.hex) == whole)
    for digits in ["", "0", String(whole.hex.dropLast()), whole.hex + "0", String(repeating: "x", count: 32)] {
      #expect(MultisetHash(count: 1, hex: digits) == nil, "\(digits)")
    }
  }
}

private func hash(_ items: [(low: UInt64, high: UInt64)]) -> MultisetHash {
  items.reduce(into: MultisetHash()) { $0.insert(low: $1.low, high: $1.high) }
}

@Suite struct DigestDifferenceTests {
  @Test func `names that are one to Unicode are two to PostgreSQL`() {
    func digest(_ first: String, _ second: String) -> DatabaseDigest {
      let none = CountedDigest(MultisetHash())
      func table(_ name: String, _ digest: String) -> TableDigest {
        TableDigest(
          schema: "public", name: name, rows: 1, digest: String(repeating: digest, count: 32), columns: ["v"])
      }
      return DatabaseDigest(
        tables: [table("caf\u{E9}", first), table("cafe\u{301}", second)], sequences: none, largeObjects: none,
        schema: none)
    }
    #expect(digest("1", "2").tables.count == 2)
    #expect(digest("1", "2").differences(from: digest("1", "2")).isEmpty)
    #expect(digest("1", "2").differences(from: digest("2", "1")).count == 2)
  }

  private static let one = CountedDigest(count: 1, digest: "a")

  private func digest(
    _ tables: [TableDigest], sequences: CountedDigest = one, largeObjects: CountedDigest = one,
    schema: CountedDigest = one
  ) -> DatabaseDigest {
    DatabaseDigest(tables: tables, sequences: sequences, largeObjects: largeObjects, schema: schema)
  }

  private func table(_ name: String, rows: UInt64 = 3, _ digest: String = "a") -> TableDigest {
    TableDigest(schema: "s", name: name, rows: rows, digest: digest, columns: [])
  }

  private func sentences(_ expected: DatabaseDigest, _ found: DatabaseDigest) -> [String] {
    expected.differences(from: found).map(\.sentence)
  }

  @Test func `equal digests have no difference, whatever the order of their tables`() {
    let tables = [table("b"), table("a"), table("c")]
    #expect(digest(tables).differences(from: digest(tables.reversed())) == [])
    #expect(digest(tables) == digest(tables.reversed()))
    #expect(digest(tables).rows == 9)
  }

  @Test func `names each table that differs, and how`() {
    let expected = digest([table("changed"), table("fewer"), table("missing"), table("same")])
    let found = digest([table("changed", "b"), table("fewer", rows: 2, "b"), table("same"), table("new")])
    #expect(
      sentences(expected, found) == [
        "s.changed: has other content in its 3 rows", "s.fewer: has 2 rows instead of 3",
        "s.missing: is missing (3 rows expected)", "s.new: is there but was not expected",
      ])
  }

  @Test func `names sequences, large objects and schema when they differ`() {
    let expected = digest([])
    let found = digest(
      [], sequences: CountedDigest(count: 1, digest: "b"), largeObjects: CountedDigest(count: 2, digest: "a"),
      schema: CountedDigest(count: 0, digest: "a"))
    #expect(
      sentences(expected, found) == [
        "sequences differ in content (1 of them)", "large objects: 2 instead of 1", "schema: 0 instead of 1",
      ])
  }

  @Test func `tells two tables apart whose names read the same with their schemas`() {
    let left = digest([
      TableDigest(schema: "a.b", name: "c", rows: 1, digest: "1", columns: []),
      TableDigest(schema: "a", name: "b.c", rows: 2, digest: "2", columns: []),
    ])
    let right = digest([
      TableDigest(schema: "a.b", name: "c", rows: 1, digest: "1", columns: []),
      TableDigest(schema: "a", name: "b.c", rows: 2, digest: "3", columns: []),
    ])
    #expect(left.differences(from: left) == [])
    #expect(left.differences(from: right).count == 1)
    #expect(left.differences(from: digest(Array(left.tables.dropFirst()))).count == 1)
  }

  @Test func `rows of one table that were written in several parts are one table's`() {
    let parts = [hash([(1, 2)]), hash([(3, 4), (5, 6)])].map { table("root", rows: $0.count, $0.hex) }
    let whole = hash([(3, 4), (1, 2), (5, 6)])
    #expect(digest(parts) == digest([table("root", rows: 3, whole.hex)]))
    #expect(digest(parts) != digest([parts[1]]))
    #expect(digest(parts + [parts[0]]) != digest(parts))
  }

  @Test(arguments: [
    (Problem(problem: "p"), "p"), (Problem(file: "f", problem: "p"), "f: p"),
    (Problem(table: "t", problem: "p"), "t: p"),
    (Problem(file: "f", table: "t", problem: "p"), "f (t): p"),
  ])
  func `a problem is a sentence about its file and table`(problem: Problem, sentence: String) {
    #expect(problem.sentence == sentence)
  }
}
