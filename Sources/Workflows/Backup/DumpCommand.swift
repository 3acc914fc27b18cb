import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// The call of pg_dump, and what its failures mean.
struct DumpCommand {
  let policy: Policy
  let source: BackupSource
  /// As the exporting session calls it.
  let snapshot: String
  /// pg_dump's option for the encoding, where it needs one.
  let encoding: [String]
  let passwordFile: String?
  /// The partial backup's.
  let folder: String

  /// What its sessions are for, as the server is told. Behind a wrapper they may outlive the wrapper, and have to be known then.
  let purpose: String

  /// Tables dumped at the same time, where the format can.
  let jobs: Int

  var settings: BackupSettings { policy.backup }
  var toolbox: Toolbox { source.toolbox }

  /// - Parameter format: pg_dump's options for it.
  func command(_ format: [String]) -> ChildCommand {
    let options =
      format + ["--snapshot=\(snapshot)", "--lock-wait-timeout=\(settings.lockWaitTimeout.milliseconds)"]
      + settings.excludeTableData.map { "--exclude-table-data=\($0)" } + encoding
    return toolbox.command(
      "pg_dump", options, on: source.target, purpose: purpose, passwordFile: passwordFile,
      settings: Toolbox.dumpSettings.merging(source.facts.loginSettings) { own, _ in own })
  }

  static func purpose(of toolbox: Toolbox) -> String {
    toolbox.isWrapped ? "backup \(String(UInt32.random(in: 0...UInt32.max), radix: 16))" : "backup"
  }

  /// Ends what a wrapper has left running: `docker exec` hands no signal on, and the dump would go on in its container, with a lock on every
  /// table.
  func endSessions(_ surroundings: Surroundings) {
    guard toolbox.isWrapped else { return }
    do throws(Failure) {
      let session = try Connector(cancellation: Cancellation(), log: .silent).connect(source.target, purpose: "backup")
      try session.query(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE application_name = $1",
        ["holdfast \(purpose)"])
    } catch { surroundings.log.warning("sessions of pg_dump may be left on the server: \(error.why)") }
  }

  /// - Parameter start: when pg_dump was started.
  /// - Throws: `child_failed`, `no_space`, `table_locked`, `worker_refused`.
  func check(_ exit: ChildExit, since start: ContinuousClock.Instant) throws(Failure) {
    try checkCauses(exit, seconds: (ContinuousClock.now - start).seconds)
    try exit.check("pg_dump")
  }

  static let workerRefused = "worker_refused"

  /// What pg_dump has only words for, in its own language (`LC_ALL`), though its user has to do something of his own about it.
  private func checkCauses(_ exit: ChildExit, seconds: Double) throws(Failure) {
    guard !exit.succeeded else { return }
    // The server's own disk may be full too; its errors do not begin so. Two workers' lines may run into each other.
    let lines = exit.standardError.split(whereSeparator: \.isNewline)
    if lines.contains(where: { $0.contains("error: could not ") && $0.contains(systemError(ENOSPC)) }) {
      throw cannotWrite(folder, ENOSPC)
    }
    // A worker asks for its lock without waiting. Behind anybody who waits for pg_dump's first session it gets none.
    if lines.contains(where: { $0.contains("error: could not obtain lock on relation") }) {
      throw Failure(
        Self.workerRefused, exit: .failed, what: "backup of \(policy.name)",
        why: "somebody waits for a table that a worker of pg_dump was to lock",
        nextStep: "run the same command again, or with jobs: 1", details: exit.lastLines)
    }
    let limit = Double(settings.lockWaitTimeout.milliseconds) / 1000
    let statement = /Query was: LOCK TABLE (.+) IN ACCESS SHARE MODE/
    guard seconds >= limit, let tables = exit.standardError.firstMatch(of: statement)?.1 else { return }
    throw .tableLocked(
      policy.name, tables: String(tables), wait: settings.lockWaitTimeout, details: exit.lastLines)
  }
}

/// `471 MB → 198 MB stored (42 %)`
func storedSummary(raw: UInt64, stored: UInt64) -> String {
  let percent = raw == 0 ? 100 : Int((Double(stored) / Double(raw) * 100).rounded())
  return "\(sizeText(raw)) → \(sizeText(stored)) stored (\(percent) %)"
}
