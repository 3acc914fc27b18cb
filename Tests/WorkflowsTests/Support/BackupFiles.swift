import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import TestSupport
import Testing
import Workflows

/// The files of a backup, and what the workflows say of it, without the program around them.
struct BackupFiles {
  let bench: Workbench
  let id: String

  private static let sql = """
    CREATE TABLE small (a int, s text); INSERT INTO small VALUES (1, 'one'), (2, 'two');
    CREATE TABLE noise AS SELECT md5(n::text) || md5((-n)::text) AS s FROM generate_series(1, 4000) n;
    CREATE TABLE other AS SELECT n FROM generate_series(1, 3) n; CREATE SEQUENCE counter; SELECT lo_from_bytea(0, 'big');
    """

  /// Runs a test on a backup of a small database with a bit of everything.
  static func with(_ body: (BackupFiles) throws -> Void) throws {
    try Workbench.with(sql: sql) { try body(BackupFiles(bench: $0, id: $0.backUp())) }
  }

  var path: String { bench.path(of: id) }
  private var manager: FileManager { .default }

  /// Paths inside the backup, of files only.
  func names() throws -> [String] {
    try manager.subpathsOfDirectory(atPath: path).filter { $0 != "data" }.sorted()
  }

  func read(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")) }
  func write(_ data: Data, to name: String) throws { try data.write(to: URL(fileURLWithPath: "\(path)/\(name)")) }

  /// Runs a body on the backup with one file changed, and puts it back.
  func changing(_ name: String, _ change: (Data) throws -> Data, _ body: () throws -> Void) throws {
    let good = try read(name)
    try write(try change(good), to: name)
    try body()
    try write(good, to: name)
  }

  /// As the repository shows it.
  func backup() throws -> Backup {
    try BackupFinder(Repository.open(bench.repository).listing(of: "app")).find(id)
  }

  /// What a check of the sums alone finds; nothing is recorded.
  func problems() throws -> [Problem] {
    let backup: Backup
    do throws(Failure) {
      backup = try BackupFinder(Repository.open(bench.repository).listing(of: "app")).find(id)
    } catch { return [Problem(problem: error.why)] }
    return try ChecksumCheck(backup).problems(threads: 2, cancellation: Cancellation()) { _ in }
  }

  /// Writes manifest and sums anew, as if the files had always been as they are now: only the archive's own digests can tell.
  func reseal(_ change: (inout Manifest) throws -> Void = { _ in }) throws {
    var manifest = try Manifest.decoder().decode(Manifest.self, from: read("manifest.json"))
    try change(&manifest)
    for index in manifest.files.indices {
      let file = try read(manifest.files[index].path)
      manifest.files[index].bytes = UInt64(file.count)
      manifest.files[index].sha256 = try sum(manifest.files[index].path)
    }
    try write(try Manifest.encoder().encode(manifest), to: "manifest.json")
    let names = manifest.files.map(\.path) + ["manifest.json"]
    try write(Data(try names.map { "\(try sum($0))  \($0)\n" }.joined().utf8), to: "SHA256SUMS")
  }

  private func sum(_ name: String) throws -> String {
    let run = try shell("sha256sum -- '\(name)'", in: path)
    return String(run.stdout.prefix { $0 != " " })
  }
}

/// A line of bash in a folder; `environment` beside what the tests give every program.
func shell(_ line: String, in folder: String, environment: [String: String] = [:]) throws -> ProgramRun {
  var command = ProgramRun.command(["-C", folder, "/bin/bash", "-c", line], environment)
  command.executable = "/usr/bin/env"
  return try ProgramRun(running: command)
}

extension Workbench {
  /// A restore that has to succeed.
  func restore(_ id: String, into name: String, _ more: String...) throws {
    let run = try ProgramRun(["restore", id, "--into", name, "--policies", policies] + more)
    #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
  }
}

/// Changes one bit of some data.
func flipped(at position: Int) -> (Data) -> Data {
  { data in
    var bad = data
    bad[bad.startIndex + position] ^= 0x04
    return bad
  }
}
