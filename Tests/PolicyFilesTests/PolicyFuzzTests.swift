import Diagnostics
import PolicyFiles
import Testing

/// Whatever the bytes are, reading them ends in a policy or in a failure that names the file, and shows no secret.
@Suite struct PolicyFuzzTests {
  @Test(arguments: ShippedPolicy.allCases, 1...4 as ClosedRange<UInt64>)
  func `mutated policies never crash the reader`(shipped: ShippedPolicy, seed: UInt64) throws {
    var random = SplitMix64(state: seed)
    let text = try shipped.text()
    let variants = [text, text.replacing("\n#", with: "\n"), text.replacing("${DATABASE_URL}", with: secretURL)]
    let texts = variants.map { Array($0.utf8) }
    var outcomes = (parsed: 0, refused: 0)
    for round in 0..<150 {
      var bytes = texts[round % texts.count]
      for _ in 0...Int.random(in: 0...4, using: &random) { mutate(&bytes, using: &random) }
      if try check(bytes) { outcomes.parsed += 1 } else { outcomes.refused += 1 }
    }
    #expect(outcomes.parsed > 0)
    #expect(outcomes.refused > 0)
  }

  private func check(_ bytes: [UInt8]) throws -> Bool {
    do {
      let read = try PolicyReader(environment: onlyURL).read(bytes: bytes, file: "policies/fuzz.yaml", name: "fuzz")
      #expect(read.repository.hasPrefix("/"))
      return true
    } catch {
      #expect(error.exit == .configuration)
      #expect(!error.details.isEmpty)
      #expect(error.details.allSatisfy { $0.hasPrefix("policies/fuzz.yaml:") })
      #expect(!error.lines.joined().contains("hunter2"), "\(error.lines)")
      return false
    }
  }

  private static let pieces: [[UInt8]] = [
    [0], [0xFF], [0xC3], [0x7F], Array("\t".utf8), Array("\n".utf8), Array("${".utf8), Array("}".utf8),
    Array("${DATABASE_URL}".utf8), Array("&a ".utf8), Array("*a".utf8), Array("!!int ".utf8), Array("\n---\n".utf8),
    Array("[[[[[[[[[[[[[[[[[[[[[[".utf8), Array("{".utf8), Array(": ".utf8), Array("'".utf8), Array("\"".utf8),
    Array("|\n".utf8), Array("? ".utf8), Array("- ".utf8), Array("#".utf8), Array("\u{FEFF}".utf8),
    Array("99999999999999999999999".utf8), Array("\u{2028}".utf8), Array("%TAG ! x\n".utf8),
  ]

  private func mutate(_ bytes: inout [UInt8], using random: inout SplitMix64) {
    let at = Int.random(in: 0...bytes.count, using: &random)
    let end = min(bytes.count, at + Int.random(in: 1...30, using: &random))
    switch Int.random(in: 0..<4, using: &random) {
    case 0: bytes.removeSubrange(at..<end)
    case 1: bytes.insert(contentsOf: Self.pieces.randomElement(using: &random) ?? [], at: at)
    case 2: bytes.insert(contentsOf: bytes[at..<end], at: Int.random(in: 0...bytes.count, using: &random))
    default: bytes.replaceSubrange(at..<min(bytes.count, at + 1), with: [UInt8.random(in: 0...255, using: &random)])
    }
  }
}

/// The same numbers for the same seed on every machine.
private struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
