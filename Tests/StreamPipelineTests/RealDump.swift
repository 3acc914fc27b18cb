import BackupModel
import Diagnostics
import Foundation
import Planning
import PostgresTools
import StreamPipeline
import TestSupport

/// Dumps of a database by the real programs.
struct RealDump {
  let bench: Workbench
  var database: String
  private let toolbox: Toolbox
  private let runner = ChildRunner(cancellation: Cancellation())

  init(_ bench: Workbench, database: String? = nil) {
    self.bench = bench
    self.database = database ?? bench.database
    toolbox = Toolbox(
      installation: ClientInstallation(directory: bench.cluster.binaries, version: ClientVersion(major: 0, minor: 0)))
  }

  /// The plain text, whole.
  func text(_ options: [String] = []) throws -> [UInt8] {
    var text: [UInt8] = []
    try run("pg_dump", ["-Fp"] + options) { text += $0 }
    return text
  }

  func plain() throws -> DatabaseDigest {
    try scanning { scanner in try run("pg_dump", ["-Fp"]) { (piece) throws(Failure) in try scanner.scan(piece) } }
  }

  /// An archive of the database, rendered by pg_restore.
  func rendered(_ format: String) throws -> DatabaseDigest {
    let archive = "\(bench.folder)/archive \(format)"
    defer { try? FileManager.default.removeItem(atPath: archive) }
    try run("pg_dump", [format, "-f", archive]) { _ in }
    let command = ChildCommand(
      executable: toolbox.path("pg_restore"), arguments: ["-f", "-", archive], environment: Toolbox.baseEnvironment())
    return try scanning { scanner in
      try runner.run(command) { (piece) throws(Failure) in try scanner.scan(piece) }.check("pg_restore")
    }
  }

  /// Restores the database into a new one.
  func restored(into name: String) throws -> RealDump {
    let archive = "\(bench.folder)/archive for \(name)"
    defer { try? FileManager.default.removeItem(atPath: archive) }
    try run("pg_dump", ["-Fc", "-f", archive]) { _ in }
    try bench.createDatabase(name)
    var copy = self
    copy.database = name
    try copy.run("pg_restore", ["--exit-on-error", archive]) { _ in }
    return copy
  }

  private func scanning(_ body: (DumpScanner) throws -> Void) throws -> DatabaseDigest {
    let scanner = DumpScanner()
    try body(scanner)
    return try scanner.finish()
  }

  private func run(
    _ tool: String, _ arguments: [String], take: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws {
    let target = try ConnectionURL.parse(Secret(bench.cluster.url(database)))
    let command = toolbox.command(
      tool, arguments, on: target, purpose: "test", passwordFile: nil, settings: Toolbox.dumpSettings)
    try runner.run(command, take: take).check(tool)
  }
}
