import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import TestSupport
import Testing
import Workflows

/// What sums cannot tell, since they were written anew: only reading the archive to its end and its digests do.
@Suite struct VerifyArchiveTests {
  @Test func `an archive that differs from its digests is found by reading it, whatever the sums say`() throws {
    try BackupFiles.with { files in
      let data = try #require(try files.backup().manifest.files.first { $0.table == "public.small" })
      let change = "set -e; zstd -dcq '\(data.path)' | sed 's/two/too/' > x; zstd -qf x -o '\(data.path)'; rm x"
      #expect(try shell(change, in: files.path).exit == 0)
      try files.reseal()
      #expect(try files.problems().isEmpty)
      #expect(try files.bench.holdfast("verify", files.id, "--level", "checksum").exit == 0)
      let run = try files.bench.holdfast("verify", files.id, "--json")
      #expect(run.exit == 65)
      #expect(run.json.string("problems", 0, "table") == "public.small")
    }
  }

  @Test(arguments: ["directory", "custom", "plain"])
  func `every file of the manifest is hashed, whatever the format digests itself`(format: String) throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT 1 AS a", policy: "backup: {format: \(format)}") { bench in
      let files = BackupFiles(bench: bench, id: try bench.backUp())
      #expect(try shell("mkdir -p data && printf 12345 >data/9.dat", in: files.path).exit == 0)
      try files.reseal { $0.files.append(StoredFile(path: "data/9.dat", bytes: 5, sha256: "", rawBytes: 5)) }
      #expect(try shell("printf 54321 >data/9.dat", in: files.path).exit == 0)
      for level in ["checksum", "archive"] {
        let run = try bench.holdfast("verify", files.id, "--level", level, "--json")
        #expect(run.exit == 65 && run.json.string("problems", 0, "file") == "data/9.dat", "\(run.stdout)\(run.stderr)")
      }
    }
  }

  /// A part of the manifest's digests.
  enum Part: CaseIterable { case rows, table, sequences, largeObjects, schema }

  @Test func `digests of the manifest that were changed are found by reading the archive`() throws {
    try BackupFiles.with { files in
      let (manifest, sums) = (try files.read("manifest.json"), try files.read("SHA256SUMS"))
      for part in Part.allCases {
        try files.reseal { falsify(part, of: &$0.digests) }
        #expect(try files.examined().verification.ok == false, "\(part)")
        try files.write(manifest, to: "manifest.json")
        try files.write(sums, to: "SHA256SUMS")
      }
      #expect(try files.examined().verification.ok)
    }
  }

  private func falsify(_ part: Part, of digests: inout DatabaseDigest) {
    switch part {
    case .rows: for index in digests.tables.indices { digests.tables[index].rows += 1 }
    case .table: digests.tables.removeLast()
    case .sequences: digests.sequences.digest = "0"
    case .largeObjects: digests.largeObjects.count = 0
    case .schema: digests.schema.digest = "0"
    }
  }

  @Test(arguments: [
    ("\"$real\" \"$@\" | tac", "lists other tables"), ("\"$real\" \"$@\" | sed '/ small /d'", "lists other tables"),
    ("\"$real\" \"$@\" | sed 's/^[0-9]*; \\(.* other \\)/99999; \\1/'", "has no data file"),
  ])
  func `a listing that does not fit what is rendered gives no table the rows of another`(script: String, why: String)
    throws
  {
    try BackupFiles.with { files in
      let tools = try FakeTools(on: files.bench)
      try tools.replace("pg_restore", by: "if [ \"$1\" = -l ]; then \(script); else exec \"$real\" \"$@\"; fi")
      try files.bench.writePolicy(more: tools.policy)
      let verification = try files.bench.holdfast("verify", files.id)
      #expect(verification.exit == 65)
      #expect(verification.stderr.contains(why), "\(verification.stderr)")
      let backup = try files.bench.holdfast("backup", "--json")
      #expect(backup.json.string("error", "code") == "archive_incomplete", "\(backup.stdout)")
      #expect(files.bench.shelfContents() == [files.id])
    }
  }

  @Test(arguments: ["directory", "custom", "plain"])
  func `what is done so far never is more than there is to do, and comes near to it`(format: String) throws {
    let sql = "CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 20000) i"
    try Workbench.with(sql: sql, policy: "backup: {format: \(format), globals: false}") { bench in
      let id = try bench.backUp()
      let backup = try BackupFinder(Repository.open(bench.repository).listing(of: "app")).find(id)
      for level in [VerificationLevel.checksum, .archive] {
        let counter = CountingReporter()
        let surroundings = Surroundings(cancellation: Cancellation(), log: .silent, reporter: counter)
        #expect(try VerifyBackup(surroundings: surroundings).examine(backup, level: level).verification.ok)
        let (total, done) = counter.bytes
        #expect(total > 0 && done <= total && done > total * 9 / 10, "\(format), \(level): \(done) of \(total)")
      }
    }
  }

  @Test func `a data file that was taken out of manifest and folder alike is missed by the archive`() throws {
    try BackupFiles.with { files in
      let data = try #require(try files.backup().manifest.files.first { $0.table == "public.other" })
      try FileManager.default.removeItem(atPath: "\(files.path)/\(data.path)")
      try files.reseal { $0.files.removeAll { $0.path == data.path } }
      #expect(try files.examined().verification.ok == false)
    }
  }
}

/// Counts what a progress bar shows.
private final class CountingReporter: Reporter, @unchecked Sendable {
  private let lock = NSLock()
  private var total: UInt64 = 0
  private var done: UInt64 = 0

  var bytes: (total: UInt64, done: UInt64) { lock.withLock { (total, done) } }

  func begin(_ phase: String, about subject: String, totalBytes: UInt64?) { lock.withLock { total += totalBytes ?? 0 } }
  func advance(bytes: UInt64) { lock.withLock { done += bytes } }
  func headline(_ text: String) {}
  func end(_ phase: String, _ summary: String, seconds: Double) {}
  func abort(_ phase: String) {}
  func note(_ text: String) {}
  func output(_ bytes: UnsafeRawBufferPointer) {}
}

extension BackupFiles {
  /// What a verification to the level `archive` says, without the program around it.
  fileprivate func examined() throws -> VerifyBackup.Outcome {
    let surroundings = Surroundings(cancellation: Cancellation(), log: .silent, reporter: SilentReporter())
    return try VerifyBackup(surroundings: surroundings).examine(backup(), level: .archive)
  }
}
