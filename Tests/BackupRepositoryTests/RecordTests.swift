import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import StreamPipeline
import TestSupport
import Testing

/// The files that may come after a backup is finished: verifications and the hold.
@Suite struct RecordTests {
  @Test func `a verification that was being written when its writer was killed is not counted`() throws {
    try SampleRepository.with { sample, backup in
      let path = "\(backup.path)/verifications.jsonl"
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      let first = try #require(whole.firstIndex(of: 0x0A)) + 1
      for length in first..<whole.count {
        try whole.prefix(length).write(to: URL(fileURLWithPath: path))
        #expect(try sample.listed(backup).verifications == Array(backup.verifications.prefix(1)), "\(length) bytes")
      }
    }
  }

  @Test func `the next verification takes the place of a torn one`() throws {
    try SampleRepository.with { sample, backup in
      let path = "\(backup.path)/verifications.jsonl"
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      try whole.dropLast(10).write(to: URL(fileURLWithPath: path))
      var torn = try sample.listed(backup)
      try torn.record(SampleRepository.verification(.archive, ok: false))
      let after = try sample.listed(backup)
      #expect(after.verifications.map(\.ok) == [true, false])
      #expect(after.state == .damaged)
    }
  }

  @Test func `a verdict that was changed is damage`() throws {
    try SampleRepository.with { sample, backup in
      let path = "\(backup.path)/verifications.jsonl"
      let text = try String(contentsOfFile: path, encoding: .utf8)
      try text.replacing("\"ok\":true", with: "\"ok\":false").write(toFile: path, atomically: true, encoding: .utf8)
      #expect(try sample.listing.broken.map(\.failure.code) == ["backup_damaged"])
    }
  }

  @Test func `a hold comes, is replaced and goes, and the last one counts`() throws {
    try SampleRepository.with { sample, backup in
      #expect(backup.hold?.reason == "it is precious")
      var held = backup
      try held.place(Hold(reason: "an audit", at: SampleRepository.time))
      #expect(try sample.listed(backup).hold?.reason == "an audit")
      try held.release()
      try held.release()
      #expect(try sample.listed(backup).hold == nil)
    }
  }

  @Test func `of holds that are set at once one counts, and it is whole`() throws {
    try SampleRepository.with { sample, backup in
      let failures = try inParallel(Array(0..<64), threads: 8, cancellation: Cancellation()) {
        (index) throws(Failure) -> String? in
        var held = backup
        do throws(Failure) {
          try held.place(Hold(reason: String(repeating: "\(index) ", count: 2000), at: SampleRepository.time))
        } catch { return error.why }
        return nil
      }
      #expect(failures.compactMap(\.self).isEmpty)
      let reason = try #require(try sample.listed(backup).hold?.reason)
      #expect(Set(reason.split(separator: " ")).count == 1)
      #expect(try problems(sample).isEmpty)
      #expect(try FileManager.default.contentsOfDirectory(atPath: backup.path).allSatisfy { !$0.hasPrefix(".partial") })
    }
  }

  @Test func `what a killed hold left neither counts nor damages`() throws {
    try SampleRepository.with { sample, backup in
      try Data("{\"rea".utf8).write(to: URL(fileURLWithPath: "\(backup.path)/.partial-hold1a2b3c4d.json"))
      #expect(try problems(sample).isEmpty)
      var held = backup
      try held.place(Hold(reason: "again", at: SampleRepository.time))
      #expect(try sample.listed(backup).hold?.reason == "again")
    }
  }
}
