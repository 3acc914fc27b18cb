import Foundation
import PostgresTools
import TestSupport
import Testing

/// A disk that fills up half way: the run says so, older backups stay good, and nothing of the new one remains.
@Suite(.enabled(if: SmallDisk.isToBeTested, "needs root, or name spaces for users"))
struct CrashDiskTests {
  private static let rows = """
    CREATE TABLE t AS SELECT i, string_agg(md5(random()::text), '') s
      FROM generate_series(1, 2000) i, generate_series(1, 60) GROUP BY i;
    CREATE TABLE u AS SELECT * FROM t LIMIT 1000;
    """
  /// About 120 small files of one page each.
  private static let manyTables = """
    DO $$ BEGIN FOR i IN 1..120 LOOP EXECUTE format('CREATE TABLE t%s AS SELECT %s x', i, i); END LOOP; END $$
    """

  private func run(_ crash: CrashBench, on disk: SmallDisk, _ arguments: String...) throws -> ProgramRun {
    try ProgramRun(running: disk.command(crash.command(arguments)))
  }

  private func names(_ folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0 != ".lock" }.sorted()
  }

  private func repository(of crash: CrashBench, bytes: Int) throws -> SmallDisk {
    try SmallDisk.holdingRepository(at: crash.bench.repository, bytes: bytes)
  }

  @Test func `an export into a full disk names its file, and leaves nothing`() throws {
    try CrashBench.with(sql: Self.rows) { crash in
      let id = try crash.bench.backUp()
      let folder = "\(crash.bench.folder)/small"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      let disk = try SmallDisk(at: folder, bytes: 1 << 20)
      let export = try run(crash, on: disk, "export", id, "--output", "\(folder)/out.sql")
      #expect(export.exit == 73, "\(export.stderr)")
      #expect(export.stderr.contains("\(folder)/out.sql: No space left on device"), "\(export.stderr)")
      #expect(names(disk.path).isEmpty)
    }
  }

  @Test func `a repository that fills up keeps its older backups, and takes a new one when there is room again`() throws
  {
    try CrashBench.with(sql: Self.rows) { crash in
      let disk = try repository(of: crash, bytes: 32 << 20)
      #expect(try run(crash, on: disk, "backup").exit == 0)
      let before = names("\(disk.path)/app")
      for room in [0, 4 << 10, 64 << 10, 1 << 20, 2 << 20] {
        try disk.fill(leaving: room)
        let backup = try run(crash, on: disk, "backup")
        #expect(backup.exit == 73, "with room for \(room): \(backup.stderr)")
        #expect(backup.stderr.contains("No space left on device"), "\(backup.stderr)")
        #expect(names("\(disk.path)/app") == before, "with room for \(room)")
        disk.makeRoom()
        #expect(try run(crash, on: disk, "verify", "--all").exit == 0)
      }
      try crash.expectNothingLeft()
      #expect(try run(crash, on: disk, "backup").exit == 0)
      #expect(names("\(disk.path)/app").count == 2)
      #expect(try run(crash, on: disk, "verify", "--all").exit == 0)
    }
  }

  /// The tool that reads the table of contents leaves a number of pages: they are used up somewhere between database.sql and
  /// the record of the verification.
  @Test func `a disk that is full at the manifest makes a whole backup or none`() throws {
    try CrashBench.with { crash in
      let disk = try repository(of: crash, bytes: 8 << 20)
      #expect(try run(crash, on: disk, "backup").exit == 0)
      var outcomes: Set<Int> = []
      for pages in 0..<10 {
        let before = names("\(disk.path)/app")
        let ballast = "'\(crash.bench.repository)/.ballast'"
        try crash.tools.replace(
          "pg_restore",
          """
          "$real" "$@" || exit
          [ -e \(ballast) ] || { head -c 9000000 /dev/zero > \(ballast); truncate -s -\(pages * 4096) \(ballast); } 2> /dev/null
          exit 0
          """)
        let backup = try run(crash, on: disk, "backup")
        disk.makeRoom()
        try crash.tools.restore("pg_restore")
        #expect(backup.exit == 73 || (backup.exit == 0 && pages > 2), "with \(pages) pages: \(backup.stderr)")
        let new = Set(names("\(disk.path)/app")).subtracting(before)
        #expect(new.allSatisfy { !$0.hasPrefix(".") }, "with \(pages) pages")
        outcomes.insert(new.count)
        let list = try run(crash, on: disk, "list", "--json").json
        #expect(list.array("backups")?.count == before.count + new.count)
        #expect(list.array("broken")?.isEmpty == true)
        #expect(try run(crash, on: disk, "verify", "--all").exit == 0)
      }
      #expect(outcomes == [0, 1], "the manifest was never the one without room")
      #expect(try run(crash, on: disk, "backup").exit == 0)
    }
  }

  /// The backup disk of the old server, mounted on the new one.
  @Test func `a repository that is read-only is verified and restored from, with a warning`() throws {
    try CrashBench.with { crash in
      let disk = try repository(of: crash, bytes: 8 << 20)
      let good = try run(crash, on: disk, "backup", "--json").json.string("backup", "id") ?? ""
      let bad = try run(crash, on: disk, "backup", "--json").json.string("backup", "id") ?? ""
      try Data("damaged".utf8).write(to: URL(fileURLWithPath: "\(disk.path)/app/\(bad)/globals.sql"))
      let remount = disk.command(
        ChildCommand(
          executable: "/bin/mount", arguments: ["-o", "remount,bind,ro", crash.bench.repository],
          environment: Toolbox.baseEnvironment()))
      #expect(try ProgramRun(running: remount).exit == 0)

      let verify = try run(crash, on: disk, "verify", good, "--json")
      #expect(verify.exit == 0, "\(verify.stderr)")
      #expect(verify.json.flag("ok") == true)
      #expect(verify.stderr.contains("warning: the result for \(good) is not recorded"), "\(verify.stderr)")
      let damage = try run(crash, on: disk, "verify", bad, "--json")
      #expect(damage.exit == 65)
      #expect(damage.json.flag("ok") == false)
      let copy = crash.bench.newDatabaseName()
      let restore = try run(crash, on: disk, "restore", good, "--into", copy)
      #expect(restore.exit == 0, "\(restore.stderr)")
      #expect(restore.stderr.contains("Read-only file system"))
      #expect(try run(crash, on: disk, "restore", bad, "--into", copy + "2").exit == 65)
      #expect(try crash.content(of: copy) == crash.content(of: crash.bench.database))
    }
  }

  @Test func `a restore needs no room for the raw rows`() throws {
    try CrashBench.with(sql: Self.rows) { crash in
      let (id, copy) = (try crash.backUp(), crash.bench.newDatabaseName())
      let disk = try SmallDisk(at: crash.temporary, bytes: 64 << 10)
      let restore = try run(crash, on: disk, "restore", id, "--into", copy)
      #expect(restore.exit == 0, "\(restore.stderr)")
      #expect(names(disk.path).isEmpty)
    }
  }

  @Test func `a temporary folder without room stops a restore before or while it fills it`() throws {
    let object = "SELECT lo_from_bytea(0, decode(repeat('00', 2000000), 'hex'))"
    for (sql, bytes) in [(object, 1 << 20), (Self.manyTables, 32 << 10)] {
      try CrashBench.with(sql: sql) { crash in
        let (id, copy) = (try crash.backUp(), crash.bench.newDatabaseName())
        let disk = try SmallDisk(at: crash.temporary, bytes: bytes)
        let restore = try run(crash, on: disk, "restore", id, "--into", copy)
        #expect(restore.exit == 73, "\(restore.stderr)")
        #expect(restore.stderr.contains("half-made database was dropped"), "\(restore.stderr)")
        #expect(names(disk.path).isEmpty)
        try crash.expectNothingLeft()
        #expect(try crash.run("restore", id, "--into", copy).exit == 0)
      }
    }
  }

  @Test func `a temporary folder without room stops a backup`() throws {
    try CrashBench.with(sql: Self.manyTables) { crash in
      let disk = try SmallDisk(at: crash.temporary, bytes: 32 << 10)
      let backup = try run(crash, on: disk, "backup")
      #expect(backup.exit == 73, "\(backup.stderr)")
      #expect(backup.stderr.contains("No space left on device"), "\(backup.stderr)")
      #expect(names(disk.path).isEmpty)
      try crash.expectNothingLeft()
      try crash.expectNextBackupSucceeds()
    }
  }
}

/// `ulimit -f`: a limit of the process instead of the disk.
@Suite struct CrashFileLimitTests {
  private func run(_ crash: CrashBench, _ arguments: String...) throws -> ProgramRun {
    var command = crash.command(arguments)
    command.arguments = ["-c", "ulimit -f 100; exec \"$0\" \"$@\"", command.executable] + command.arguments
    command.executable = "/bin/sh"
    return try ProgramRun(running: command)
  }

  @Test func `a limit on the size of files ends a run like a full disk`() throws {
    let sql = """
      CREATE TABLE t AS SELECT i, repeat(md5(i::text), 100) s FROM generate_series(1, 1000) i;
      SELECT lo_from_bytea(0, decode(repeat('00', 200000), 'hex'))
      """
    try CrashBench.with(sql: sql) { crash in
      let backup = try run(crash, "backup")
      #expect([1, 73].contains(backup.exit), "\(backup.stderr)")
      try crash.expectNothingLeft()

      let (id, copy) = (try crash.backUp(), crash.bench.newDatabaseName())
      let restore = try run(crash, "restore", id, "--into", copy)
      #expect(restore.exit == 73, "\(restore.stderr)")
      try crash.expectNothingLeft()
    }
  }
}
