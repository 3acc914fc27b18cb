import Foundation
import PostgresTools
import TestSupport
import Testing

/// Every step of a workflow, one after the other: from there on the repository's disk takes nothing more. The run ends with the documented exit
/// code, only whole states are there, and when the disk is mended the next run succeeds.
@Suite("A disk that fails from any step on") struct CrashTableDiskTests {
  private static let sql = """
    CREATE TABLE customers (id serial PRIMARY KEY, name text);
    INSERT INTO customers (name) SELECT 'customer ' || i FROM generate_series(1, 50) i; SELECT lo_from_bytea(0, 'one');
    """

  /// Walks a command, and has the disk fail from each step on.
  ///
  /// - Returns: how many runs said so, in an error or a warning.
  private func failing(
    _ command: ChildCommand, below path: String, with number: Int32, notesIn folder: String,
    reset: () throws -> Void = {}, _ body: (_ end: ChildExit, _ step: String) throws -> Void
  ) throws -> Int {
    let disk = try FailingDisk(below: path, number: number, folder: folder)
    let reason = String(cString: strerror(number))
    var told = 0
    try walk(disk.command(command), notesIn: folder, reset: reset) { run, step in
      try disk.fail()
      let end = try run.end()
      disk.mend()
      #expect(end.succeeded || end.code == 73, "failing at \(step): \(end.description) \(end.standardError)")
      told += end.standardError.contains(reason) ? 1 : 0
      #expect(end.succeeded || end.standardError.contains(reason), "failing at \(step): \(end.standardError)")
      try body(end, step)
    }
    return told
  }

  @Test(arguments: [ENOSPC, EIO, EACCES, EROFS]) func `of a backup`(number: Int32) throws {
    try CrashBench.with(sql: Self.sql, policy: "retention: {keep_last: 2, minimum_verified: 1}") { crash in
      for _ in 0..<2 { try crash.backUp() }
      let told = try failing(
        crash.command(["backup"]), below: crash.bench.repository, with: number, notesIn: crash.bench.folder
      ) { _, step in
        let list = try crash.run("list", "--json").json
        #expect(list.array("broken")?.isEmpty == true, "failing at \(step)")
        #expect((list.array("backups")?.count ?? 0) >= 2, "failing at \(step)")
        #expect(try crash.run("verify", "--all").exit == 0, "failing at \(step)")
      }
      #expect(told > 10, "the disk does fail")
      try crash.backUp()
      #expect(crash.leavings().isEmpty)
    }
  }

  /// A whole backup or none, and what is there already stays.
  @Test(
    .enabled(if: SmallDisk.isToBeTested, "needs root, or name spaces for users"), arguments: ["directory", "plain"])
  func `of a backup, truly full`(format: String) throws {
    try CrashBench.with(
      sql: Self.sql, policy: "backup: {format: \(format)}\nretention: {keep_last: 2, minimum_verified: 1}"
    ) { crash in
      let disk = try SmallDisk.holdingRepository(at: crash.bench.repository, bytes: 8 << 20)
      func run(_ arguments: String...) throws -> ProgramRun {
        try ProgramRun(running: disk.command(crash.command(arguments)))
      }
      for _ in 0..<2 { #expect(try run("backup").exit == 0) }
      try walk(disk.command(crash.command(["backup"])), notesIn: crash.bench.folder) { stopped, step in
        try disk.fill(leaving: 0)
        let end = try stopped.end()
        disk.makeRoom()
        #expect(end.succeeded || end.code == 73, "full at \(step): \(end.standardError)")
        let list = try run("list", "--json").json
        #expect(list.array("broken")?.isEmpty == true, "full at \(step)")
        #expect((list.array("backups")?.count ?? 0) >= 2, "full at \(step)")
        #expect(try run("verify", "--all").exit == 0, "full at \(step)")
        let names = try FileManager.default.contentsOfDirectory(atPath: "\(disk.path)/app")
        #expect(!names.contains { $0.hasPrefix(".partial") }, "full at \(step): \(names)")
      }
      #expect(try run("backup").exit == 0)
    }
  }

  @Test(arguments: [ENOSPC, EIO]) func `of a verification`(number: Int32) throws {
    try CrashBench.with(sql: Self.sql) { crash in
      let id = try crash.backUp()
      let told = try failing(
        crash.command(["verify", id]), below: crash.bench.repository, with: number, notesIn: crash.bench.folder
      ) { end, step in
        #expect(end.succeeded, "what cannot be recorded is a warning")
        try crash.expectOnlyWholeStates("failing at \(step)")
      }
      #expect(told > 0, "the disk does fail")
      try crash.expectAllProven()
    }
  }

  @Test(arguments: [ENOSPC, EIO, EACCES]) func `of a pruning`(number: Int32) throws {
    try CrashBench.with(sql: Self.sql) { crash in
      func fill() throws {
        try crash.bench.writePolicy()
        while try crash.listed().count < 3 { try crash.backUp() }
        try crash.bench.writePolicy(more: "retention: {keep_last: 1, minimum_verified: 1}")
      }
      try fill()
      let told = try failing(
        crash.command(["prune", "--confirm"]), below: crash.bench.repository, with: number,
        notesIn: crash.bench.folder, reset: fill
      ) { _, step in
        try crash.expectOnlyWholeStates("failing at \(step)")
        #expect(try crash.listed().count >= 1, "failing at \(step)")
        #expect(try crash.run("prune", "--confirm").exit == 0, "failing at \(step)")
        #expect(try crash.listed().count == 1 && crash.leavings().isEmpty, "failing at \(step)")
        try fill()
      }
      #expect(told > 0, "the disk does fail")
    }
  }

  /// A repository that takes nothing more is the very one to restore from.
  @Test(arguments: [ENOSPC, EIO, EACCES]) func `of a restore`(number: Int32) throws {
    try CrashBench.with(sql: Self.sql) { crash in
      let (id, copy) = (try crash.backUp(), crash.bench.newDatabaseName())
      func drop() throws { try crash.cluster.psql("DROP DATABASE IF EXISTS \"\(copy)\" WITH (FORCE)") }
      let told = try failing(
        crash.command(["restore", id, "--into", copy]), below: crash.bench.repository, with: number,
        notesIn: crash.bench.folder, reset: drop
      ) { end, step in
        #expect(end.succeeded, "failing at \(step)")
        #expect(try crash.databases() == [copy], "failing at \(step)")
        try crash.expectOnlyWholeStates("failing at \(step)")
        try drop()
      }
      #expect(told > 0, "the disk does fail")
    }
  }

  @Test(arguments: [ENOSPC, EIO, EACCES]) func `of a deploy, which is resumed to its end`(number: Int32) throws {
    try DeployBench.with { bench in
      try bench.writeCrashMigrations()
      #expect(try bench.run("backup").exit == 0, "makes the repository")
      let told = try failing(
        bench.command(["deploy"]), below: bench.bench.repository, with: number, notesIn: bench.bench.folder,
        reset: { try bench.resetCrash() }
      ) { _, step in
        try bench.settleDeploy("failing at \(step)")
      }
      #expect(told > 0, "the disk does fail")
    }
  }

  @Test(arguments: [ENOSPC, EIO, EACCES]) func `of a rollback, which is resumed to its end`(number: Int32) throws {
    try DeployBench.with { bench in
      try bench.writeCrashMigrations()
      #expect(try bench.run("deploy").exit == 0)
      func undo() throws {
        #expect(try bench.confirmed("undo").exit == 0)
        bench.dropCopies()
      }
      let told = try failing(
        bench.command(["rollback", "--confirm", bench.database]), below: bench.bench.repository, with: number,
        notesIn: bench.bench.folder, reset: undo
      ) { end, step in
        if !end.succeeded, try bench.seen() == .before {
          #expect(end.standardError.contains("The names are exchanged"), "failing at \(step): \(end.standardError)")
          #expect(end.standardError.contains("holdfast resume"), "failing at \(step): \(end.standardError)")
        }
        try bench.settleRollback("failing at \(step)")
      }
      #expect(told > 0, "the disk does fail")
    }
  }
}
