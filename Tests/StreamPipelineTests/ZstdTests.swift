import Diagnostics
import StreamPipeline
import Testing

@Suite struct ZstdTests {
  @Test(arguments: [1, 2, 19], [0, 1, 1000, 700_000])
  func `gives back what it was given, however that is split`(level: Int, size: Int) throws {
    var dice = Dice(UInt64(size))
    let raw = Array(repeatElement(dice.bytes(97), count: size / 97 + 1).joined().prefix(size)) + dice.bytes(size % 5)
    let frame = try compressed(dice.pieces(of: raw, longest: 50_000), level: level)
    #expect(try expanded(dice.pieces(of: frame, longest: 3_000)) == raw)
    if size > 1000 { #expect(frame.count < size / 10) }
  }

  @Test func `begins anew after a frame that was given up`() throws {
    let compressor = try ZstdCompressor(level: 2)
    try Array("given up".utf8).withUnsafeBytes { try compressor.compress($0, last: false) { _ in } }
    compressor.reset()
    #expect(try expanded([compressed([Array("kept".utf8)[...]], by: compressor)[...]]) == Array("kept".utf8))
  }

  @Test func `says that a frame has not ended wherever it is cut`() throws {
    var dice = Dice(7)
    let frame = try compressed([dice.bytes(300)[...]], level: 2)
    for cut in 0..<frame.count {
      let decompressor = try ZstdDecompressor()
      try frame[..<cut].withUnsafeBytes { try decompressor.decompress($0) { _ in } }
      #expect(!decompressor.frameEnded, "cut at \(cut)")
    }
  }

  @Test func `never gives other bytes for a frame with a flipped bit`() throws {
    let raw = Array("COPY a.b FROM stdin; and the same again: COPY a.b FROM stdin;".utf8)
    let frame = try compressed([raw[...]], level: 2)
    var refused = 0
    for bit in 0..<(frame.count * 8) {
      var flipped = frame
      flipped[bit / 8] ^= 1 << UInt8(bit % 8)
      guard let found = try? expanded([flipped[...]]) else {
        refused += 1
        continue
      }
      // A few bits of a frame's header say nothing about its content.
      #expect(found == raw, "bit \(bit)")
    }
    #expect(refused > frame.count * 8 - 16)
  }

  @Test func `refuses what is no frame, and garbage behind one`() throws {
    let frame = try compressed([Array("x".utf8)[...]], level: 1)
    for bytes in [Array("no frame at all".utf8), frame + [0], frame + Array("garbage".utf8)] {
      let failure = try #require(throws: Failure.self) { try expanded([bytes[...]]) }
      #expect(failure.code == "damaged_stream")
      #expect(failure.exit == .dataDamaged)
    }
  }

  @Test func `hands on the failure of whoever takes its output`() throws {
    let full = Failure("no_space", exit: .cannotWrite, what: "writing", why: "full", nextStep: "make room")
    var dice = Dice(3)
    let raw = dice.bytes(1 << 20)
    let compressor = try ZstdCompressor(level: 1)
    let failure = try #require(throws: Failure.self) {
      try raw.withUnsafeBytes { try compressor.compress($0, last: true) { (_) throws(Failure) in throw full } }
    }
    #expect(failure == full)
  }

  // MARK: Helpers

  private func compressed(_ pieces: [ArraySlice<UInt8>], level: Int) throws -> [UInt8] {
    try compressed(pieces, by: ZstdCompressor(level: level))
  }

  private func compressed(_ pieces: [ArraySlice<UInt8>], by compressor: ZstdCompressor) throws -> [UInt8] {
    var frame: [UInt8] = []
    for piece in pieces { try piece.withUnsafeBytes { try compressor.compress($0, last: false) { frame += $0 } } }
    try compressor.compress(UnsafeRawBufferPointer(start: nil, count: 0), last: true) { frame += $0 }
    return frame
  }

  /// - Throws: `damaged_stream`, also when the last frame has not ended.
  private func expanded(_ pieces: [ArraySlice<UInt8>]) throws -> [UInt8] {
    let decompressor = try ZstdDecompressor()
    var raw: [UInt8] = []
    for piece in pieces { try piece.withUnsafeBytes { try decompressor.decompress($0) { raw += $0 } } }
    guard decompressor.frameEnded else {
      throw Failure("damaged_stream", exit: .dataDamaged, what: "", why: "cut", nextStep: "")
    }
    return raw
  }
}
