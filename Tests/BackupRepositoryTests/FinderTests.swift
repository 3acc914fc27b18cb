import BackupModel
@testable import BackupRepository
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite struct FinderTests {
  @Test func `a unique beginning of an id is enough, and a whole id wins over longer ones`() throws {
    let sample = try SampleRepository()
    for id in ["20261122-a", "20261122-ab", "20261123-c"] { try sample.add(id) }
    let finder = BackupFinder(try sample.listing)
    #expect(try finder.find("20261123").id == "20261123-c")
    #expect(try finder.find("20261122-a").id == "20261122-a")
    let ambiguous = #expect(throws: Failure.self) { try finder.find("2026") }
    #expect(ambiguous?.code == "ambiguous_backup")
    #expect(ambiguous?.exit == .notFound)
    #expect(ambiguous?.details.count == 3)
  }

  @Test func `an id that nothing begins with is not found`() throws {
    try SampleRepository.with { sample, backup in
      for wanted in ["2027", "latest2", "/", "..", "app"] {
        let failure = #expect(throws: Failure.self) { try BackupFinder(sample.listing).find(wanted) }
        #expect(failure?.code == "no_such_backup")
        #expect(failure?.nextStep.contains(backup.id) == true)
      }
    }
  }

  @Test func `a broken one is named with what is wrong, and makes a beginning ambiguous`() throws {
    try SampleRepository.with { sample, backup in
      let broken = try sample.add("20261122T021500Z-5d00f1")
      try FileManager.default.removeItem(atPath: "\(broken.path)/SHA256SUMS")
      let finder = BackupFinder(try sample.listing)
      #expect(try finder.find("latest").id == backup.id)
      #expect(throws: Failure.self) { try finder.find("20261122") }
      let failure = #expect(throws: Failure.self) { try finder.find(broken.id) }
      #expect(failure?.code == "backup_damaged")
      #expect(failure?.exit == .dataDamaged)
    }
  }

  @Test func `latest passes over damaged backups`() throws {
    try SampleRepository.with { sample, backup in
      var newer = try sample.add("20261122T031500Z-77ab01", minutesLater: 60)
      #expect(try BackupFinder(sample.listing).find("latest").id == newer.id)
      try newer.record(SampleRepository.verification(.checksum, ok: false))
      #expect(try BackupFinder(sample.listing).find("latest").id == backup.id)
      // A check less thorough than the one that failed does not wash it clean; one as thorough does.
      try newer.record(SampleRepository.verification(.archive, ok: false))
      try newer.record(SampleRepository.verification(.checksum, ok: true))
      #expect(try BackupFinder(sample.listing).find("latest").id == backup.id)
      try newer.record(SampleRepository.verification(.archive, ok: true))
      #expect(try BackupFinder(sample.listing).find("latest").id == newer.id)
    }
  }

  @Test func `latest is one of the database that the policy names, or none`() throws {
    try SampleRepository.with { sample, backup in
      let other = try sample.add("20261122T031500Z-77ab01", database: "other", minutesLater: 60)
      func latest(of database: String?) throws -> String {
        try BackupFinder(sample.listing, databases: database.map { ["app": $0] } ?? [:]).find("latest").id
      }
      #expect(try latest(of: "app") == backup.id)
      #expect(try latest(of: "other") == other.id)
      #expect(try latest(of: nil) == other.id)
      let failure = #expect(throws: Failure.self) { try latest(of: "renamed") }
      #expect(failure?.code == "no_such_backup" && failure?.nextStep.contains(other.id) == true)
    }
  }

  @Test func `what latest passes over is told, and never a backup of another database`() throws {
    try SampleRepository.with { sample, backup in
      var other = try sample.add("20261122T031500Z-77ab01", database: "other", minutesLater: 60)
      func passedOver() throws -> String? { try BackupFinder(sample.listing).passedOver(by: backup) }
      try other.record(SampleRepository.verification(.checksum, ok: false))
      #expect(try passedOver() == nil)
      var newer = try sample.add("20261122T021500Z-77ab02", minutesLater: 1)
      try newer.record(SampleRepository.verification(.checksum, ok: false))
      #expect(try passedOver()?.contains("\(newer.id), is damaged") == true)
      try newer.record(SampleRepository.verification(.checksum, ok: true))
      let broken = try sample.add("20261122T041500Z-77ab03", minutesLater: 120)
      try FileManager.default.removeItem(atPath: "\(broken.path)/SHA256SUMS")
      #expect(try passedOver()?.contains("\(broken.id), is damaged") == true)
    }
  }

  @Test func `latest of backups that may not be read is no such backup as one that is damaged`() throws {
    var listing = Listing()
    let failure = Failure(
      "cannot_read", exit: .noPermission, what: "a", why: "Permission denied", nextStep: "let it be read")
    listing.broken = [Listing.Broken(policy: "app", id: "20261122T041500Z-77ab03", path: "/x", failure: failure)]
    let latest = #expect(throws: Failure.self) { try BackupFinder(listing).find("latest") }
    #expect(latest?.exit == .noPermission)
  }

  @Test func `latest of several policies asks which, and without any backup says so`() throws {
    let sample = try SampleRepository()
    let none = #expect(throws: Failure.self) { try BackupFinder(sample.listing).find("latest") }
    #expect(none?.code == "no_such_backup")
    try sample.add("a")
    try sample.add("b", policy: "web")
    var both = try sample.listing
    both.merge(try sample.repository.listing(of: "web"))
    let failure = #expect(throws: Failure.self) { try BackupFinder(both).find("latest") }
    #expect(failure?.exit == .usage)
    #expect(failure?.details == ["app", "web"])
    #expect(try BackupFinder(sample.repository.listing(of: "web")).find("latest").id == "b")
  }
}
