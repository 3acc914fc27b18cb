import Foundation
import TestSupport
import Testing

/// `holdfast remove`: one backup, on purpose.
@Suite struct RemoveTests {
  private static let table = "CREATE TABLE t AS SELECT 1 AS a"

  @Test func `only a confirmed one removes, and nothing that is held`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let ids = [try bench.backUp(), try bench.backUp()]
      let dry = try bench.holdfast("remove", ids[0])
      #expect(dry.exit == 0 && dry.stdout.contains("Nothing was removed: holdfast remove \(ids[0]) "), "\(dry.stdout)")
      #expect(access(bench.path(of: ids[0]), F_OK) == 0)
      #expect(try bench.holdfast("hold", ids[0]).exit == 0)
      let held = try bench.holdfast("remove", ids[0], "--confirm", "--json")
      #expect(held.exit == 1 && held.json.string("error", "code") == "backup_held", "\(held.stdout)")
      #expect(try bench.holdfast("release", ids[0]).exit == 0)
      let done = try bench.holdfast("remove", ids[0], "--confirm", "--json")
      #expect(done.exit == 0 && done.json.string("removed") == ids[0], "\(done.stdout)")
      #expect(bench.shelfContents() == [ids[1]])
      #expect(try bench.holdfast("remove", ids[0], "--confirm").exit == 66)
      // The last one is told to be that.
      #expect(try bench.holdfast("remove", ids[1]).stderr.contains("the only good backup"))
      let audit = try String(contentsOfFile: "\(bench.repository)/audit.jsonl", encoding: .utf8)
      #expect(audit.contains("\"command\":\"remove\""))
    }
  }

  @Test func `damaged ones go too, and status is well again`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let ids = try (0..<3).map { _ in try bench.backUp() }
      try Data().write(to: URL(fileURLWithPath: "\(bench.path(of: ids[0]))/data/toc.dat"))
      #expect(try bench.holdfast("verify", ids[0]).exit == 65)
      try Data("{".utf8).write(to: URL(fileURLWithPath: "\(bench.path(of: ids[1]))/manifest.json"))
      let reasons = try bench.holdfast("status", "--json").json.array("reasons") as? [String]
      #expect(reasons == ["damaged_backups"])
      for id in ids.prefix(2) { #expect(try bench.holdfast("remove", id, "--confirm").exit == 0) }
      #expect(bench.shelfContents() == [ids[2]])
      #expect(try bench.holdfast("status").exit == 0)
    }
  }
}
