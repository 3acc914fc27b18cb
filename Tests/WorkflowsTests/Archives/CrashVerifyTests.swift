import Foundation
import TestSupport
import Testing

/// A verification that is broken off: what it recorded is whole lines.
@Suite struct CrashVerifyTests {
  private func lines(_ crash: CrashBench, _ id: String) throws -> [Substring] {
    let text = try String(contentsOfFile: "\(crash.bench.path(of: id))/verifications.jsonl", encoding: .utf8)
    #expect(text.isEmpty || text.hasSuffix("\n"))
    return text.split(separator: "\n")
  }

  private func expectWholeLines(_ crash: CrashBench, _ id: String) throws {
    for line in try lines(crash, id) { #expect(JSONDocument(String(line)).isObject) }
  }

  @Test func `a verification that is broken off at a step records nothing`() throws {
    try CrashBench.with { crash in
      let id = try crash.backUp()
      let before = try lines(crash, id)
      for moment in ["pg_restore.start", "pg_restore.end"].map(StoppableTools.Moment.init) {
        for (signal, code) in [(SIGKILL, Int32(137)), (SIGTERM, 143), (SIGINT, 130)] {
          let verify = try crash.start("verify", id, until: moment)
          let (exit, seconds) = try verify.end(bySending: signal)
          #expect(exit.code == code, "at \(moment)")
          #expect(seconds < 2, "at \(moment)")
          crash.tools.disarm(moment)
          #expect(try lines(crash, id) == before)
          // Those of a killed run go with the next one, which comes in this loop.
          #expect(signal == SIGKILL || crash.leavings().isEmpty)
        }
      }
      try crash.expectOnlyWholeStates()
      try crash.expectAllProven()
    }
  }

  @Test func `killed at any moment, a verification leaves only whole lines`() throws {
    try CrashBench.with { crash in
      let id = try crash.backUp()
      let start = Date()
      #expect(try crash.run("verify", id).exit == 0)
      let usual = Date().timeIntervalSince(start)
      for number in 0..<10 {
        let verify = try crash.start("verify", id)
        usleep(UInt32(usual * Double(number) / 9 * 1_000_000))
        _ = try verify.end(bySending: SIGKILL)
        try expectWholeLines(crash, id)
      }
      try crash.expectOnlyWholeStates()
      try crash.expectAllProven()
      #expect(crash.leavings().isEmpty)
    }
  }

  /// A full disk takes the first part of a line and refuses the rest.
  @Test func `half a line, as a full disk leaves it, damages neither the backup nor the next record`() throws {
    try CrashBench.with { crash in
      let id = try crash.backUp()
      let file = "\(crash.bench.path(of: id))/verifications.jsonl"
      let whole = try Data(contentsOf: URL(fileURLWithPath: file))
      try (whole + whole.prefix(40)).write(to: URL(fileURLWithPath: file))
      try crash.expectOnlyWholeStates()
      #expect(try crash.run("verify", id).exit == 0)
      try crash.expectOnlyWholeStates()
      #expect(try lines(crash, id).count == 2)
      try expectWholeLines(crash, id)
    }
  }

  @Test func `verifications of one backup at once all record their line`() throws {
    try CrashBench.with { crash in
      let id = try crash.backUp()
      let all = try (0..<4).map { _ in try crash.start("verify", id) }
      for verify in all { #expect(try verify.end().code == 0) }
      #expect(try lines(crash, id).count == 5)
      try crash.expectAllProven()
    }
  }

  /// A file of many gigabytes takes minutes to hash; it is sparse here.
  @Test(arguments: [(SIGTERM, Int32(143)), (SIGINT, Int32(130))])
  func `a verification in the middle of a large file can be stopped`(signal: (number: Int32, exit: Int32)) throws {
    try CrashBench.with { crash in
      let id = try crash.backUp()
      let data = "\(crash.bench.path(of: id))/data"
      let name = try #require(FileManager.default.contentsOfDirectory(atPath: data).first { $0.hasSuffix(".dat.zst") })
      #expect(truncate("\(data)/\(name)", 1 << 40) == 0)
      let verify = try crash.start("verify", id, "--level", "checksum")
      #expect(eventually { crash.opens("\(data)/\(name)", verify.pid) })
      let (exit, seconds) = try verify.end(bySending: signal.number)
      #expect(exit.code == signal.exit)
      #expect(seconds < 60)
      #expect(try lines(crash, id).count == 1)
    }
  }
}

extension CrashBench {
  /// Whether a process has a file open.
  func opens(_ path: String, _ pid: pid_t) -> Bool {
    let folder = "/proc/\(pid)/fd"
    return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).contains {
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")) == path
    }
  }
}
