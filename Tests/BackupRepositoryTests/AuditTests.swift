import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import StreamPipeline
import TestSupport
import Testing

@Suite struct AuditTests {
  private func append(_ subject: String, to sample: SampleRepository) throws {
    try AuditTrail(sample.repository).append(
      AuditTrail.Entry(
        at: SampleRepository.time, who: "a@b", command: "hold", policy: "app", database: "app", outcome: "done",
        subject: subject))
  }

  private func lines(_ sample: SampleRepository) throws -> [Substring] {
    let lines = try String(contentsOfFile: "\(sample.path)/audit.jsonl", encoding: .utf8)
      .split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.last == "")
    return lines.dropLast()
  }

  private func expectChain(_ lines: [Substring]) throws {
    for (before, line) in zip([""] + lines, lines) {
      let entry = try Manifest.decoder().decode(AuditTrail.Entry.self, from: Data(line.utf8))
      #expect(entry.previous == (try SHA256.hash(of: String(before))))
    }
  }

  @Test func `each line carries the hash of the one before, however long that is`() throws {
    let sample = try SampleRepository()
    for subject in ["a", String(repeating: "long ", count: 50_000), "c", "d"] { try append(subject, to: sample) }
    #expect(try lines(sample).count == 4)
    try expectChain(lines(sample))
  }

  @Test func `what a killed writer left is cut off, all of it and nothing else`() throws {
    let sample = try SampleRepository()
    try append("a", to: sample)
    let path = "\(sample.path)/audit.jsonl"
    let whole = try String(contentsOfFile: path, encoding: .utf8)
    for junk in [1, 65_535, 65_536, 300_000] {
      try (whole + String(repeating: "x", count: junk)).write(toFile: path, atomically: false, encoding: .utf8)
      try append("b", to: sample)
      #expect(try lines(sample).count == 2)
      #expect(try String(contentsOfFile: path, encoding: .utf8).hasPrefix(whole))
      try expectChain(lines(sample))
    }
  }

  @Test func `a pipe in its place is refused`() throws {
    let sample = try SampleRepository()
    #expect(mkfifo("\(sample.path)/audit.jsonl", 0o600) == 0)
    let failure = #expect(throws: Failure.self) { try append("a", to: sample) }
    #expect(failure?.why == "it is no plain file")
  }
}
