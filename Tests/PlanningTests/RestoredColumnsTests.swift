import Planning
import Testing

@Suite struct RestoredColumnsTests {
  private func columns(_ text: String) -> [[UInt8]] { text.split(separator: " ").map { Array($0.utf8) } }

  @Test(
    arguments: [
      // The parent's come first already; a column added to it later comes last; two parents, one of them with a column of the other's.
      ("id", "", "id doors", "id doors"), ("id wheels", "", "id doors wheels", "id wheels doors"),
      ("a b", "c b", "c a b x", "a b c x"), ("a b", "", "b a", "a b"), ("", "", "x y", "x y"),
    ])
  func `a child has the columns of its parents first`(first: String, second: String, child: String, restored: String) {
    var order = RestoredColumns(
      parents: [3: [1, 2]], columns: [1: columns(first), 2: columns(second), 3: columns(child)])
    #expect(order.order(of: 3) == columns(restored))
    #expect(order.changed() == (child == restored ? [] : [3]))
  }

  @Test func `what changes a child changes its children`() {
    var order = RestoredColumns(
      parents: [2: [1], 3: [2]], columns: [1: columns("id w"), 2: columns("id d w"), 3: columns("id d w")])
    #expect(order.changed() == [2, 3])
    #expect(order.order(of: 3) == columns("id w d"))
  }

  @Test func `a circle in damaged catalogs ends`() {
    var order = RestoredColumns(parents: [1: [2], 2: [1]], columns: [1: columns("a"), 2: columns("b")])
    _ = order.changed()
  }
}
