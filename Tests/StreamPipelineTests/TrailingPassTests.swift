import BackupModel
import Diagnostics
import Foundation
import StreamPipeline
import Testing

@Suite struct TrailingPassTests {
  @Test(arguments: [Compression.none, .zstd(level: 2)])
  func `follows files that are being written, and takes them up before they are closed`(compression: Compression) throws
  {
    let folder = try ScratchFolder()
    let seen = Counter()
    let pass = TrailingPass(
      folder: folder.path, compression: compression, threads: 2, cancellation: Cancellation(),
      progress: { seen.add(Int($0)) })
    var dice = Dice(11)
    let texts = Dictionary(uniqueKeysWithValues: (1...3).map { ("\($0).dat", tableRows(&dice)) })
    var written = 0
    for (name, text) in texts {
      let file = try FileDescriptor.creating("\(folder.path)/\(name)")
      for piece in dice.pieces(of: text, longest: 400) {
        try file.write(Array(piece))
        written += piece.count
        #expect(eventually { seen.value == written }, "what stands in an open file is read")
      }
    }
    try folder.write([1, 2, 3], to: "toc.dat")
    let results = try pass.finish()
    #expect(results.count == 3)
    for (name, text) in texts {
      let naive = NaiveRows(text[...])
      #expect(results[name]?.content == .rows(count: UInt64(naive.rows.count), digest: naive.digest))
      #expect(results[name]?.stored.rawBytes == UInt64(text.count))
    }
    let suffix = compression == .none ? "" : ".zst"
    #expect(folder.names == ["1.dat\(suffix)", "2.dat\(suffix)", "3.dat\(suffix)", "toc.dat"])
  }

  @Test func `takes up at the end what the watch has missed`() throws {
    let folder = try ScratchFolder()
    try folder.write(Array("1\n\\.\n".utf8), to: "1.dat")  // before the watch began
    let pass = TrailingPass(
      folder: folder.path, compression: .auto, threads: 1, cancellation: Cancellation(), progress: { _ in })
    try FileManager.default.createDirectory(atPath: "\(folder.path)/aside", withIntermediateDirectories: false)
    try folder.write([7], to: "aside/blob_2.dat")
    #expect(rename("\(folder.path)/aside/blob_2.dat", "\(folder.path)/blob_2.dat") == 0)  // no creation, no close
    rmdir("\(folder.path)/aside")
    let results = try pass.finish()
    #expect(results.keys.sorted() == ["1.dat", "blob_2.dat"])
    #expect(folder.names == ["1.dat.zst", "blob_2.dat.zst"])
  }

  @Test func `stores a thousand small files on several threads`() throws {
    let folder = try ScratchFolder()
    let pass = TrailingPass(
      folder: folder.path, compression: .auto, threads: 4, cancellation: Cancellation(), progress: { _ in })
    for number in 0..<1000 { try folder.write(Array("\(number)".utf8), to: "blob_\(number).dat") }
    let results = try pass.finish()
    #expect(results.count == 1000)
    #expect(Set(results.values.map { "\(String(describing: $0.content))" }).count == 1000)
    #expect(folder.names.count == 1000)
  }

  @Test(arguments: [Compression.none, .auto, .gzip])
  func `stores large objects of the same bytes once, and others not`(compression: Compression) throws {
    let folder = try ScratchFolder()
    let pass = TrailingPass(
      folder: folder.path, compression: compression, threads: 2, cancellation: Cancellation(), progress: { _ in })
    var dice = Dice(5)
    let picture = (0..<9000).map { _ in UInt8.random(in: 0...255, using: &dice) }
    var other = picture
    other[8999] ^= 1
    for number in 1...4 { try folder.write(picture, to: "blob_\(number).dat") }
    try folder.write(other, to: "blob_5.dat")
    for number in 6...7 { try folder.write([UInt8](repeating: 7, count: 30), to: "blob_\(number).dat") }
    let results = try pass.finish()
    #expect(results.count == 7)
    #expect(folder.names == (1...7).map { "blob_\($0).dat\(compression.ending)" })
    let inodes = try folder.names.map {
      try #require(
        try FileManager.default.attributesOfItem(atPath: "\(folder.path)/\($0)")[.systemFileNumber] as? UInt64)
    }
    #expect(Set(inodes[..<4]).count == 1)
    #expect(Set(inodes[3...]).count == 4)
    for (raw, result) in results {
      let path = "\(folder.path)/\(result.stored.path)"
      #expect(try hashFile(path).sha256 == result.stored.sha256)
      #expect(try DataFilePass.digest(result.stored, of: folder.path, rawName: raw) == result.content)
    }
  }

  @Test func `where nothing can be linked every file stays`() throws {
    let folder = try ScratchFolder()
    let picture = [UInt8](repeating: 9, count: 5000)
    for number in 1...3 {
      try folder.write(picture, to: "blob_\(number).dat")
      try folder.write([], to: "blob_\(number).dat.link")  // in the way of the link
    }
    let pass = TrailingPass(
      folder: folder.path, compression: .none, threads: 1, cancellation: Cancellation(), progress: { _ in })
    #expect(try pass.finish().count == 3)
    for number in 1...3 {
      #expect(try Data(contentsOf: URL(filePath: "\(folder.path)/blob_\(number).dat")) == Data(picture))
    }
  }

  @Test func `fails when a file cannot be stored, and says so while the dump still runs`() throws {
    let folder = try ScratchFolder()
    let pass = TrailingPass(
      folder: folder.path, compression: .auto, threads: 2, cancellation: Cancellation(), progress: { _ in })
    #expect(!pass.failed)
    try folder.write([], to: "1.dat.zst")  // in the way of the stored file
    try folder.write(Array("1\n\\.\n".utf8), to: "1.dat")
    #expect(eventually { pass.failed })
    #expect(throws: Failure.self) { try pass.check() }
    let failure = try #require(throws: Failure.self) { try pass.finish() }
    #expect(failure.exit == .cannotWrite)
    #expect(folder.names.contains("1.dat"))
  }

  @Test func `fails when the dump ended well and left rows without their end line`() throws {
    let folder = try ScratchFolder()
    let pass = TrailingPass(
      folder: folder.path, compression: .auto, threads: 2, cancellation: Cancellation(), progress: { _ in })
    try folder.write(Array("1\n".utf8), to: "1.dat")
    let failure = try #require(throws: Failure.self) { try pass.finish() }
    #expect(failure.code == "dump_cut_short")
    #expect(failure.what.contains("1.dat"))
  }

  @Test func `ends at once when it is given up, though a file is still open`() throws {
    let folder = try ScratchFolder()
    let seen = Counter()
    let pass = TrailingPass(
      folder: folder.path, compression: .auto, threads: 2, cancellation: Cancellation(), progress: { seen.add(Int($0)) }
    )
    let file = try FileDescriptor.creating("\(folder.path)/1.dat")
    try file.write(Array("1\n".utf8))
    #expect(eventually { seen.value == 2 })
    pass.abandon()
    #expect(folder.names.contains("1.dat"), "a raw file that was not stored whole stays")
  }

  @Test func `a stop ends it, though a file is still open`() throws {
    let folder = try ScratchFolder()
    let cancellation = Cancellation()
    let seen = Counter()
    let pass = TrailingPass(
      folder: folder.path, compression: .auto, threads: 1, cancellation: cancellation, progress: { seen.add(Int($0)) })
    let file = try FileDescriptor.creating("\(folder.path)/1.dat")
    try file.write(Array("1\n".utf8))
    #expect(eventually { seen.value == 2 })
    cancellation.cancel(signal: SIGINT)
    #expect(eventually { pass.failed })
    let failure = try #require(throws: Failure.self) { try pass.finish() }
    #expect(failure == .stopped(by: SIGINT))
  }

  private func tableRows(_ dice: inout Dice) -> [UInt8] {
    (0..<60).map { _ in dice.row() + [0x0A] }.flatMap { $0 } + Array("\\.\n".utf8)
  }
}
