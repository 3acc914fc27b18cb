import Testing
import Workflows

/// Tables are analyzed in portions: each once, and none that keeps the others waiting.
@Suite struct StatisticsUpdateTests {
  @Test func `a large table is a portion of its own, and small ones share one`() {
    let tables = [("large", 800), ("middle", 160), ("a", 20), ("b", 20), ("c", 0)]
    #expect(StatisticsUpdate.portions(tables) == [["large"], ["middle"], ["a", "b", "c"]])
  }

  @Test func `no table is left out or taken twice, and there are few portions`() {
    for count in [0, 1, 2, 17, 10_000] {
      let tables = (0..<count).map { (name: "t\($0)", bytes: (count - $0) * 8192) }
      let portions = StatisticsUpdate.portions(tables)
      #expect(portions.flatMap { $0 } == tables.map(\.name))
      #expect(portions.count <= 40)
    }
    #expect(StatisticsUpdate.portions([("a", 0), ("b", 0)]) == [["a", "b"]])
  }
}
