import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// Dumps in the formats of one file: what pg_dump prints is digested, compressed, hashed and stored in one pass, and never lies raw on a
/// disk.
struct StreamDump {
  let command: DumpCommand
  let surroundings: Surroundings
  /// Told when pg_dump prints: it has locked every table before.
  let start: DumpStart

  private var format: BackupFormat { command.settings.format }
  private var compression: Compression { command.settings.compression }

  func run(expectedBytes: UInt64?) throws(Failure) -> DumpedArchive {
    let scanner = SharedScanner()
    let (stored, dumping) = try surroundings.phase(
      "dump", total: expectedBytes, summary: { storedSummary(raw: $0.rawBytes ?? $0.bytes, stored: $0.bytes) }
    ) { () throws(Failure) in
      let writer = try StoredFileWriter(
        creating: "\(command.folder)/\(format.file ?? "data")\(compression.ending)", compression: compression,
        threads: surroundings.cores)
      format == .plain ? try dumpPlain(writer, scanner) : try dumpCustom(writer, scanner)
      return try writer.stored()
    }
    return DumpedArchive(
      files: [stored], digests: try scanner.finish(), definitions: scanner.definitions, owners: scanner.owners,
      objects: scanner.objects, timings: [dumping])
  }

  private func dumpPlain(_ writer: StoredFileWriter, _ scanner: SharedScanner) throws(Failure) {
    try dump(["-Fp"]) { (piece) throws(Failure) in
      try scanner.scan(piece)
      try writer.write(piece)
    }
  }

  /// The archive is rendered while it is written: its digests are those of the SQL that it stands for.
  private func dumpCustom(_ writer: StoredFileWriter, _ scanner: SharedScanner) throws(Failure) {
    let exit = try surroundings.runner.run(
      command.toolbox.command("pg_restore", ["-Fc", "-f", "-"]),
      feed: { (put) throws(Failure) in
        try dump(["-Fc", "-Z0"]) { (piece) throws(Failure) in
          try writer.write(piece)
          try put(piece)
        }
      }, take: { (piece) throws(Failure) in try scanner.scan(piece) })
    try exit.check("pg_restore")
  }

  private func dump(
    _ format: [String], _ take: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    let begin = ContinuousClock.now
    let reporter = surroundings.reporter
    let start = self.start
    let exit = try surroundings.runner.run(
      command.command(format), stopping: { start.failure != nil },
      silence: ServerSilence("backup of \(command.policy.name)")
    ) { (piece) throws(Failure) in
      start.dumpBegan()
      try take(piece)
      reporter.advance(bytes: UInt64(piece.count))
    }
    try command.check(exit, since: begin)
    surroundings.tellWarnings(of: exit, "pg_dump")
  }
}
