import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import TestSupport
import Testing

/// Whatever happens to the bytes of a backup, reading it or checking its sums tells.
@Suite struct DamageTests {
  @Test(arguments: [
    "manifest.json", "SHA256SUMS", "hold.json", "verifications.jsonl", "globals.sql", "database.sql", "RESTORE.md",
    "data/toc.dat", "data/1.dat",
  ])
  func `a flipped byte is found at every position`(file: String) throws {
    try SampleRepository.with { sample, backup in
      let path = "\(backup.path)/\(file)"
      let good = try Data(contentsOf: URL(fileURLWithPath: path))
      #expect(!good.isEmpty)
      var missed: [Int] = []
      for position in good.indices {
        var bad = good
        bad[position] ^= UInt8.random(in: 1...255)
        try bad.write(to: URL(fileURLWithPath: path))
        if try problems(sample).isEmpty { missed.append(position) }
      }
      #expect(missed.isEmpty, "of \(good.count) positions")
      try good.write(to: URL(fileURLWithPath: path))
      #expect(try problems(sample).isEmpty)
    }
  }

  /// What can be done to a file, and what the check says of it.
  enum Harm: String, CaseIterable { case cut, emptied, grown, removed, linked, madeFolder }

  @Test(arguments: [
    ("data/1.dat", Harm.cut), ("data/1.dat", .emptied), ("data/1.dat", .grown), ("data/1.dat", .removed),
    ("data/1.dat", .linked), ("data/1.dat", .madeFolder), ("data/toc.dat", .cut), ("data/toc.dat", .removed),
    ("globals.sql", .removed), ("globals.sql", .linked), ("RESTORE.md", .emptied), ("manifest.json", .cut),
    ("manifest.json", .emptied), ("manifest.json", .grown), ("manifest.json", .removed), ("manifest.json", .linked),
    ("SHA256SUMS", .cut), ("SHA256SUMS", .emptied), ("SHA256SUMS", .grown), ("SHA256SUMS", .removed),
    ("hold.json", .cut), ("hold.json", .emptied), ("hold.json", .grown), ("hold.json", .linked),
    ("verifications.jsonl", .linked), ("verifications.jsonl", .madeFolder), ("data", .removed), ("data", .linked),
  ])
  func `a harmed file is found`(file: String, harm: Harm) throws {
    try SampleRepository.with { sample, backup in
      try self.harm("\(backup.path)/\(file)", harm)
      #expect(try !problems(sample).isEmpty)
    }
  }

  @Test func `two files that were exchanged are found, both of them`() throws {
    try SampleRepository.with { sample, backup in
      let manager = FileManager.default
      for (from, to) in [("1.dat", "x"), ("2.dat", "1.dat"), ("x", "2.dat")] {
        try manager.moveItem(atPath: "\(backup.path)/data/\(from)", toPath: "\(backup.path)/data/\(to)")
      }
      #expect(try problems(sample).map(\.file) == ["data/1.dat", "data/2.dat"])
    }
  }

  @Test(arguments: ["data/3.dat", "data/3.dat.zst", "data/3.dat.gz", "data/blobs.toc", "data/1.dat.lz4"])
  func `a file that does not belong to the backup and would be restored is damage`(name: String) throws {
    try SampleRepository.with { sample, backup in
      try Data().write(to: URL(fileURLWithPath: "\(backup.path)/\(name)"))
      #expect(try problems(sample).map(\.file) == [name])
      #expect(try ChecksumCheck(backup).strays().isEmpty)
    }
  }

  @Test(arguments: ["data/.hidden", "NOTES.txt", ".partial-verifications", ".DS_Store", "data/.nfs0001"])
  func `a file that no restore reads is no damage`(name: String) throws {
    try SampleRepository.with { sample, backup in
      try Data().write(to: URL(fileURLWithPath: "\(backup.path)/\(name)"))
      #expect(try problems(sample).isEmpty)
      #expect(try ChecksumCheck(backup).strays() == [name])
    }
  }

  @Test func `a file that cannot be written beside the backup is a problem of the record, not of the backup`() throws {
    try SampleRepository.with { sample, backup in
      var copy = backup
      try FileManager.default.removeItem(atPath: "\(backup.path)/verifications.jsonl")
      try FileManager.default.createDirectory(
        atPath: "\(backup.path)/verifications.jsonl", withIntermediateDirectories: false)
      let failure = #expect(throws: Failure.self) {
        try copy.record(SampleRepository.verification(.checksum, ok: true))
      }
      #expect(failure?.exit == .cannotWrite)
      #expect(copy == backup)
    }
  }

  private func harm(_ path: String, _ harm: Harm) throws {
    let url = URL(fileURLWithPath: path)
    let content = (try? Data(contentsOf: url)) ?? Data()
    switch harm {
    case .cut: try content.dropLast().write(to: url)
    case .emptied: try Data().write(to: url)
    case .grown: try (content + Data("\n".utf8)).write(to: url)
    case .removed: try FileManager.default.removeItem(at: url)
    case .linked:
      // The same content by another way: what it leads to can change behind everybody's back.
      try FileManager.default.moveItem(atPath: path, toPath: "\(path) elsewhere")
      let away = "\(path) elsewhere".replacing("/app/", with: "/")
      try FileManager.default.createDirectory(
        atPath: parent(of: away), withIntermediateDirectories: true)
      try FileManager.default.moveItem(atPath: "\(path) elsewhere", toPath: away)
      try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: away)
    case .madeFolder:
      try FileManager.default.removeItem(at: url)
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
    }
  }
}

/// What reading and checking the only backup of a sample finds.
func problems(_ sample: SampleRepository) throws -> [Problem] {
  let listing = try sample.listing
  let broken = listing.broken.map { Problem(problem: $0.failure.why) }
  guard let backup = listing.backups.first else {
    #expect(!broken.isEmpty, "the backup has vanished")
    return broken
  }
  return broken + (try ChecksumCheck(backup).problems(threads: 1, cancellation: Cancellation()) { _ in })
}
