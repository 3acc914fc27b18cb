import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// Dumps in directory format: pg_dump writes a file per table, and the pass behind it stores and digests.
struct DirectoryDump {
  let command: DumpCommand
  let surroundings: Surroundings
  /// Told when there is a file: pg_dump has locked every table before it writes the first.
  let start: DumpStart

  private var data: String { "\(command.folder)/data" }
  private var jobs: Int { command.jobs }

  func run(expectedBytes: UInt64?) throws(Failure) -> DumpedArchive {
    let (stored, dumping) = try surroundings.phase(
      "dump", total: expectedBytes, summary: { Self.summary($0) }, dump)
    step("read the contents")
    let (contents, reading) = try surroundings.phase("contents", summary: { counted($0.tables.count, "table") }) {
      () throws(Failure) in
      try ArchiveContents.read(
        data: data, rawNames: Array(stored.keys), toolbox: command.toolbox, surroundings: surroundings)
    }
    let digests = try contents.digest(with: stored.compactMapValues(\.content)) { (file, rows) throws(Failure) in
      try ArchiveContents.digest("\(data)/\(stored[file]?.stored.path ?? file)", rows, surroundings)
    }
    return DumpedArchive(
      files: try files(stored, contents), digests: digests, definitions: contents.definitions,
      owners: contents.owners, objects: contents.objects, timings: [dumping, reading])
  }

  private func dump() throws(Failure) -> [String: DataFilePass.Result] {
    let (reporter, start) = (surroundings.reporter, self.start)
    let silence = ServerSilence("backup of \(command.policy.name)")
    let pass = TrailingPass(
      folder: data, compression: command.settings.compression, threads: jobs, cancellation: surroundings.cancellation,
      progress: { bytes in
        silence.end()
        start.dumpBegan()
        reporter.advance(bytes: bytes)
      })
    let begin = ContinuousClock.now
    do throws(Failure) {
      let exit = try surroundings.runner.run(
        command.command(["-Fd", "-Z0", "-j", "\(jobs)", "--no-sync", "-f", data]),
        stopping: { pass.failed || start.failure != nil }, pausing: { pass.mustWait() }, silence: silence)
      // A pass without room for its output is the cause, whatever pg_dump says of its end.
      if pass.failed { try pass.check() }
      try command.check(exit, since: begin)
      surroundings.tellWarnings(of: exit, "pg_dump")
    } catch {
      pass.abandon()
      throw error
    }
    return try pass.finish()
  }

  /// The files for the manifest: the data, each with its table, and the tables of contents.
  private func files(
    _ stored: [String: DataFilePass.Result], _ contents: ArchiveContents
  ) throws(Failure) -> [StoredFile] {
    let tables = Dictionary(contents.tables.map { ($0.file, $0.table.qualifiedName) }) { first, _ in first }
    var files = stored.map { raw, result in
      var file = result.stored
      file.path = "data/\(file.path)"
      file.table = tables[raw]
      return file
    }
    let known = Set(files.map(\.path))
    for name in try folderNames(data) where !known.contains("data/\(name)") {
      guard DataFileKind(name: name) == .contents, rawName(name) == name else {
        throw .internalError("data/\(name) was written but not captured")
      }
      let (bytes, sha) = try hashFile("\(data)/\(name)")
      files.append(StoredFile(path: "data/\(name)", bytes: bytes, sha256: sha))
    }
    return files.sorted { $0.path < $1.path }
  }

  private static func summary(_ stored: [String: DataFilePass.Result]) -> String {
    storedSummary(
      raw: stored.values.reduce(0) { $0 + ($1.stored.rawBytes ?? 0) },
      stored: stored.values.reduce(0) { $0 + $1.stored.bytes })
  }
}
