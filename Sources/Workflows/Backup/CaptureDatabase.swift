import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Migrations
import PostgresTools

/// What was captured into a partial backup.
struct CapturedDump {
  var snapshot: Manifest.Snapshot
  var properties: DatabaseProperties
  /// Nil when the database has none.
  var history: [HistoryRow]?
  var activity: Manifest.Activity?
  /// Of its definitions.
  var uses: CountedDigest
  var oid: UInt32
  var databaseBytes: UInt64
  var globals: StoredFile?
  var archive: DumpedArchive
  var needs: Manifest.Needs
  /// What it lacks of what the catalogs have.
  var census: Census
  /// The policy's patterns that left something out.
  var leftOut: [String]
  /// The patterns of what was left out, with the schemas that they were found in.
  var excluded: [String]?
}

/// What a dump left in a partial backup, whatever its format.
struct DumpedArchive {
  /// The data, with its tables where each has a file.
  var files: [StoredFile]
  var digests: DatabaseDigest
  /// What a dump of the schema alone has, too.
  var definitions: CountedDigest
  var owners: Set<String>
  /// What its statements make.
  var objects: DumpedObjects
  var timings: [Manifest.Timing]
}

/// Captures a database into a partial backup: everything that the manifest says is of one snapshot.
struct CaptureDatabase {
  let policy: Policy
  let source: BackupSource
  let partial: PartialBackup
  let surroundings: Surroundings

  /// - Parameter expectedBytes: raw bytes of the last backup, for the progress.
  func run(expectedBytes: UInt64?) throws(Failure) -> CapturedDump {
    let work = try WorkFolder()
    let passwordFile = try work.passwordFile(for: source.target)

    // What needs no snapshot comes before it: the shorter it is open, the less it holds up.
    let globals = policy.backup.globals != .none ? try saveGlobals(passwordFile) : nil
    let database = try ServerReader(source.session).database()
    let start = CaptureStart(
      locks: TableLocks(
        try surroundings.connector.connect(source.target, purpose: "backup"),
        waitingAtMost: policy.backup.lockWaitTimeout, log: surroundings.log),
      observer: try surroundings.connector.connect(source.target, purpose: "backup"), passwordFile: passwordFile,
      expectedBytes: expectedBytes)
    let jobs = try surroundings.jobs(of: policy, on: source.session, database: source.target.database)
    var captured = try patiently { (alone) throws(Failure) in try attempt(start, jobs: alone ? 1 : jobs) }
    (captured.oid, captured.databaseBytes) = database
    captured.globals = globals
    try partial.synchronizeData()
    return captured
  }

  /// What every attempt begins with.
  private struct CaptureStart {
    var locks: TableLocks
    var observer: Session
    var passwordFile: String?
    var expectedBytes: UInt64?
  }

  private enum Attempt {
    case done(CapturedDump)
    /// It may succeed at another moment.
    case failedForNow(Failure)
  }

  /// Tries again when others change or lock tables at the beginning, as long as the policy waits for locks.
  ///
  /// - Parameter body: is told whether pg_dump is to work without workers.
  private func patiently(_ body: (_ alone: Bool) throws(Failure) -> Attempt) throws(Failure) -> CapturedDump {
    let deadline = ContinuousClock.now + max(policy.backup.lockWaitTimeout, .seconds(5))
    var refusedWorkers = 0
    for number in 1... {
      switch try body(refusedWorkers >= Self.refusalsToBear) {
      case .done(let captured): return captured
      case .failedForNow(let failure):
        if failure.code == DumpCommand.workerRefused { refusedWorkers += 1 }
        guard number < Self.attemptsAtLeast || ContinuousClock.now < deadline else { throw failure }
        surroundings.log.info("\(failure.why); taking the snapshot again")
        try surroundings.cancellation.check()
        try partial.discardData()
      }
    }
    throw .internalError("no attempt to dump was made")
  }

  private static let attemptsAtLeast = 5
  /// Then pg_dump works without workers: those ask for locks without waiting, and get none behind anybody.
  private static let refusalsToBear = 2

  /// One snapshot for everything that the manifest says.
  private func attempt(_ start: CaptureStart, jobs: Int) throws(Failure) -> Attempt {
    defer { start.locks.release() }
    try start.locks.take()
    let snapshot = try SnapshotSession(source.session, standby: source.facts.standby)
    defer { snapshot.abandon() }
    let purpose = DumpCommand.purpose(of: source.toolbox)
    let watch = DumpStart(
      snapshot, locks: start.locks, observer: start.observer, dumpName: "holdfast \(purpose)", log: surroundings.log)
    do throws(Failure) {
      let captured = try capture(start, snapshot, watch, purpose, jobs)
      try watch.end()
      try snapshot.close()
      return .done(captured)
    } catch {
      let isSpoiled = !outcome { () throws(Failure) in try watch.end() }
      try surroundings.cancellation.check()
      if isSpoiled, let failure = watch.failure, failure.isTransient { return .failedForNow(failure) }
      guard error.isTransient || (watch.othersCameFirst && error.code == "child_failed") else { throw error }
      return .failedForNow(error)
    }
  }

  private func outcome(_ body: () throws(Failure) -> Void) -> Bool {
    do throws(Failure) { try body() } catch { return false }
    return true
  }

  private func capture(
    _ start: CaptureStart, _ snapshot: SnapshotSession, _ watch: DumpStart, _ purpose: String, _ jobs: Int
  ) throws(Failure) -> CapturedDump {
    let reader = ServerReader(source.session)
    let properties = try reader.properties()
    for role in try reader.rolesWithLargeSettings() {
      surroundings.log.warning(
        "the backup does not contain the settings of role \(role) in this database: they have more than 16 KiB, or more than 1 MiB "
          + "together with those of other roles; to remove them: "
          + "ALTER ROLE \(quoteIdentifier(role)) IN DATABASE \(quoteIdentifier(source.target.database)) RESET ALL")
    }
    let history = try source.history()
    // A standby counts what is written to itself: nothing.
    let activity = source.facts.standby ? nil : try reader.activity()
    let uses = try ResolvedUses.digest(source.session)
    let patterns = policy.backup.excludeTableData
    let excluded = patterns.isEmpty ? nil : try ExcludedRows(source.session, patterns: patterns)
    if let failure = try excluded?.unfillableViews().joined { throw failure }
    for match in excluded?.matches ?? [] where match.leavesOut == nil {
      surroundings.log.warning("exclude_table_data \(match.pattern): it \(match.emptiness.why); \(match.emptiness.fix)")
    }

    step("dump")
    let command = DumpCommand(
      policy: policy, source: source, snapshot: snapshot.identifier, encoding: properties.dumpEncoding,
      passwordFile: start.passwordFile, folder: partial.path, purpose: purpose,
      jobs: jobs)
    let archive = try dump(command, watch, start.expectedBytes)
    let needs = try reader.needs(owners: archive.owners, properties: properties)
    // Which tables have rows, only the dump knows.
    try excluded?.checkReferences(archive.digests)
    let census = try TakeCensus(session: source.session, policy: policy, facts: source.facts, excluded: excluded)
      .run(archive, properties)
    return CapturedDump(
      snapshot: snapshot.snapshot, properties: properties, history: history, activity: activity, uses: uses, oid: 0,
      databaseBytes: 0, globals: nil,
      archive: archive, needs: needs, census: census,
      leftOut: excluded?.matches.filter { $0.leavesOut != nil }.map(\.pattern) ?? [],
      excluded: excluded?.matches.flatMap(\.qualified))
  }

  private func dump(
    _ command: DumpCommand, _ watch: DumpStart, _ expectedBytes: UInt64?
  ) throws(Failure) -> DumpedArchive {
    do throws(Failure) {
      return policy.backup.format == .directory
        ? try DirectoryDump(command: command, surroundings: surroundings, start: watch).run(
          expectedBytes: expectedBytes)
        : try StreamDump(command: command, surroundings: surroundings, start: watch).run(expectedBytes: expectedBytes)
    } catch {
      command.endSessions(surroundings)
      throw error
    }
  }

  /// Roles and tablespaces; the passwords' hashes only when the policy wants them and the role may see them.
  private func saveGlobals(_ passwordFile: String?) throws(Failure) -> StoredFile {
    let options = source.facts.superuser && policy.backup.globals == .whole ? [] : ["--no-role-passwords"]
    let database = Toolbox.connectionString(["dbname": source.target.database])
    let command = source.toolbox.command(
      "pg_dumpall", ["--globals-only", "-l", database] + options, on: source.target,
      purpose: "backup", passwordFile: passwordFile,
      settings: Toolbox.dumpSettings.merging(source.facts.loginSettings) { own, _ in own })
    if !source.facts.superuser, policy.backup.globals == .whole {
      surroundings.log.info("globals are saved without role passwords: only a superuser may read them")
    }
    let (text, exit) = try surroundings.runner.outputAndExit(
      of: command, silence: ServerSilence("globals of \(policy.name)"))
    surroundings.tellWarnings(of: exit, "pg_dumpall")
    guard Self.isWhole(globals: text) else {
      throw Failure(
        "child_failed", exit: .failed, what: "pg_dumpall",
        why: "it ended well, but its output is not a whole dump, or has something else before it",
        nextStep: "run the same command again; when it happens again, look at \(source.toolbox.path("pg_dumpall"))")
    }
    return try partial.write(text, to: "globals.sql")
  }

  /// Whether pg_dumpall's first and last words are there. Behind them come only comment lines and a meta-command.
  private static func isWhole(globals: String) -> Bool {
    guard globals.hasPrefix("--\n-- PostgreSQL database cluster dump\n") else { return false }
    // Its end alone: a setting in it may have millions of lines.
    let lines = globals.suffix(500).split(separator: "\n").reversed().drop {
      $0 == "--" || $0.hasPrefix("\\unrestrict ")
    }
    return lines.first == "-- PostgreSQL database cluster dump complete"
  }
}

extension Failure {
  /// Others changed or locked tables while the dump began: at another moment it may succeed.
  fileprivate var isTransient: Bool { ["tables_changed", "tables_wanted", DumpCommand.workerRefused].contains(code) }
}
