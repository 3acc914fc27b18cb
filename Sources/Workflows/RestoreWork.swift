import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// Filling one new database; its proof is in a file of its own.
struct RestoreWork {
  let backup: Backup
  let target: ConnectionTarget
  let toolbox: Toolbox
  let surroundings: Surroundings
  private let work: WorkFolder
  private let passwordFile: String?
  /// Not the whole backup.
  let tables: TableRestore?
  /// A backup that is being restored is not pruned.
  private let use: BackupUse

  /// - Parameter tables: restores them only.
  init(
    backup: Backup, target: ConnectionTarget, toolbox: Toolbox, surroundings: Surroundings, tables: TableRestore? = nil
  ) throws(Failure) {
    self.tables = tables
    self.backup = backup
    self.target = target
    self.toolbox = toolbox
    self.surroundings = surroundings
    use = try BackupUse.reading(backup)
    work = try WorkFolder()
    passwordFile = try work.passwordFile(for: target)
  }

  var manifest: Manifest { backup.manifest }

  var expected: DatabaseDigest { tables?.expected ?? manifest.digests }
  /// Raw bytes of what is restored; nil where rows are not told apart.
  var dataBytes: UInt64? {
    guard let tables else { return manifest.dataBytes }
    return tables.bytes > 0 ? tables.bytes : nil
  }

  func fill() throws(Failure) {
    let session = try surroundings.connector.connect(target, purpose: "restore")
    let server = session.serverVersion / 10_000
    PublicSchema(dumpedBy: manifest.dumpMajor, server: server).prepare(session)
    let unknown = UnknownSetting(client: toolbox.installation.version.major, server: server)
    step("fill the database")
    _ = try surroundings.phase(
      "restore", total: dataBytes, summary: { counted(expected.tables.count, "table") }
    ) { () throws(Failure) in
      if let tables { return try tables.fill(target) }
      switch manifest.format {
      case .directory: try fillFromDirectory(unknown)
      case .custom: try stream(into: "pg_restore", ["-Fc"] + unknown.arguments, unknown, try quiet(session))
      case .plain:
        let written = UnknownSetting(client: manifest.dumpMajor, server: server)
        try stream(into: "psql", ["-X", "-q", "-v", "ON_ERROR_STOP=1"], written, try quiet(session))
      }
    }
  }

  private func fillFromDirectory(_ unknown: UnknownSetting) throws(Failure) {
    try toolbox.requireFiles(of: .directory, what: "restore of \(backup.id)")
    try DirectoryRestore(
      backup: backup, target: target, surroundings: surroundings,
      pgRestore: { (arguments) throws(Failure) in
        let command = filling("pg_restore", unknown.arguments + arguments, indexSettings)
        try unknown.check(try surroundings.runner.run(command, stopping: nil))
      }, toolbox: toolbox
    ).run()
  }

  /// Feeds a program with the backup's one file. A plain dump goes by the scanner once more: a psql command that pg_dump does not write, and
  /// an end before the end, are no longer possible in a file with the right hash, but what psql would do with them is too much.
  private func stream(
    into program: String, _ arguments: [String], _ unknown: UnknownSetting, _ settings: [String: String]
  ) throws(Failure) {
    let text = try BackupText(backup, toolbox: toolbox, surroundings: surroundings)
    let reporter = surroundings.reporter
    let scanner = program == "psql" ? DumpScanner() : nil
    var isFirst = true
    let exit = try surroundings.runner.run(
      filling(program, arguments, settings),
      feed: { (put) throws(Failure) in
        if scanner != nil { try put(Self.unsetVariables) }
        try text.expandFile { (piece) throws(Failure) in
          try scanner?.scan(piece)
          // Nothing but the beginning of a dump speaks of the session.
          if isFirst, scanner != nil { try unknown.withoutIt(piece, put) } else { try put(piece) }
          isFirst = false
          reporter.advance(bytes: UInt64(piece.count))
        }
      }, take: { _ in })
    if scanner == nil { try unknown.check(exit) } else { try exit.check(program) }
    _ = try scanner?.finish()
  }

  /// In `a[1:"USER"]` psql would put a variable of its own.
  private static var unsetVariables: UnsafeRawBufferPointer {
    let lines: StaticString =
      "\\unset DBNAME\n\\unset USER\n\\unset HOST\n\\unset PORT\n\\unset ENCODING\n\\unset VERSION\n"
    return UnsafeRawBufferPointer(start: lines.utf8Start, count: lines.utf8CodeUnitCount)
  }

  private func filling(_ program: String, _ arguments: [String], _ settings: [String: String]) -> ChildCommand {
    tool(program, arguments, settings: Toolbox.restoreSettings.merging(settings) { _, new in new })
  }

  /// Keeps the event triggers of a dump in one file from waking for what the same dump makes after them. Only a superuser can, and only a
  /// superuser can make event triggers.
  private func quiet(_ session: Session) throws(Failure) -> [String: String] {
    try ServerReader(session).facts().superuser ? ["session_replication_role": "replica"] : [:]
  }

  /// One index on several cores at once is quicker only where there is one large table: elsewhere each core has an index of its own.
  private var indexSettings: [String: String] {
    let largest = manifest.dataFiles.map { $0.stored.rawBytes ?? $0.stored.bytes }.max() ?? 0
    return ["max_parallel_maintenance_workers": largest > manifest.dataBytes / 2 ? "2" : "0"]
  }

  func tool(_ name: String, _ arguments: [String], settings: [String: String]) -> ChildCommand {
    toolbox.command(
      name, arguments, on: target, purpose: "restore", passwordFile: passwordFile, settings: settings)
  }
}

extension Manifest {
  /// Raw bytes of the data files: what a restore reads and a dump writes.
  var dataBytes: UInt64 {
    let stored = dataFile.map { [$0] } ?? dataFiles.map(\.stored)
    return stored.reduce(0) { $0 + ($1.rawBytes ?? $1.bytes) }
  }
}
