/// SplitMix64: the same sequence on every run, so that a failure can be repeated.
struct Dice: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func roll(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

  mutating func pick<Element>(_ choices: [Element]) -> Element { choices[roll(0...(choices.count - 1))] }

  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) } }

  /// Cuts a text into pieces, some of them empty.
  mutating func pieces(of text: [UInt8], longest: Int) -> [ArraySlice<UInt8>] {
    var pieces: [ArraySlice<UInt8>] = []
    var start = 0
    while start < text.count {
      let end = min(text.count, start + roll(0...longest))
      pieces.append(text[start..<end])
      start = end
    }
    return pieces
  }
}

/// A text cut in two at every place where that can be done, and into single bytes.
func everySplit(of text: [UInt8]) -> [[ArraySlice<UInt8>]] {
  (0...text.count).map { [text[..<$0], text[$0...]] } + [text.indices.map { text[$0...$0] }]
}
