import Foundation
import Migrations
import PostgresTools
import TestSupport
import Testing

@Suite struct MigrationOrderTests {
  private static let printable =
    #" _-,;:!?.'"()[]{}@*/\&#%`^+<=>|~$0123456789aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpPqQrRsStTuUvVwWxXyYzZ"#

  @Test func `single characters have the order of JavaScript's localeCompare`() {
    let order = Self.printable.map(String.init)
    #expect(order.count == 95)
    #expect(order.shuffled().sorted(by: MigrationOrder.precedes) == order)
  }

  @Test(arguments: [
    ["20240101_a", "20240101000000_a"],
    ["20240101000000_add_x", "20240101000000_add1"],
    ["b_1", "b-1"],
    ["10", "9"],
    ["a", "A", "aa", "Aa", "AA", "b"],
    ["", "_", "__"],
    ["x_add_X", "x_Add_x", "x_ADD_x", "x_add-x", "x_addx"],
    ["20240101000000_a", "20240101000001_a", "20240102000000_A"],
    ["é", "日"],
  ])
  func `names have the order of JavaScript's localeCompare`(_ order: [String]) {
    for _ in 0..<5 { #expect(order.shuffled().sorted(by: MigrationOrder.precedes) == order) }
    for name in order { #expect(!MigrationOrder.precedes(name, name)) }
  }

  @Test func `random names have the order of ICU, as the server knows it`() throws {
    var random = Generator(state: 5)
    let alphabet = Array("_-.aAbB01 ~$")
    let whole = Array(Self.printable)
    let names = Set(
      (0..<3000).map { number in
        String(
          (0..<Int.random(in: 0...8, using: &random)).compactMap { _ in
            (number.isMultiple(of: 2) ? alphabet : whole).randomElement(using: &random)
          })
      })
    let json = String(decoding: try JSONEncoder().encode(Array(names)), as: UTF8.self)
    try Workbench.with { bench in
      let sorted = try bench.session().query(
        #"SELECT n FROM json_array_elements_text($1::json) AS n ORDER BY n COLLATE "en-US-x-icu""#, [json]
      ).compactMap { $0.first ?? nil }
      #expect(sorted.count == names.count)
      let ours = names.sorted(by: MigrationOrder.precedes)
      let first = zip(ours, sorted).first { $0 != $1 }
      #expect(first == nil)
    }
  }
}

/// SplitMix64: the same numbers in every run.
struct Generator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
