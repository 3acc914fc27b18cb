import Foundation
import TestSupport
import Testing

/// Readers of a backup that retention takes away just then.
@Suite struct BackupUseTests {
  private func with(_ body: (Workbench, _ ids: [String]) throws -> Void) throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a") { bench in
      let ids = try (0..<2).map { _ in try bench.backUp() }
      try bench.writePolicy(more: "retention: {keep_last: 1, minimum_verified: 0}")
      try body(bench, ids)
    }
  }

  private static let readers = ["verify", "restore", "export"]

  private func arguments(_ reader: String, _ id: String, _ bench: Workbench) -> [String] {
    let more =
      switch reader {
      case "restore": ["--into", bench.newDatabaseName()]
      case "export": ["--output", "\(bench.folder)/export.sql"]
      default: [String]()
      }
    return [reader, id] + more + ["--policies", bench.policies]
  }

  @Test(arguments: readers) func `one that is removed just then is no backup, and not a damaged one`(
    reader: String
  ) throws {
    try with { bench, ids in
      let arguments = arguments(reader, ids[0], bench)
      let run = try SteppedRun(ProgramRun.command(arguments), at: "lock the backup#1", notesIn: bench.folder)
      #expect(try run.reach() == "lock the backup#1")
      #expect(try bench.holdfast("prune", "--confirm", "--json").json.array("removed") as? [String] == [ids[0]])
      let end = try run.end()
      #expect(end.status == .exited(66), "\(end.standardError)")
      #expect(end.standardError.contains("removed meanwhile"), "\(end.standardError)")
      #expect(bench.shelfContents() == [ids[1]])
      #expect(access("\(bench.folder)/export.sql", F_OK) != 0)
    }
  }

  @Test(arguments: readers) func `one that somebody is about to remove is locked`(reader: String) throws {
    try with { bench, ids in
      let file = open("\(bench.path(of: ids[0]))/manifest.json", O_RDONLY)
      flock(file, LOCK_EX)
      let busy = try ProgramRun(arguments(reader, ids[0], bench) + ["--json"])
      #expect(busy.exit == 75, "\(busy.stderr)")
      #expect(busy.json.string("error", "code") == "locked")
      close(file)
      #expect(try ProgramRun(arguments(reader, ids[0], bench)).exit == 0)
    }
  }

  @Test func `verifying all passes over one that was removed meanwhile`() throws {
    try with { bench, ids in
      // The newest comes first.
      let run = try SteppedRun(
        ProgramRun.command(["verify", "--all", "--policies", bench.policies]), at: "lock the backup#2",
        notesIn: bench.folder)
      #expect(try run.reach() == "lock the backup#2")
      #expect(try bench.holdfast("prune", "--confirm", "--json").json.array("removed") as? [String] == [ids[0]])
      let end = try run.end()
      #expect(end.succeeded, "\(end.standardError)")
      #expect(bench.shelfContents() == [ids[1]])
    }
  }
}
