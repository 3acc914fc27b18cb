import BackupModel
import Diagnostics
import Foundation
import StreamPipeline
import TestSupport
import Testing

@Suite struct DataFilePassTests {
  private static let rows = Array("1\tone\n2\t\\\\.\n\\.\n\n\n".utf8)

  @Test(arguments: [Compression.none, .zstd(level: 2)])
  func `stores a data file with the hash, the sizes and the digest of what it read`(compression: Compression) throws {
    let folder = try ScratchFolder()
    try folder.write(Self.rows, to: "3412.dat")
    let result = try store("3412.dat", in: folder.path, compression)
    #expect(folder.names == [result.stored.path])
    let (bytes, sha) = try hashFile("\(folder.path)/\(result.stored.path)")
    #expect(result.stored.bytes == bytes)
    #expect(result.stored.sha256 == sha)
    #expect(result.stored.rawBytes == UInt64(Self.rows.count))
    #expect(result.content == .rows(count: 2, digest: NaiveRows(Self.rows[...]).digest))
    #expect(try DataFilePass.digest(result.stored, of: folder.path, rawName: "3412.dat") == result.content)
    #expect(try expanded("\(folder.path)/\(result.stored.path)") == Self.rows)
  }

  @Test func `one pass stores one file after the other, each in a frame of its own`() throws {
    let folder = try ScratchFolder()
    let pass = try DataFilePass(compression: .auto)
    for number in 1...3 {
      try folder.write(Array("\(number)\n\\.\n".utf8), to: "\(number).dat")
      let result = try pass.follow("\(number).dat", in: folder.path, waitForMore: { false }, progress: { _ in })
      #expect(result.content == .rows(count: 1, digest: naiveDigest([Array("\(number)".utf8)])))
    }
    #expect(folder.names == ["1.dat.zst", "2.dat.zst", "3.dat.zst"])
    #expect(try expanded("\(folder.path)/2.dat.zst") == Array("2\n\\.\n".utf8))
  }

  @Test func `digests a large object by its number and content`() throws {
    let folder = try ScratchFolder()
    var contents: [ContentDigest?] = []
    for (name, bytes) in [
      ("blob_5.dat", [1, 2]), ("blob_6.dat", [1, 2]), ("blob_7.dat", [1, 3]), ("blob_8.dat", []),
    ] {
      try folder.write(bytes.map { UInt8($0) }, to: name)
      contents.append(try store(name, in: folder.path, .auto).content)
    }
    let fingerprints = contents.map { if case .largeObject(_, let print) = $0 { print } else { "" } }
    #expect(fingerprints[0] == fingerprints[1])
    #expect(Set(fingerprints).count == 3)
    #expect(largeObjectDigest([5: fingerprints[0]]) != largeObjectDigest([6: fingerprints[0]]))
    #expect(largeObjectDigest([5: fingerprints[0]]).count == 1)
  }

  @Test func `reads a file larger than its buffers while giving back what was read`() throws {
    let folder = try ScratchFolder()
    var dice = Dice(5)
    let block = (0..<1000).map { _ in dice.row() + [0x0A] }.flatMap { $0 }
    let raw = Array(repeatElement(block, count: 20 << 20 / block.count + 1).joined()) + Array("\\.\n".utf8)
    try folder.write(raw, to: "1.dat")
    let seen = Counter()
    let pass = try DataFilePass(compression: .zstd(level: 1))
    let result = try pass.follow("1.dat", in: folder.path, waitForMore: { false }, progress: { seen.add($0) })
    #expect(seen.value == raw.count)
    #expect(result.content == .rows(count: UInt64(raw.count { $0 == 0x0A } - 1), digest: NaiveRows(raw[...]).digest))
  }

  @Test func `what was read takes no room any more`() throws {
    let folder = try ScratchFolder()
    guard try PeakDisk.canPunchHoles(in: folder.path) else { return }
    let raw = Array(repeatElement(Array("1\tone\n".utf8), count: 5 << 20).joined()) + Array("\\.\n".utf8)
    try folder.write(raw, to: "1.dat")
    let before = PeakDisk.allocated("\(folder.path)/1.dat")
    #expect(before >= UInt64(raw.count))
    var left = before
    let pass = try DataFilePass(compression: .auto)
    let result = try pass.follow(
      "1.dat", in: folder.path,
      waitForMore: {
        left = PeakDisk.allocated("\(folder.path)/1.dat")
        return false
      }, progress: { _ in })
    #expect(pass.canGiveBack)
    #expect(left < 5 << 20, "\(left) of \(before) bytes are left")
    #expect(result.givenBack > UInt64(raw.count) - (5 << 20))
    #expect(result.stored.rawBytes == UInt64(raw.count))
  }

  @Test(arguments: ["", "1\tone\n", "1\tone\n\\."])
  func `refuses rows without their end line`(text: String) throws {
    let folder = try ScratchFolder()
    try folder.write(Array(text.utf8), to: "1.dat")
    let failure = try #require(throws: Failure.self) { try store("1.dat", in: folder.path, .auto) }
    #expect(failure.code == "dump_cut_short")
  }

  @Test(arguments: [0, 1, 10, -1])
  func `refuses a stored file that was cut`(length: Int) throws {
    let folder = try ScratchFolder()
    try folder.write(Self.rows, to: "1.dat")
    let stored = try store("1.dat", in: folder.path, .auto).stored
    let bytes = try folder.bytes(of: "1.dat.zst")
    try folder.write(Array(length < 0 ? bytes.dropLast() : bytes.prefix(length)), to: "1.dat.zst")
    let failure = try #require(throws: Failure.self) {
      try DataFilePass.digest(stored, of: folder.path, rawName: "1.dat")
    }
    #expect(failure.code == "damaged_stream")
    #expect(failure.what.contains("1.dat.zst"))
  }

  @Test(arguments: [Compression.none, .auto]) func `refuses another file than the stored one`(compression: Compression)
    throws
  {
    let folder = try ScratchFolder()
    for name in ["1.dat", "2.dat"] { try folder.write(Self.rows.map { name == "1.dat" ? $0 : max($0, 10) }, to: name) }
    let stored = try store("1.dat", in: folder.path, compression).stored
    let other = try store("2.dat", in: folder.path, compression).stored
    try folder.write(try folder.bytes(of: other.path), to: stored.path)
    let failure = try #require(throws: Failure.self) { try DataFilePass.expand(stored, of: folder.path) { _ in } }
    #expect(failure.code == "file_changed")
    var larger = other
    larger.rawBytes = 3
    var seen = 0
    #expect(throws: Failure.self) { try DataFilePass.expand(larger, of: folder.path) { seen += $0.count } }
    #expect(seen <= 3, "nothing beyond what the manifest says is handed on")
  }

  @Test func `leaves the raw file when the stored one cannot be written`() throws {
    let folder = try ScratchFolder()
    try folder.write(Self.rows, to: "1.dat")
    try folder.write([], to: "1.dat.zst")
    let failure = try #require(throws: Failure.self) { try store("1.dat", in: folder.path, .auto) }
    #expect(failure.exit == .cannotWrite)
    #expect(folder.names == ["1.dat", "1.dat.zst"])
  }

  @Test(arguments: [
    ("3412.dat", DataFileKind.rows), ("blob_16393.dat", .largeObject(oid: 16393)), ("toc.dat", .contents),
    ("blobs.toc", .contents), ("blobs_3401.toc", .contents), ("blob_4294967295.dat", .largeObject(oid: 4_294_967_295)),
  ])
  func `knows a data file by its name`(name: String, kind: DataFileKind) {
    #expect(DataFileKind(name: name) == kind)
  }

  private func store(_ name: String, in folder: String, _ compression: Compression) throws -> DataFilePass.Result {
    try DataFilePass(compression: compression).follow(name, in: folder, waitForMore: { false }, progress: { _ in })
  }

  private func expanded(_ path: String) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try DataFilePass.expand(path) { bytes += $0 }
    return bytes
  }
}
