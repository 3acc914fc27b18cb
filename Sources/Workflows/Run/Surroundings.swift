import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Planning
import PostgresTools

/// What every workflow is handed: how it is stopped, whom it tells, what time it is.
package struct Surroundings: Sendable {
  package var cancellation: Cancellation
  package var log: Log
  package var reporter: any Reporter
  package var now: @Sendable () -> Date
  /// Cores that this process may use; where it works on a server, also how many sessions it may have for that at once.
  package var cores: Int
  /// The policy's `trust_owner`; see `OwnerLogins`.
  var trustsOwner = true
  /// `--accept-old-client`: a client with known holes may read what nobody is trusted with.
  package var acceptsOldClient = false
  /// What Holdfast was started with. Programs of the user's get all of it, our own children none of libpq's variables.
  package var environment: [String: String]
  /// That Holdfast was started with: programs of the user's make files for whom he lets read them.
  package var umask: mode_t?

  package init(
    cancellation: Cancellation, log: Log, reporter: any Reporter,
    now: @escaping @Sendable () -> Date = { Date() }, cores: Int = availableCores(),
    environment: [String: String] = ProcessInfo.processInfo.environment, umask: mode_t? = nil
  ) {
    self.cancellation = cancellation
    self.log = log
    self.reporter = reporter
    self.now = now
    self.cores = cores
    self.environment = environment
    self.umask = umask
  }

  var connector: Connector { Connector(cancellation: cancellation, log: log) }
  var runner: ChildRunner { ChildRunner(cancellation: cancellation, log: log) }

  /// The client for a server, with a warning when it is below the safe minor version: every night's quiet run need not tell what `check` tells.
  func toolbox(forMajor major: Int, demanded: ToolSettings) throws(Failure) -> Toolbox {
    let installed = try Toolbox.installed(demanded: demanded, runner: runner)
    let chosen = try chooseClient(for: major, among: installed, demanded: demanded.place)
    if let floor = chosen.version.floor {
      guard trustsOwner || acceptsOldClient else { throw .oldClient(chosen.version, floor: floor) }
      reporter.note(
        "warning: PostgreSQL client \(chosen.version) has known security holes in pg_dump and pg_restore; install \(floor)"
      )
    }
    return Toolbox(installation: chosen)
  }

  /// The pg_restore that reads a backup's archive. The archive's own version decides: a newer one reads it, an older one may not.
  ///
  /// - Returns: nil for a plain dump, which is text already.
  func archiveReader(of backup: Backup, demanded: ToolSettings) throws(Failure) -> Toolbox? {
    guard backup.manifest.format != .plain else { return nil }
    return try toolbox(forMajor: backup.manifest.dumpMajor, demanded: demanded)
  }

  /// Runs a phase: tells the reporter of its begin and end, and how long it took.
  func phase<Result>(
    _ name: String, about: String = "", total: UInt64? = nil, summary: (Result) -> String,
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> (value: Result, timing: Manifest.Timing) {
    try cancellation.check()
    let start = ContinuousClock.now
    reporter.begin(name, about: about, totalBytes: total)
    do throws(Failure) {
      let value = try body()
      let seconds = (ContinuousClock.now - start).seconds
      reporter.end(name, summary(value), seconds: seconds)
      return (value, Manifest.Timing(phase: name, seconds: (seconds * 1000).rounded() / 1000))
    } catch {
      reporter.abort(name)
      throw error
    }
  }
}

extension Failure {
  fileprivate static func oldClient(_ version: ClientVersion, floor: ClientVersion) -> Failure {
    Failure(
      "old_client", exit: .configuration, what: "restore with PostgreSQL client \(version)",
      why: "it has known security holes in pg_restore, and trust_owner is false",
      nextStep: "install \(floor); or go on all the same: --accept-old-client")
  }
}

/// Whom a workflow tells how far it is. Called from several threads.
package protocol Reporter: Sendable {
  /// What is about to be done, on what.
  func headline(_ text: String)
  /// - Parameter subject: what the phase works on, where its name does not say so.
  func begin(_ phase: String, about subject: String, totalBytes: UInt64?)
  /// Some more bytes of the phase are done.
  func advance(bytes: UInt64)
  func end(_ phase: String, _ summary: String, seconds: Double)
  func abort(_ phase: String)
  func note(_ text: String)
  /// What a program that is run for its user prints, as it is.
  func output(_ bytes: UnsafeRawBufferPointer)
}

/// Tells nobody.
package struct SilentReporter: Reporter {
  package init() {}
  package func headline(_ text: String) {}
  package func begin(_ phase: String, about subject: String, totalBytes: UInt64?) {}
  package func advance(bytes: UInt64) {}
  package func end(_ phase: String, _ summary: String, seconds: Double) {}
  package func abort(_ phase: String) {}
  package func note(_ text: String) {}
  package func output(_ bytes: UnsafeRawBufferPointer) {}
}
