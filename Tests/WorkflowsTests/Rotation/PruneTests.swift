import BackupModel
import BackupRepository
import Foundation
import PostgresTools
import TestSupport
import Testing

/// `holdfast prune`, and the same at the end of each backup.
@Suite struct PruneTests {
  /// A policy that keeps two, and a bench with some backups of it.
  private func with(_ count: Int, _ body: (Workbench, _ ids: [String]) throws -> Void) throws {
    try Workbench.with(sql: "CREATE TABLE t (a int)") { bench in
      try bench.writePolicy()
      let ids = try (0..<count).map { _ in
        try #require(try bench.holdfast("backup", "--json").json.string("backup", "id"))
      }
      try keep(2, bench)
      try body(bench, ids)
    }
  }

  private func keep(_ count: Int, _ bench: Workbench, more: String = "") throws {
    try bench.writePolicy(more: "retention: {keep_last: \(count), minimum_verified: 0\(more)}")
  }

  private func listed(_ bench: Workbench) throws -> Set<String> {
    Set(
      (try bench.holdfast("list", "--json").json.array("backups") ?? []).compactMap {
        ($0 as? [String: Any])?["id"] as? String
      })
  }

  @Test func `only a confirmed one removes, and each backup has its reasons`() throws {
    try with(4) { bench, ids in
      let dry = try bench.holdfast("prune", "--json")
      #expect(dry.exit == 0)
      #expect(dry.json.array("keep")?.count == 2 && dry.json.array("remove")?.count == 2)
      #expect(dry.json.array("removed")?.isEmpty == true)
      #expect(dry.json.string("keep", 0, "id") == ids[3])
      #expect((dry.json.value(["keep", 0, "reasons"]) as? [String]) == ["keep_last"])
      #expect(try listed(bench) == Set(ids))
      #expect(try bench.holdfast("prune").stdout.contains("holdfast prune app --confirm removes it"))
      let done = try bench.holdfast("prune", "--confirm", "--json")
      #expect(Set(done.json.array("removed") as? [String] ?? []) == Set(ids.prefix(2)))
      #expect(try listed(bench) == Set(ids.suffix(2)))
      #expect(try bench.holdfast("prune").stdout.contains("Nothing is to be removed"))
    }
  }

  @Test func `a good backup applies retention, and says so`() throws {
    try with(3) { bench, ids in
      let run = try bench.holdfast("backup", "--json")
      #expect(run.exit == 0, "\(run.stderr)")
      #expect(run.stderr.contains("2 backups removed, 2 kept"), "\(run.stderr)")
      let new = try #require(run.json.string("backup", "id"))
      #expect(try listed(bench) == [ids[2], new])
    }
  }

  @Test func `a held backup stays until it is released`() throws {
    try with(3) { bench, ids in
      let hold = try bench.holdfast("hold", ids[0])
      #expect(hold.exit == 0)
      #expect(try bench.holdfast("prune", "--confirm").exit == 0)
      #expect(try listed(bench) == Set(ids))
      #expect(try bench.holdfast("release", ids[0]).exit == 0)
      #expect(try bench.holdfast("prune", "--confirm").exit == 0)
      #expect(try listed(bench) == Set(ids.suffix(2)))
    }
  }

  @Test func `a backup that fails removes nothing`() throws {
    try with(3) { bench, ids in
      let tools = try FakeTools(on: bench)
      try bench.writePolicy(more: tools.policy + "\nretention: {keep_last: 1, minimum_verified: 0}")
      try tools.replace("pg_dump", by: "exit 1")
      #expect(try bench.holdfast("backup").exit != 0)
      #expect(try listed(bench) == Set(ids))
    }
  }

  @Test func `what somebody reads is not taken away from him`() throws {
    try with(3) { bench, ids in
      let file = open("\(bench.shelf)/\(ids[0])/manifest.json", O_RDONLY)
      flock(file, LOCK_SH)
      let run = try bench.holdfast("prune", "--confirm", "--json")
      #expect(run.json.array("in_use") as? [String] == [ids[0]], "\(run.stdout)")
      close(file)
      #expect(try bench.holdfast("prune", "--confirm", "--json").json.array("removed") as? [String] == [ids[0]])
    }
  }

  @Test func `a backup that is being restored stays until that is done`() throws {
    try with(3) { bench, ids in
      let tools = try StoppableTools(in: "\(bench.folder)/tools", real: bench.cluster.binaries)
      try keep(2, bench, more: "}\ntools: {directory: \"\(tools.folder)\"")
      let moment = StoppableTools.Moment("pg_restore.half")
      try tools.arm(moment)
      let arguments = ["restore", ids[0], "--into", bench.newDatabaseName(), "--policies", bench.policies]
      let restore = try ChildProcess(starting: ProgramRun.command(arguments), capturesOutput: false)
      try tools.reach(moment)
      let busy = try bench.holdfast("prune", "--confirm", "--json")
      #expect(busy.json.array("in_use") as? [String] == [ids[0]], "\(busy.stdout)\(busy.stderr)")
      try tools.release(moment)
      #expect(try restore.end().succeeded)
      tools.disarm(moment)
      #expect(try bench.holdfast("prune", "--confirm", "--json").json.array("removed") as? [String] == [ids[0]])
    }
  }

  @Test func `a backup that is held between the plan and its removal stays`() throws {
    try with(4) { bench, ids in
      let prune = try SteppedRun(
        ProgramRun.command(["prune", "--confirm", "--policies", bench.policies]), at: "lock the backup",
        notesIn: bench.folder)
      #expect(try prune.reach() != nil)
      #expect(try bench.holdfast("hold", ids[1]).exit == 0)
      #expect(try prune.end().succeeded)
      #expect(try listed(bench) == Set(ids.dropFirst()))
      #expect(try bench.holdfast("show", ids[1], "--json").json.flag("backup", "held") == true)
    }
  }

  @Test func `a backup that is just being removed cannot be held any more`() throws {
    try with(3) { bench, ids in
      let prune = try SteppedRun(
        ProgramRun.command(["prune", "--confirm", "--policies", bench.policies]), at: "hide the backup",
        notesIn: bench.folder)
      #expect(try prune.reach() != nil)
      let hold = try bench.holdfast("hold", ids[0], "--json")
      #expect(hold.exit == 75 && hold.json.string("error", "code") == "locked", "\(hold.stdout)")
      #expect(try prune.end().succeeded)
      #expect(try listed(bench) == Set(ids.dropFirst()))
    }
  }

  @Test func `what a killed removal left is swept, and never listed`() throws {
    try with(3) { bench, ids in
      let hidden = "\(bench.shelf)/.removing-\(ids[0])"
      try FileManager.default.moveItem(atPath: "\(bench.shelf)/\(ids[0])", toPath: hidden)
      #expect(try listed(bench) == Set(ids.suffix(2)))
      #expect(try bench.holdfast("prune", "--confirm").exit == 0)
      #expect(access(hidden, F_OK) != 0)
    }
  }

  @Test func `a database that a rollback has kept is offered after hold_for, and never dropped`() throws {
    try DeployBench.with { bench in
      try bench.deploy("20240201000000_more", "CREATE TABLE more (a int);")
      #expect(try bench.run("prune", "--json").json.array("kept_databases")?.isEmpty == true)
      let kept = try #require(try bench.confirmed("rollback").json.string("kept_as"))
      #expect(try bench.run("prune", "--json").json.array("kept_databases")?.isEmpty == true, "it is of today")
      try bench.set(["hold_for: 0s"])
      for arguments in [["prune"], ["prune", "--confirm"]] {
        let run = try ProgramRun(arguments + ["--json", "--policies", bench.bench.policies])
        #expect(run.json.string("kept_databases", 0, "database") == kept, "\(run.stdout)")
        #expect(run.json.number("kept_databases", 0, "bytes") ?? 0 > 1_000_000)
        let text = try ProgramRun(arguments + ["--policies", bench.bench.policies]).stdout
        #expect(text.contains("dropdb -h ") && text.contains(kept), "\(text)")
      }
      #expect(try bench.databases().contains(kept))
      try bench.writePolicy(url: "postgresql://nobody@127.0.0.1:1/nowhere?connect_timeout=1")
      let unreachable = try bench.run("prune")
      #expect(unreachable.exit == 0)
      #expect(unreachable.stderr.contains("databases kept by rollbacks are not shown"), "\(unreachable.stderr)")
    }
  }
}
