import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import StreamPipeline
import TestSupport
import Testing

/// What cannot be read is an error, and never taken for "there is none".
@Suite struct UnreadableTests {
  private let manager = FileManager.default

  @Test func `a marker that cannot be read is not a missing one`() throws {
    try SampleRepository.with { sample, _ in
      let marker = "\(sample.path)/holdfast.json"
      try manager.removeItem(atPath: marker)
      #expect(mkfifo(marker, 0o600) == 0)
      #expect(try code { _ = try Repository.openIfThere(sample.path) } == "cannot_read")
      try manager.removeItem(atPath: marker)
      try manager.createSymbolicLink(atPath: marker, withDestinationPath: marker)
      #expect(try code { _ = try Repository.open(sample.path) } == "cannot_read")
    }
  }

  @Test func `a repository that lost its marker is told from one that was never made`() throws {
    try SampleRepository.with { sample, backup in
      try manager.removeItem(atPath: "\(sample.path)/holdfast.json")
      let failure = #expect(throws: Failure.self) { try Repository.openIfThere(sample.path) }
      #expect(failure?.code == "unmarked_repository")
      #expect(failure?.exit == .dataDamaged)
      #expect(failure?.why.contains("app/\(backup.id)") == true)
      // The next step that it names.
      let step = try #require(failure?.nextStep.split(separator: ": ", maxSplits: 1).last)
      #expect(system(String(step)) == 0)
      #expect(try Repository.open(sample.path).listing(of: "app").backups == [backup])
      // And what the next backup does.
      try manager.removeItem(atPath: "\(sample.path)/holdfast.json")
      let repaired = try Repository.openToWrite(sample.path)
      #expect(repaired.isRepaired)
      #expect(try repaired.listing(of: "app").backups == [backup])

      #expect(try Repository.openIfThere("\(sample.path)/none") == nil)
      try manager.createDirectory(atPath: "\(sample.path)/none/app/x", withIntermediateDirectories: true)
      #expect(try Repository.openIfThere("\(sample.path)/none") == nil)
    }
  }

  @Test func `a policy's folder, its deploys and a journal that cannot be read are errors`() throws {
    try SampleRepository.with { sample, backup in
      let deploys = "\(sample.shelf)/deploys"
      #expect(try sample.repository.deploys(of: "app").isEmpty)
      try Data().write(to: URL(fileURLWithPath: deploys))
      #expect(try code { _ = try sample.repository.deploys(of: "app") } == "cannot_read")
      try manager.removeItem(atPath: deploys)
      try manager.createDirectory(atPath: "\(deploys)/x/journal.jsonl", withIntermediateDirectories: true)
      #expect(try code { _ = try sample.repository.deploys(of: "app") } == "cannot_read")
      try Data().write(to: URL(fileURLWithPath: "\(sample.path)/web"))
      #expect(try code { _ = try sample.repository.listing(of: "web") } == "cannot_read")
      #expect(try code { _ = try sample.repository.sweep(policy: "web") } == "cannot_read")
    }
  }

  @Test func `a file beside the journals is no deploy`() throws {
    try SampleRepository.with { sample, _ in
      try manager.createDirectory(atPath: "\(sample.shelf)/deploys", withIntermediateDirectories: true)
      try Data().write(to: URL(fileURLWithPath: "\(sample.shelf)/deploys/.DS_Store"))
      #expect(try sample.repository.deploys(of: "app").isEmpty)
    }
  }

  /// Permissions hold only those back who are not root.
  @Test(.enabled(if: getuid() != 0, "root may read everything"))
  func `what a user may not read is exit 77`() throws {
    try SampleRepository.with { sample, backup in
      chmod(sample.path, 0)
      defer { chmod(sample.path, 0o700) }
      let failure = #expect(throws: Failure.self) { try Repository.openIfThere(sample.path) }
      #expect(failure?.exit == .noPermission)
    }
  }

  private func code(_ body: () throws -> Void) throws -> String? {
    do { try body() } catch let failure as Failure { return failure.code }
    return nil
  }
}
