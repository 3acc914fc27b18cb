import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Migrations
import PostgresTools
import StreamPipeline

/// What was captured into a partial backup.
struct CapturedDump {
  var snapshot: Manifest.Snapshot
  var properties: DatabaseProperties
  /// Nil when the database has none.
  var history: [HistoryRow]?
  var oid: UInt32
  var databaseBytes: UInt64
  var globals: StoredFile?
  /// Files below `data/`, with their tables.
  var data: [StoredFile]
  var digests: DatabaseDigest
  var needs: Manifest.Needs
  var timings: [Manifest.Timing]
}

/// Captures a database in directory format: pg_dump writes, and the pass behind it stores and digests.
struct DirectoryCapture {
  let policy: Policy
  let source: BackupSource
  let partial: PartialBackup
  let surroundings: Surroundings

  private var data: String { "\(partial.path)/data" }
  private var jobs: Int { policy.backup.jobs ?? surroundings.cores }

  /// - Parameter expectedBytes: raw bytes of the last backup, for the progress.
  func run(expectedBytes: UInt64?) throws(Failure) -> CapturedDump {
    let work = try WorkFolder()
    let passwordFile = try work.passwordFile(for: source.target)

    // What needs no snapshot comes before it: the shorter it is open, the less it holds up.
    let globals = policy.backup.globals ? try saveGlobals(passwordFile) : nil

    // One snapshot for everything that the manifest says.
    let locks = try TableLocks(
      try surroundings.connector.connect(source.target, purpose: "backup"),
      waitingAtMost: policy.backup.lockWaitTimeout, log: surroundings.log)
    let snapshot = try SnapshotSession(source.session, standby: source.facts.standby, locks: locks)
    let reader = ServerReader(source.session)
    let properties = try reader.properties()
    let (oid, bytes) = try reader.database()
    let history = try source.history()

    step("dump")
    let (stored, dumping) = try surroundings.phase(
      "dump", total: expectedBytes, summary: { Self.summary($0) }
    ) { () throws(Failure) in try dump(snapshot.identifier, properties, passwordFile) }

    step("read the contents")
    let (contents, reading) = try surroundings.phase("contents", summary: { counted($0.tables.count, "table") }) {
      () throws(Failure) in
      try ArchiveContents.read(
        data: data, rawNames: Array(stored.keys), toolbox: source.toolbox, surroundings: surroundings)
    }
    let needs = try reader.needs(owners: contents.owners, properties: properties)
    let digests = try contents.digest(with: stored.compactMapValues(\.content))
    if !policy.backup.excludeTableData.isEmpty { try ExcludedRows(source.session, policy).check(digests) }
    try snapshot.close()
    try partial.synchronizeData()
    return CapturedDump(
      snapshot: snapshot.snapshot, properties: properties, history: history, oid: oid, databaseBytes: bytes,
      globals: globals,
      data: try files(stored, contents), digests: digests, needs: needs, timings: [dumping, reading])
  }

  // MARK: Steps

  private func dump(
    _ snapshot: String, _ properties: DatabaseProperties, _ passwordFile: String?
  ) throws(Failure) -> [String: DataFilePass.Result] {
    let reporter = surroundings.reporter
    let pass = TrailingPass(
      folder: data, compression: policy.backup.compression, threads: jobs, cancellation: surroundings.cancellation,
      progress: { reporter.advance(bytes: $0) })
    let command = source.toolbox.command(
      "pg_dump", dumpArguments(snapshot) + properties.dumpEncoding, on: source.target, purpose: "backup",
      passwordFile: passwordFile, settings: Toolbox.dumpSettings)
    let start = ContinuousClock.now
    do throws(Failure) {
      let exit = try surroundings.runner.run(command, stopping: { pass.failed })
      // A pass without room for its output is the cause, whatever pg_dump says of its end.
      if pass.failed { try pass.check() }
      try checkCauses(exit, seconds: (ContinuousClock.now - start).seconds)
      try exit.check("pg_dump")
    } catch {
      pass.abandon()
      throw error
    }
    return try pass.finish()
  }

  /// What pg_dump has only words for, in its own language (`LC_ALL`), though its user has to do something of his own about it.
  ///
  /// - Throws: `no_space`, `table_locked`.
  private func checkCauses(_ exit: ChildExit, seconds: Double) throws(Failure) {
    guard !exit.succeeded else { return }
    // The server's own disk may be full too; its errors do not begin so.
    let lines = exit.standardError.split(whereSeparator: \.isNewline)
    if lines.contains(where: { $0.hasPrefix("pg_dump: error: could not ") && $0.hasSuffix(systemError(ENOSPC)) }) {
      throw cannotWrite(data, ENOSPC)
    }
    let limit = Double(policy.backup.lockWaitTimeout.milliseconds) / 1000
    let statement = /Query was: LOCK TABLE (.+) IN ACCESS SHARE MODE/
    guard seconds >= limit, let tables = exit.standardError.firstMatch(of: statement)?.1 else { return }
    throw .tableLocked(
      policy.name, tables: String(tables), wait: policy.backup.lockWaitTimeout, details: exit.lastLines)
  }

  private func dumpArguments(_ snapshot: String) -> [String] {
    ["-Fd", "-Z0", "-j", "\(jobs)", "--no-sync", "--snapshot=\(snapshot)", "-f", data]
      + ["--lock-wait-timeout=\(policy.backup.lockWaitTimeout.milliseconds)"]
      + policy.backup.excludeTableData.map { "--exclude-table-data=\($0)" }
  }

  /// Roles and tablespaces; the passwords' hashes only when the role may see them.
  private func saveGlobals(_ passwordFile: String?) throws(Failure) -> StoredFile {
    let options = source.facts.superuser ? [] : ["--no-role-passwords"]
    let database = Toolbox.connectionString(["dbname": source.target.database])
    let command = source.toolbox.command(
      "pg_dumpall", ["--globals-only", "-l", database] + options, on: source.target,
      purpose: "backup", passwordFile: passwordFile, settings: Toolbox.dumpSettings)
    if !source.facts.superuser {
      surroundings.log.info("globals are saved without role passwords: only a superuser may read them")
    }
    let text = try surroundings.runner.output(of: command)
    guard Self.isWhole(globals: text) else {
      throw Failure(
        "child_failed", exit: .failed, what: "pg_dumpall", why: "it ended well, but its output stops before its end",
        nextStep: "run the same command again; when it happens again, look at \(source.toolbox.path("pg_dumpall"))")
    }
    return try partial.write(text, to: "globals.sql")
  }

  /// Whether pg_dumpall's last words are there. Behind them come only comment lines and a meta-command.
  private static func isWhole(globals: String) -> Bool {
    let lines = globals.split(separator: "\n").reversed().drop { $0 == "--" || $0.hasPrefix("\\unrestrict ") }
    return lines.first == "-- PostgreSQL database cluster dump complete"
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
      guard DataFileKind(name: name) == .contents, !name.hasSuffix(".zst") else {
        throw .internalError("data/\(name) was written but not captured")
      }
      let (bytes, sha) = try hashFile("\(data)/\(name)")
      files.append(StoredFile(path: "data/\(name)", bytes: bytes, sha256: sha))
    }
    return files.sorted { $0.path < $1.path }
  }

  private static func summary(_ stored: [String: DataFilePass.Result]) -> String {
    let raw = stored.values.reduce(0) { $0 + ($1.stored.rawBytes ?? 0) }
    let bytes = stored.values.reduce(0) { $0 + $1.stored.bytes }
    let percent = raw == 0 ? 100 : Int((Double(bytes) / Double(raw) * 100).rounded())
    return "\(sizeText(raw)) → \(sizeText(bytes)) stored (\(percent) %)"
  }
}

extension DatabaseProperties {
  /// pg_dump's option for a database whose text does not survive the way through UTF-8, which every other one is dumped in: some of its
  /// characters have no equivalent there, or come back as others. Measured with `convert` on PostgreSQL 15, byte by byte.
  var dumpEncoding: [String] {
    let survive = ["UTF8", "ISO_8859_5", "KOI8R", "KOI8U", "WIN866", "WIN1256"]
    if survive.contains(encoding) || (encoding.hasPrefix("LATIN") && encoding != "LATIN3") { return [] }
    return ["--encoding=\(encoding)"]
  }
}

extension Duration {
  var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
