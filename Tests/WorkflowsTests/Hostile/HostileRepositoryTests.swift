import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import TestSupport
import Testing

/// Whoever can write to the repository: nothing outside of it is read, written or removed, nothing is run, no database but Holdfast's own is
/// touched, and no program ends by a fault of its own.
@Suite struct HostileRepositoryTests {
  // MARK: What was verified is what is restored

  @Test(arguments: ["directory", "custom", "plain"])
  func `a file that is exchanged after its verification is found`(format: String) throws {
    try Workbench.with(
      sql: "CREATE TABLE t AS SELECT md5(n::text) FROM generate_series(1, 3000) n",
      policy: "backup: {format: \(format)}"
    ) { bench in
      let files = BackupFiles(bench: bench, id: try bench.backUp())
      let names = try files.names().filter { $0.hasPrefix("data/") || $0.hasPrefix("data.") }
      for name in names {
        let copy = bench.newDatabaseName()
        let command = ProgramRun.command(["restore", files.id, "--into", copy, "--policies", bench.policies])
        let good = try files.read(name)
        let run = try SteppedRun(command, at: "fill the database", notesIn: bench.folder)
        #expect(try run.reach() != nil)
        // Of the same size, and as whole as the other one, where it is not compressed.
        try files.write(flipped(at: good.count / 2)(good), to: name)
        let end = try run.end()
        #expect(end.code == 65, "\(name): \(end.standardError)")
        #expect(try bench.cluster.psql("SELECT count(*) FROM pg_database WHERE datname = '\(copy)'") == "0")
        try files.write(good, to: name)
      }
      #expect(try bench.holdfast("verify", files.id).exit == 0, "a run that found it marks no whole backup")
    }
  }

  // MARK: Names in an archive

  @Test func `a table of contents that names a file outside is refused before its content is handed on`() throws {
    try BackupFiles.with { files in
      let temporary = "\(files.bench.folder)/tmp"
      try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true)
      _ = try shell(
        "cd '\(files.path)' && [ ! -f data/toc.dat.zst ] || zstd -q -d --rm data/toc.dat.zst", in: files.path)
      let toc = try #require(try files.names().first { $0.hasPrefix("data/toc.dat") })
      var bytes = try files.read(toc)
      let row = try #require(
        try files.names().first { $0.hasSuffix(".dat.zst") && !$0.contains("toc") && !$0.contains("blob") })
      let name = String(row.dropFirst("data/".count).dropLast(".zst".count))
      let outside = "../" + String(repeating: "y", count: name.count - 7) + ".dat"
      let place = try #require(bytes.firstRange(of: Data(name.utf8)))
      bytes.replaceSubrange(place, with: Data(outside.utf8))
      try files.write(bytes, to: toc)
      try files.reseal()
      for command in [
        ["restore", files.id, "--into", files.bench.newDatabaseName()], ["export", files.id], ["verify", files.id],
      ] {
        // Where the archive is read from, that is the folder above.
        try Data("secret-of-others\n\\.\n".utf8).write(to: URL(fileURLWithPath: "\(temporary)/\(outside.dropFirst(3))"))
        let run = try ProgramRun(command + ["--policies", files.bench.policies], environment: ["TMPDIR": temporary])
        #expect(run.exit == 65, "\(command): \(run.stdout)\(run.stderr)")
        #expect(!run.stdout.contains("secret-of-others"), "\(command)")
      }
    }
  }

  @Test(arguments: ["1 ../x", "1 blob_1.dat/../../x", "1 /etc/passwd", "x"])
  func `a list of large objects that names another file is refused`(line: String) throws {
    try BackupFiles.with { files in
      let list = try #require(try files.names().first { $0.contains("blobs") && $0.contains(".toc") })
      let plain = list.hasSuffix(".zst") ? String(list.dropLast(4)) : list
      _ = try shell("[ '\(plain)' = '\(list)' ] || zstd -q -d --rm '\(list)'", in: files.path)
      try files.write(Data("\(line)\n".utf8), to: plain)
      try files.reseal { manifest in
        for index in manifest.files.indices where manifest.files[index].path == list {
          manifest.files[index].path = plain
          manifest.files[index].rawBytes = nil
        }
      }
      for command in [["restore", files.id, "--into", files.bench.newDatabaseName()], ["export", files.id]] {
        let run = try ProgramRun(command + ["--policies", files.bench.policies])
        #expect(run.exit == 65 && run.stderr.contains("names a file that pg_dump would not"), "\(run.stderr)")
      }
    }
  }

  // MARK: Folders

  @Test(arguments: ["", "/data"])
  func `a folder that is exchanged while a backup is written gets no backup`(part: String) throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a") { bench in
      let command = ProgramRun.command(["backup", "--policies", bench.policies])
      for step in ["write database.sql", "write manifest.json", "rename the backup"] {
        let outside = "\(bench.folder)/outside-\(step.filter { $0 != " " })"
        try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: true)
        let run = try SteppedRun(command, at: step, notesIn: bench.folder)
        #expect(try run.reach() != nil, "\(step)")
        let partial = try #require(bench.shelfContents().first { $0.hasPrefix(".partial-") })
        let path = "\(bench.shelf)/\(partial)\(part)"
        try FileManager.default.moveItem(atPath: path, toPath: "\(bench.folder)/taken")
        #expect(symlink(outside, path) == 0)
        let end = try run.end()
        #expect(end.code == 73, "\(step): \(end.code) \(end.standardError)")
        // One file may have been under way.
        #expect(try FileManager.default.contentsOfDirectory(atPath: outside).count <= 1, "\(step)")
        try FileManager.default.removeItem(atPath: "\(bench.folder)/taken")
        for name in bench.shelfContents() where name.hasPrefix("2") || name.hasPrefix(".partial") {
          try FileManager.default.removeItem(atPath: "\(bench.shelf)/\(name)")
        }
      }
    }
  }

  // MARK: Bounds

  @Test func `no more is expanded than the manifest says`() throws {
    try BackupFiles.with { files in
      let bomb = try shell("head -c 200000000 /dev/zero | zstd -q -o '\(files.path)/bomb'", in: files.bench.folder)
      #expect(bomb.exit == 0, "\(bomb.stderr)")
      let object = try #require(try files.names().first { $0.contains("blob_") && $0.hasSuffix(".zst") })
      _ = try shell("mv bomb '\(object)'", in: files.path)
      try files.reseal()
      let temporary = "\(files.bench.folder)/tmp"
      try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true)
      for command in [
        ["verify", files.id], ["restore", files.id, "--into", files.bench.newDatabaseName()],
        ["export", files.id, "-o", "x"],
      ] {
        // A file larger than that is one too much.
        let line = "ulimit -f 20000; exec \"$0\" \"$@\""
        var run = ProgramRun.command(
          ["-C", files.bench.folder, "/bin/bash", "-c", line, SourceTree.program] + command
            + ["--policies", files.bench.policies], ["TMPDIR": temporary])
        run.executable = "/usr/bin/env"
        let result = try ProgramRun(running: run)
        #expect(result.exit == 65, "\(command): \(result.exit) \(result.stdout)\(result.stderr)")
      }
    }
  }

  @Test(arguments: ["manifest.json", "SHA256SUMS", "verifications.jsonl", "hold.json"])
  func `a file of gigabytes where a small one should be is not read`(name: String) throws {
    try BackupFiles.with { files in
      if name == "hold.json" { #expect(try files.bench.holdfast("hold", files.id).exit == 0) }
      #expect(truncate("\(files.path)/\(name)", 3 << 30) == 0)
      let told = name == "SHA256SUMS" ? "do not agree" : "larger than"
      #expect(try files.bench.holdfast("verify", files.id).stderr.contains(told))
      for command in [["list"], ["show", files.id], ["status"], ["verify", files.id]] {
        let line = "ulimit -v 4000000; exec \"$0\" \"$@\""
        var run = ProgramRun.command(
          ["/bin/bash", "-c", line, SourceTree.program] + command + ["--policies", files.bench.policies])
        run.executable = "/usr/bin/env"
        let start = Date()
        let result = try ProgramRun(running: run)
        #expect([0, 2, 65, 66, 78].contains(result.exit), "\(command): \(result.exit) \(result.stderr)")
        #expect(Date().timeIntervalSince(start) < 60, "\(command)")
      }
    }
  }

  // MARK: Mutations

  private static let count = ProcessInfo.processInfo.environment["HOLDFAST_MUTATIONS"].flatMap(Int.init) ?? 60

  /// HOLDFAST_MUTATIONS=1000 tries more of them, HOLDFAST_MUTATION_SEED others.
  @Test func `whatever is done to the files of a repository, nothing else is touched`() throws {
    let seed = ProcessInfo.processInfo.environment["HOLDFAST_MUTATION_SEED"].flatMap(UInt64.init) ?? 1
    try DeployBench.with { deploy in
      let bench = deploy.bench
      let victim = "\(deploy.database)_victim"
      _ = try deploy.copy("victim")
      #expect(try deploy.run("backup").exit == 0)
      try deploy.deploy("20240201000000_more", "CREATE TABLE more (a int);")
      #expect(try deploy.confirmed("rollback").exit == 0)
      let pristine = "\(bench.folder)/pristine"
      let outside = "\(bench.folder)/outside"
      try FileManager.default.copyItem(atPath: bench.repository, toPath: pristine)
      _ = try shell(
        "mkdir -p outside/deep && echo secret-of-others >outside/secret && cp outside/secret outside/deep/x",
        in: bench.folder)
      func state() throws -> String {
        try shell("find outside -printf '%p %y %s %T@\\n' | sort; cat outside/secret outside/deep/x", in: bench.folder)
          .stdout
          + deploy.maintain(
            "SELECT string_agg(oid || datname, ',' ORDER BY oid) FROM pg_database WHERE datname IN ('\(victim)', 'template0', 'template1', 'postgres')"
          )
      }
      let before = try state()
      var random = SeededGenerator(seed: seed)
      var commands: [[String]] = []
      for round in 0..<Self.count {
        try FileManager.default.removeItem(atPath: bench.repository)
        try FileManager.default.copyItem(atPath: pristine, toPath: bench.repository)
        var mutation = Mutation(repository: bench.repository, outside: outside, victim: victim, random: random)
        let what = try mutation.apply()
        random = mutation.random
        let ids = try FileManager.default.contentsOfDirectory(atPath: "\(pristine)/app").sorted().filter {
          !$0.hasPrefix(".") && $0 != "deploys"
        }
        let id = ids.randomElement(using: &random) ?? "latest"
        commands = [
          ["list"], ["show", id], ["status"], ["verify", id], ["verify", "--all"], ["check"], ["prune", "--confirm"],
          ["restore", id, "--into", "\(deploy.database)_mutated"], ["export", id, "-o", "\(bench.folder)/exported"],
          ["hold", id], ["release", id], ["rollback", "--plan"], ["rollback", "--confirm", deploy.database],
          ["undo", "--confirm", deploy.database], ["resume", "--confirm", deploy.database],
          ["abandon", "--confirm", deploy.database], ["remove", id], ["backup"], ["migrations"],
        ]
        for command in commands.shuffled(using: &random).prefix(3) {
          let run = try ProgramRun(running: deploy.command(command))
          let message = "round \(round), \(what): \(command): \(run.exit)\n\(run.stdout)\n\(run.stderr)"
          #expect([0, 1, 2, 64, 65, 66, 69, 73, 75, 77, 78].contains(run.exit), "\(message)")
          #expect(!run.stdout.contains("secret-of-others") && !run.stderr.contains("secret-of-others"), "\(message)")
          #expect(try state() == before, "\(message)")
        }
        unlink("\(bench.folder)/exported")
        _ = try? deploy.maintain("DROP DATABASE IF EXISTS \"\(deploy.database)_mutated\" WITH (FORCE)")
      }
      let customers = try deploy.psql("SELECT count(*) FROM customers", database: victim)
      #expect(customers == "40", "the victim is as it was")
      // Alone, that is of these runs; among other tests it would be of theirs, too.
      guard ProcessInfo.processInfo.environment["HOLDFAST_MUTATIONS"] != nil else { return }
      var usage = rusage()
      getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &usage)
      #expect(usage.ru_maxrss < 300 << 10, "\(usage.ru_maxrss >> 10) MiB")
    }
  }
}
