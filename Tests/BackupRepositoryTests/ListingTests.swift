import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite struct ListingTests {
  @Test func `backups come newest first, by what their manifests say and not by their names`() throws {
    let sample = try SampleRepository()
    for (name, minutes) in [("b", 2.0), ("c", 1.0), ("a", 3.0)] { try sample.add(name, minutesLater: minutes) }
    #expect(try sample.listing.backups.map(\.id) == ["a", "b", "c"])
    #expect(try sample.listing.broken.isEmpty)
  }

  @Test func `runs in progress, locks and deploys are no backups`() throws {
    try SampleRepository.with { sample, backup in
      let partial = try PartialBackup(sample.repository, policy: "app", id: "20261122T031500Z-000000")
      let lock = try PolicyLock(sample.repository, policy: "app", purpose: "backup", now: Date())
      try FileManager.default.createDirectory(atPath: "\(sample.shelf)/deploys", withIntermediateDirectories: false)
      #expect(try sample.listing.backups.map(\.id) == [backup.id])
      #expect(try sample.listing.broken.isEmpty)
      withExtendedLifetime((partial, lock)) {}
    }
  }

  @Test func `a folder with no manifest is shown as broken, and stays`() throws {
    try SampleRepository.with { sample, backup in
      try FileManager.default.removeItem(atPath: "\(backup.path)/manifest.json")
      #expect(try sample.listing.backups.isEmpty)
      #expect(try sample.listing.broken.map(\.failure.code) == ["not_a_backup"])
      #expect(try sample.repository.sweep(policy: "app").isEmpty)
      #expect(access("\(backup.path)/data/1.dat", F_OK) == 0)
    }
  }

  @Test func `a backup under another name or of another policy is foreign`() throws {
    try SampleRepository.with { sample, backup in
      let other = "\(sample.path)/other"
      try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: false)
      try FileManager.default.copyItem(atPath: backup.path, toPath: "\(other)/\(backup.id)")
      try FileManager.default.moveItem(atPath: backup.path, toPath: "\(sample.shelf)/renamed")
      for listing in try [sample.listing, sample.repository.listing(of: "other")] {
        #expect(listing.backups.isEmpty)
        #expect(listing.broken.map(\.failure.code) == ["not_a_backup"])
        #expect(listing.broken.first?.failure.why.contains("app/\(backup.id)") == true)
      }
    }
  }

  @Test func `a backup of a newer format asks for a newer Holdfast, whatever else has changed in it`() throws {
    try SampleRepository.with { sample, backup in
      try Data(#"{"version": 2, "files": "elsewhere"}"#.utf8)
        .write(to: URL(fileURLWithPath: "\(backup.path)/manifest.json"))
      let broken = try #require(try sample.listing.broken.first)
      #expect(broken.failure.code == "newer_backup")
      #expect(broken.failure.exit == .dataDamaged)
      #expect(broken.failure.nextStep == "use a newer Holdfast")
    }
  }

  @Test func `a symbolic link is never followed to a backup`() throws {
    try SampleRepository.with { sample, backup in
      try FileManager.default.moveItem(atPath: backup.path, toPath: "\(sample.path)/elsewhere")
      try FileManager.default.createSymbolicLink(atPath: backup.path, withDestinationPath: "../elsewhere")
      #expect(try sample.listing.backups.isEmpty)
      #expect(try sample.listing.broken.map(\.failure.why) == ["it is not a backup: it is a symbolic link"])
    }
  }

  @Test func `nor from a policy's folder that is one`() throws {
    try SampleRepository.with { sample, backup in
      try FileManager.default.moveItem(atPath: sample.shelf, toPath: "\(sample.path)/elsewhere")
      try FileManager.default.createSymbolicLink(atPath: sample.shelf, withDestinationPath: "elsewhere")
      let reading = #expect(throws: Failure.self) { try sample.listing }
      #expect(reading?.code == "symbolic_link")
      let failure = #expect(throws: Failure.self) {
        try PolicyLock(sample.repository, policy: "app", purpose: "backup", now: Date())
      }
      #expect(failure?.code == "symbolic_link")
    }
  }

  @Test func `a path that names nothing is no repository, and one of a newer format is left alone`() throws {
    try SampleRepository.with { sample, _ in
      #expect(throws: Failure.self) { try Repository.open("\(sample.path)/none") }
      for (text, code) in [
        (#"{"version":2,"id":"x"}"#, "newer_repository"), (#"{"id":"x"}"#, "foreign_repository"),
        ("", "foreign_repository"),
      ] {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(sample.path)/holdfast.json"))
        let failure = #expect(throws: Failure.self) { try Repository.openToWrite(sample.path) }
        #expect(failure?.code == code)
        #expect(try String(contentsOfFile: "\(sample.path)/holdfast.json", encoding: .utf8) == text)
      }
    }
  }
}
