import Foundation
import PostgresTools
import TestSupport
import Testing

/// Several runs at once.
@Suite struct CrashConcurrencyTests {
  @Test func `of two backups of one policy the second is told who has the lock`() throws {
    try CrashBench.with { crash in
      let dumping = StoppableTools.Moment("pg_dump.start")
      let first = try crash.start("backup", until: dumping)
      let second = try crash.runPlainly("backup")
      #expect(second.exit == 75)
      #expect(second.stderr.contains("pid \(first.pid) "), "\(second.stderr)")
      #expect(crash.leavings().contains { $0.hasPrefix(".partial-") })
      try crash.tools.release(dumping)
      #expect(try first.end().code == 0)
      crash.tools.disarm(dumping)
      try crash.expectNothingLeft()
      #expect(try crash.listed().count == 1)
      try crash.expectNextBackupSucceeds()
    }
  }

  @Test func `of many backups of one policy begun at once those without the lock end with 75`() throws {
    try CrashBench.with { crash in
      let all = try (0..<5).map { _ in try crash.start("backup") }
      let exits = try all.map { try $0.end().code }
      #expect(exits.allSatisfy { $0 == 0 || $0 == 75 })
      #expect(exits.contains(0))
      try crash.expectNothingLeft()
      #expect(try crash.listed().count == exits.count { $0 == 0 })
      try crash.expectAllProven()
    }
  }

  @Test func `two policies make their repository and back up at once`() throws {
    try CrashBench.with { crash in
      try crash.writePolicy(name: "other")
      for _ in 0..<5 {
        let both = try ["app", "other"].map { try crash.start("backup", $0, "--create-repository") }
        for backup in both {
          let end = try backup.end()
          #expect(end.code == 0, "\(end.standardError)")
        }
        #expect(try crash.listed().count == 2)
        let names = try FileManager.default.contentsOfDirectory(atPath: crash.bench.repository)
        #expect(names.filter { $0.hasPrefix(".partial") } == [])
        try FileManager.default.removeItem(atPath: crash.bench.repository)
      }
    }
  }

  @Test func `a backup is taken while another one is verified and restored`() throws {
    try CrashBench.with { crash in
      let (id, copy) = (try crash.backUp(), crash.bench.newDatabaseName())
      let runs = [
        try crash.start("restore", id, "--into", copy), try crash.start("verify", id), try crash.start("backup"),
      ]
      for run in runs {
        let end = try run.end()
        #expect(end.code == 0, "\(end.standardError)")
      }
      #expect(try crash.content(of: copy) == crash.content(of: crash.bench.database))
      #expect(try crash.listed().count == 2)
      #expect(crash.leavings().isEmpty)
    }
  }

  @Test func `whoever lists and shows during a backup sees whole backups only`() throws {
    try CrashBench.with { crash in
      let older = try crash.backUp()
      let backup = try crash.start("backup")
      let ended = Flag()
      Thread.detachNewThread {
        _ = try? backup.end()
        ended.raise()
      }
      var counts: [Int] = []
      while !ended.isRaised {
        let list = try crash.run("list", "--json").json
        #expect(list.array("broken")?.isEmpty == true)
        let backups = try #require(list.array("backups"))
        #expect(backups.indices.allSatisfy { list.string("backups", $0, "state") == "complete" })
        counts.append(backups.count)
        let show = try crash.run("show", "latest", "--json")
        #expect(show.exit == 0)
        #expect(show.json.string("backup", "state") == "complete")
      }
      #expect(counts == counts.sorted())
      #expect(counts.first == 1)
      #expect(try crash.listed().contains(older))
      #expect(try crash.listed().count == 2)
    }
  }

  @Test func `the sweep of one run spares the temporary folder of another`() throws {
    try CrashBench.with { crash in
      let id = try crash.backUp()
      let reading = StoppableTools.Moment("pg_restore.start")
      let verify = try crash.start("verify", id, until: reading)
      let folder = crash.leavings()
      #expect(folder.count == 1)
      #expect(try crash.runPlainly("verify", id).exit == 0)
      #expect(crash.leavings() == folder)
      try crash.tools.release(reading)
      #expect(try verify.end().code == 0)
      #expect(crash.leavings().isEmpty)
    }
  }
}

private final class Flag: @unchecked Sendable {
  private let lock = NSLock()
  private var raised = false
  var isRaised: Bool { lock.withLock { raised } }
  func raise() { lock.withLock { raised = true } }
}
