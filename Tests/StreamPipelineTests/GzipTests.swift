import BackupModel
import Diagnostics
import Foundation
import StreamPipeline
import Testing

/// gzip on one thread and on several: both are what every reader of gzip knows.
@Suite struct GzipTests {
  @Test(arguments: [1, 2, 3], [0, 1, 262_144, 262_145, 1_500_000])
  func `gives back what it was given, as one member that gzip reads`(threads: Int, size: Int) throws {
    var dice = Dice(UInt64(size))
    let raw = Array(
      repeatElement(dice.bytes(97), count: size / 97 + 1).joined().prefix(size - min(size, 40_000))
        + dice.bytes(min(size, 40_000)))
    let stream = try compressed(dice.pieces(of: raw, longest: 300_000), threads: threads)
    #expect(try expanded(dice.pieces(of: stream, longest: 3_000)) == raw)
    #expect(try expanded([stream[...]]) == raw)
    #expect(try gunzipped(stream) == raw)
    // With a second member the first would end before the last byte.
    let decompressor = try GzipDecompressor()
    var ends: [Int] = []
    for (index, byte) in stream.enumerated() {
      try withUnsafeBytes(of: byte) { try decompressor.decompress($0) { _ in } }
      if decompressor.frameEnded { ends.append(index) }
    }
    #expect(ends == [stream.count - 1])
  }

  @Test func `on several threads it is as small as on one`() throws {
    let raw = Array((0..<60_000).map { "\($0)\tcustomer \($0 % 977)\tactive\n" }.joined().utf8)
    let (one, several) = (try compressed([raw[...]], threads: 1), try compressed([raw[...]], threads: 4))
    #expect(several.count < one.count + one.count / 50)
  }

  @Test(arguments: [1, 2]) func `says that a stream has not ended wherever it is cut`(threads: Int) throws {
    var dice = Dice(7)
    let stream = try compressed([dice.bytes(300)[...]], threads: threads)
    for cut in 0..<stream.count {
      let decompressor = try GzipDecompressor()
      try stream[..<cut].withUnsafeBytes { try decompressor.decompress($0) { _ in } }
      #expect(!decompressor.frameEnded, "cut at \(cut)")
    }
  }

  @Test(arguments: [1, 2]) func `never gives other bytes for a stream with a flipped bit`(threads: Int) throws {
    let raw = Array("COPY a.b FROM stdin; and the same again: COPY a.b FROM stdin;".utf8)
    let stream = try compressed([raw[...]], threads: threads)
    var refused = 0
    for bit in 0..<(stream.count * 8) {
      var flipped = stream
      flipped[bit / 8] ^= 1 << UInt8(bit % 8)
      guard let found = try? expanded([flipped[...]]) else {
        refused += 1
        continue
      }
      // Time, system and some flags of the header say nothing about the content.
      #expect(found == raw, "bit \(bit)")
    }
    #expect(refused > (stream.count - 10) * 8 - 16)
  }

  @Test func `reads several members, and refuses garbage behind one`() throws {
    let member = try compressed([Array("x".utf8)[...]], threads: 1)
    #expect(try expanded([(member + member)[...]]) == Array("xx".utf8))
    for bytes in [Array("no gzip at all".utf8), member + Array("garbage".utf8)] {
      #expect(try #require(throws: Failure.self) { try expanded([bytes[...]]) }.code == "damaged_stream")
    }
  }

  @Test func `begins anew after a stream that was given up`() throws {
    for threads in [1, 2] {
      let compressor = try #require(try Compression.gzip.compressor(threads: threads))
      try [UInt8](repeating: 7, count: 700_000).withUnsafeBytes { try compressor.compress($0, last: false) { _ in } }
      compressor.reset()
      #expect(try expanded([compressed([Array("kept".utf8)[...]], by: compressor)[...]]) == Array("kept".utf8))
    }
  }

  // MARK: Helpers

  /// By the program that everybody has.
  private func gunzipped(_ stream: [UInt8]) throws -> [UInt8] {
    let folder = try ScratchFolder()
    let (file, out) = ("\(folder.path)/a.gz", "\(folder.path)/a")
    try Data(stream).write(to: URL(fileURLWithPath: file))
    let gzip = try Process.run(URL(fileURLWithPath: "/usr/bin/env"), arguments: ["gzip", "-d", file])
    gzip.waitUntilExit()
    #expect(gzip.terminationStatus == 0)
    return Array(FileManager.default.contents(atPath: out) ?? Data())
  }

  private func compressed(_ pieces: [ArraySlice<UInt8>], threads: Int) throws -> [UInt8] {
    try compressed(pieces, by: try #require(try Compression.gzip.compressor(threads: threads)))
  }

  private func compressed(_ pieces: [ArraySlice<UInt8>], by compressor: any StreamCompressor) throws -> [UInt8] {
    var stream: [UInt8] = []
    for piece in pieces { try piece.withUnsafeBytes { try compressor.compress($0, last: false) { stream += $0 } } }
    try compressor.compress(UnsafeRawBufferPointer(start: nil, count: 0), last: true) { stream += $0 }
    return stream
  }

  /// - Throws: `damaged_stream`, also when the last member has not ended.
  private func expanded(_ pieces: [ArraySlice<UInt8>]) throws -> [UInt8] {
    let decompressor = try GzipDecompressor()
    var raw: [UInt8] = []
    for piece in pieces { try piece.withUnsafeBytes { try decompressor.decompress($0) { raw += $0 } } }
    guard decompressor.frameEnded else {
      throw Failure("damaged_stream", exit: .dataDamaged, what: "", why: "cut", nextStep: "")
    }
    return raw
  }
}
