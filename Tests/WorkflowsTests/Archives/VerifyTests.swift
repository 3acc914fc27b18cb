import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import TestSupport
import Testing
import Workflows

/// Whatever is wrong with a backup is found, told, remembered, and keeps it from being used.
@Suite struct VerifyTests {
  @Test func `a flipped byte is found in every file of a real backup`() throws {
    try BackupFiles.with { files in
      #expect(try files.names().count > 9)
      for name in try files.names() {
        let good = try files.read(name)
        let positions = good.count <= 200 ? Array(good.indices) : (0..<25).map { _ in Int.random(in: good.indices) }
        var missed: [Int] = []
        for position in positions {
          var bad = good
          bad[position] ^= 1 << UInt8.random(in: 0...7)
          try files.write(bad, to: name)
          if try files.problems().isEmpty { missed.append(position) }
        }
        #expect(missed.isEmpty, "of \(good.count) bytes of \(name)")
        try files.write(good, to: name)
      }
      #expect(try files.problems().isEmpty)
    }
  }

  @Test func `damage is told with file and table, marks the backup, and keeps it from being used`() throws {
    try BackupFiles.with { files in
      let bench = files.bench
      let newer = try bench.backUp()
      let manifest = try BackupFiles(bench: bench, id: newer).backup().manifest
      let data = try #require(manifest.files.first { $0.table == "public.noise" })
      let damaged = BackupFiles(bench: bench, id: newer)
      try damaged.changing(data.path, flipped(at: 1000)) {
        let run = try bench.holdfast("verify", newer)
        #expect(run.exit == 65)
        #expect(run.stderr.contains("\(data.path) (public.noise): SHA-256 differs from the manifest"))
        #expect(run.stderr.contains("the newest good one is \(files.id)"))
      }
      // The byte is mended; the mark stays until a verification as thorough has passed.
      #expect(try state(bench, newer) == "damaged")
      #expect(try bench.holdfast("show", "latest", "--json").json.string("backup", "id") == files.id)
      #expect(try bench.holdfast("list").stdout.contains("DAMAGED: \(data.path)"))
      let copy = bench.newDatabaseName()
      #expect(try bench.holdfast("restore", newer, "--into", copy).exit == 65)
      #expect(try !bench.cluster.databases().contains(copy))
      #expect(try bench.holdfast("verify", newer, "--level", "checksum").exit == 0)
      #expect(try state(bench, newer) == "damaged")
      #expect(try bench.holdfast("verify", newer).exit == 0)
      #expect(try state(bench, newer) == "complete")
    }
  }

  @Test func `damage that no verification has seen yet stops a restore before any parser and any database`() throws {
    try BackupFiles.with { files in
      let bench = files.bench
      let tools = try FakeTools(on: bench)
      for tool in ["pg_restore", "pg_dump"] { try tools.replace(tool, by: "touch '\(bench.folder)/ran'; exit 1") }
      try bench.writePolicy(more: tools.policy)
      let copy = bench.newDatabaseName()
      try files.changing("data/toc.dat", flipped(at: 100)) {
        let run = try bench.holdfast("restore", files.id, "--into", copy, "--json")
        #expect(run.exit == 65)
        #expect(run.json.string("error", "code") == "backup_damaged")
      }
      #expect(access("\(bench.folder)/ran", F_OK) != 0)
      #expect(try !bench.cluster.databases().contains { $0.hasPrefix(copy) })
      #expect(try state(bench, files.id) == "damaged")
    }
  }

  @Test(arguments: ["cut", "emptied", "removed", "exchanged", "foreign", "manifest", "sums", "hold", "record"])
  func `the program finds it too, with 65 and one document`(harm: String) throws {
    try BackupFiles.with { files in
      #expect(try files.bench.holdfast("hold", files.id).exit == 0)
      let data = try files.names().filter { $0.hasSuffix(".dat.zst") }
      let (first, second) = (try #require(data.first), try #require(data.last))
      switch harm {
      case "cut": try files.write(files.read(first).dropLast(), to: first)
      case "emptied": try files.write(Data(), to: first)
      case "removed": try FileManager.default.removeItem(atPath: "\(files.path)/\(first)")
      case "exchanged":
        let content = try files.read(first)
        try files.write(files.read(second), to: first)
        try files.write(content, to: second)
      case "foreign": try files.write(Data(), to: "data/9999.dat.zst")
      case "manifest": try files.write(flipped(at: 40)(files.read("manifest.json")), to: "manifest.json")
      case "sums": try files.write(flipped(at: 0)(files.read("SHA256SUMS")), to: "SHA256SUMS")
      case "hold": try files.write(flipped(at: 12)(files.read("hold.json")), to: "hold.json")
      default: try files.write(flipped(at: 12)(files.read("verifications.jsonl")), to: "verifications.jsonl")
      }
      let run = try files.bench.holdfast("verify", files.id, "--level", "checksum", "--json")
      #expect(run.exit == 65)
      #expect(run.json.string("error", "code") == "backup_damaged")
      let copy = files.bench.newDatabaseName()
      #expect(try files.bench.holdfast("restore", files.id, "--into", copy).exit == 65)
      #expect(try files.bench.holdfast("verify", "--all").exit == 65)
      #expect(try files.bench.holdfast("show", "latest").exit == 66)
    }
  }

  @Test func `a note in a backup's folder is a warning, and keeps nobody from restoring`() throws {
    try BackupFiles.with { files in
      try files.write(Data("hi".utf8), to: "NOTES.txt")
      let run = try files.bench.holdfast("verify", files.id, "--json")
      #expect(run.exit == 0 && run.json.flag("ok") == true)
      let warning = (run.json.array("warnings") as? [String])?.first ?? ""
      #expect(warning.contains("NOTES.txt"), "\(run.stdout)")
      #expect(run.stderr.contains("NOTES.txt"), "\(run.stderr)")
      #expect(try files.bench.holdfast("restore", files.id, "--into", files.bench.newDatabaseName()).exit == 0)
      #expect(try files.bench.holdfast("verify", "--all", "--json").json.array("results", 0, "warnings")?.count == 1)
    }
  }

  @Test func `the sums work without Holdfast`() throws {
    try BackupFiles.with { files in
      #expect(try shell("sha256sum --check --strict SHA256SUMS", in: files.path).exit == 0)
      let listed = String(decoding: try files.read("SHA256SUMS"), as: UTF8.self).split(separator: "\n").count
      #expect(try files.names().count == listed + 2)  // the sums themselves and the verifications
      try files.changing("globals.sql", flipped(at: 3)) {
        let check = try shell("sha256sum --check --quiet SHA256SUMS", in: files.path)
        #expect(check.exit == 1)
      }
    }
  }

  @Test func `a reader that is killed says nothing of the backup`() throws {
    try BackupFiles.with { files in
      let tools = try FakeTools(on: files.bench)
      for script in [
        "kill -9 $$", "exit 127", "exit 0", "echo out of memory >&2; exit 1",
        "echo 'pg_restore: error: could not open input file \"toc.dat\": Too many open files' >&2; exit 1",
      ] {
        try tools.replace("pg_restore", by: script)
        try files.bench.writePolicy(more: tools.policy)
        for what in [files.id, "--all"] {
          let run = try files.bench.holdfast("verify", what, "--json")
          #expect(run.exit == 1)
          #expect(run.json.string("error", "code") == "child_failed", "\(run.stdout)")
        }
        try files.bench.writePolicy()
        #expect(try state(files.bench, files.id) == "complete")
      }
      try files.bench.restore(files.id, into: files.bench.newDatabaseName())
    }
  }

  @Test(arguments: [
    ("echo 'pg_restore: error: did not find magic string in file header' >&2; exit 1", "magic string"),
    ("kill -SEGV $$", "killed by signal 11"),
  ])
  func `a backup that its reader refuses, or crashes on, is damaged`(script: String, why: String) throws {
    try BackupFiles.with { files in
      let tools = try FakeTools(on: files.bench)
      try tools.replace("pg_restore", by: script)
      try files.bench.writePolicy(more: tools.policy)
      let run = try files.bench.holdfast("verify", files.id)
      #expect(run.exit == 65 && run.stderr.contains(why), "\(run.stderr)")
      #expect(try state(files.bench, files.id) == "damaged")
      let audit = try String(contentsOfFile: "\(files.bench.repository)/audit.jsonl", encoding: .utf8)
      #expect(audit.split(separator: "\n").last?.contains("\"outcome\":\"backup_damaged\"") == true, "\(audit)")
    }
  }

  @Test func `a folder of data that is none is damage, and recorded`() throws {
    try BackupFiles.with { files in
      let (data, aside) = ("\(files.path)/data", "\(files.bench.folder)/data")
      try FileManager.default.moveItem(atPath: data, toPath: aside)
      try Data("x".utf8).write(to: URL(fileURLWithPath: data))
      #expect(try files.bench.holdfast("verify", files.id, "--level", "checksum").exit == 65)
      #expect(try state(files.bench, files.id) == "damaged")
      try FileManager.default.removeItem(atPath: data)
      try FileManager.default.moveItem(atPath: aside, toPath: data)
      #expect(try files.bench.holdfast("verify", files.id).exit == 0)
    }
  }

  @Test func `a backup that may not be read is not damaged by that`() throws {
    try BackupFiles.with { files in
      let data = try #require(try files.backup().manifest.files.first { $0.table != nil })
      #expect(chmod("\(files.path)/\(data.path)", 0) == 0)
      // Without them root is stopped by a file's mode as anybody is.
      let powerless = getuid() == 0 ? "setpriv --bounding-set=-dac_override,-dac_read_search " : ""
      for line in ["verify \(files.id)", "verify --all", "restore \(files.id) --into \(files.bench.newDatabaseName())"]
      {
        let run = try shell(
          "\(powerless)'\(SourceTree.program)' \(line) --policies '\(files.bench.policies)'", in: files.path)
        #expect(run.exit == 77, "\(run.stderr)")
        #expect(run.stderr.contains("Permission denied"), "\(run.stderr)")
      }
      // Damage beside it is damage.
      let records = try? files.read("verifications.jsonl")
      try files.changing("globals.sql", flipped(at: 3)) {
        let both = try shell(
          "\(powerless)'\(SourceTree.program)' verify \(files.id) --policies '\(files.bench.policies)'", in: "/")
        #expect(both.exit == 65, "\(both.stderr)")
      }
      try files.write(try #require(records), to: "verifications.jsonl")
      #expect(chmod("\(files.path)/\(data.path)", 0o600) == 0)
      #expect(chmod("\(files.path)/data", 0o600) == 0)
      let folder = try shell("\(powerless)'\(SourceTree.program)' verify --policies '\(files.bench.policies)'", in: "/")
      #expect(folder.exit == 77, "\(folder.stderr)")
      #expect(chmod("\(files.path)/data", 0o700) == 0)
      let other = try files.bench.backUp()
      for (path, mode) in [(files.path, 0o700), ("\(files.path)/manifest.json", 0o600)] as [(String, mode_t)] {
        #expect(chmod(path, 0) == 0)
        let all = try shell(
          "\(powerless)'\(SourceTree.program)' verify --all --json --policies '\(files.bench.policies)'", in: "/")
        #expect(all.exit == 77, "\(all.stdout)")
        #expect(all.json.string("not_verified", 0, "backup") == files.id)
        #expect(all.json.array("broken")?.isEmpty == true && all.json.string("results", 0, "backup") == other)
        let status = try shell(
          "\(powerless)'\(SourceTree.program)' status --json --policies '\(files.bench.policies)'", in: "/")
        #expect(status.exit == 2, "\(status.stdout)")
        #expect(status.json.number("unreadable") == 1 && status.json.number("damaged") == 0)
        #expect(chmod(path, mode) == 0)
      }
      #expect(try state(files.bench, files.id) == "complete")
      try files.bench.restore(files.id, into: files.bench.newDatabaseName())
    }
  }

  @Test func `what is held again is held for the same reason`() throws {
    try BackupFiles.with { files in
      #expect(try files.bench.holdfast("hold", files.id, "--reason", "the move").exit == 0)
      for (words, reason) in [([String](), "the move"), (["--reason", "audit"], "audit")] {
        #expect(try ProgramRun(["hold", files.id, "--policies", files.bench.policies] + words).exit == 0)
        let run = try files.bench.holdfast("show", files.id, "--json")
        #expect(run.json.string("backup", "hold", "reason") == reason, "\(run.stdout)")
      }
    }
  }

  @Test func `verify without an id takes the newest good backup, and all of them are counted`() throws {
    try BackupFiles.with { files in
      let bench = files.bench
      try bench.backUp()
      let latest = try bench.holdfast("show", "latest", "--json").json.string("backup", "id")
      #expect(try bench.holdfast("verify", "--json").json.string("backup") == latest)
      let all = try bench.holdfast("verify", "--all", "--level", "checksum", "--json")
      #expect(all.exit == 0)
      #expect(all.json.array("results")?.count == 2)
    }
  }

  private func state(_ bench: Workbench, _ id: String) throws -> String? {
    try bench.holdfast("show", id, "--json").json.string("backup", "state")
  }
}
