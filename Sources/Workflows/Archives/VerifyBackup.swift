import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import Planning
import PostgresTools
import StreamPipeline

/// The workflow of `holdfast verify`: proves a backup and records the result beside it.
package struct VerifyBackup {
  private let surroundings: Surroundings

  package init(surroundings: Surroundings) { self.surroundings = surroundings }

  package struct Outcome: Sendable {
    package var backup: Backup
    package var verification: Verification
    /// What is no damage, and should be looked at.
    package var warnings: [String] = []
  }

  /// - Parameters:
  ///   - toolbox: reads the table of contents at level `archive`; nil: chosen by the version that wrote the backup.
  ///   - tools: where the policy says they are.
  ///   - mustRecord: a result that cannot be recorded is a failure. Else it is a warning: a repository that is read-only or full is
  ///     the very one to restore from.
  /// - Throws: nothing for a damaged backup: that is a result. Failures to verify at all.
  package func examine(
    _ backup: Backup, level: VerificationLevel, toolbox: Toolbox? = nil, tools: ToolSettings = ToolSettings(),
    mustRecord: Bool = false
  ) throws(Failure) -> Outcome {
    let use = try BackupUse.reading(backup)
    defer { withExtendedLifetime(use) {} }
    let start = ContinuousClock.now
    let total = backup.manifest.storedBytes
    func prove() throws(Failure) -> [Problem] {
      guard level == .archive else { return try checksumProblems(backup, hashing: { _ in true }, share: 1) }
      // Hashes before any other program: a damaged or planted archive is never fed to pg_restore. Our own digests hash what they read.
      let hashedLater = backup.manifest.pathsThatAreDigested
      let share: UInt64 = backup.manifest.format == .custom ? 2 : 1
      let damaged = try checksumProblems(backup, hashing: { !hashedLater.contains($0) }, share: share)
      guard damaged.isEmpty else { return try allProblems(backup) ?? damaged }
      let reader = if let toolbox { toolbox } else { try surroundings.archiveReader(of: backup, demanded: tools) }
      let problems = try archiveProblems(backup, reader, share: share)
      return problems.isEmpty ? [] : try allProblems(backup) ?? problems
    }
    let problems = try surroundings.phase(
      "verify", total: total, summary: { Self.summary($0, level, backup) }, prove
    ).value
    let verification = Verification(
      level: level, ok: problems.isEmpty, at: surroundings.now(),
      seconds: ((ContinuousClock.now - start).seconds * 1000).rounded() / 1000, problems: problems)
    var recorded = backup
    do throws(Failure) { try recorded.record(verification) } catch {
      if mustRecord { throw error }
      recorded.verifications.append(verification)
      surroundings.log.warning("the result for \(backup.id) is not recorded: \(error.what): \(error.why)")
    }
    return Outcome(backup: recorded, verification: verification, warnings: try strayWarnings(backup))
  }

  /// Like `examine`, for callers that cannot go on with a damaged backup.
  ///
  /// - Throws: `backup_damaged`, after the result was recorded where that can be done.
  func run(
    _ backup: Backup, level: VerificationLevel, toolbox: Toolbox? = nil
  ) throws(Failure) -> Outcome {
    let outcome = try examine(backup, level: level, toolbox: toolbox)
    if let damage = outcome.damage(insteadUse: nil) { throw damage }
    return outcome
  }

  /// Records that a backup was restored as a whole, and equal: no reading of its files proves more.
  func record(restored backup: Backup, seconds: Double, on session: Session) throws(Failure) {
    let server = try ServerReader(session).facts().systemIdentifier
    var recorded = backup
    do throws(Failure) {
      try recorded.record(
        Verification(
          level: .archive, ok: true, at: surroundings.now(), seconds: seconds, problems: [],
          restored: Verification.Restored(seconds: seconds, server: server)))
    } catch {
      surroundings.log.warning("that \(backup.id) was restored is not recorded: \(error.what): \(error.why)")
    }
  }

  // MARK: Levels

  /// Told only where the folder can be read: what cannot be is among the problems.
  private func strayWarnings(_ backup: Backup) throws(Failure) -> [String] {
    let strays: [String]
    do throws(Failure) { strays = try ChecksumCheck(backup).strays() } catch {
      guard error.exit == .dataDamaged else { throw error }
      return []
    }
    guard let first = strays.first else { return [] }
    let others = strays.count > 1 ? " and \(strays.count - 1) more" : ""
    let warning = "\(backup.id): \(first)\(others) is not of the backup; no restore reads it: remove it"
    surroundings.log.warning(warning)
    return [warning]
  }

  /// - Parameter share: a file is read so often in all, and each time is so much of its progress.
  private func checksumProblems(
    _ backup: Backup, hashing isHashed: @escaping @Sendable (String) -> Bool, share: UInt64
  ) throws(Failure) -> [Problem] {
    let reporter = surroundings.reporter
    return try ChecksumCheck(backup).problems(
      hashing: isHashed, threads: surroundings.cores, cancellation: surroundings.cancellation,
      progress: { reporter.advance(bytes: $0 / share) })
  }

  /// Where something is wrong, every file is looked at, and the damaged ones are named; nil when none of them is.
  private func allProblems(_ backup: Backup) throws(Failure) -> [Problem]? {
    let problems = try ChecksumCheck(backup).problems(
      threads: surroundings.cores, cancellation: surroundings.cancellation, progress: { _ in })
    return problems.isEmpty ? nil : problems
  }

  /// Reads every data file to its end and the table of contents, and compares all digests with the manifest's.
  private func archiveProblems(
    _ backup: Backup, _ toolbox: Toolbox?, share: UInt64
  ) throws(Failure) -> [Problem] {
    do throws(Failure) {
      let found =
        if backup.manifest.format == .directory, let toolbox {
          try ArchiveDigest(backup, toolbox: toolbox, surroundings: surroundings).compute()
        } else { try textDigest(backup, toolbox, share: share) }
      return backup.manifest.differences(from: found, readBy: toolbox)
    } catch {
      guard error.exit == .dataDamaged else { throw error }
      return [Problem(problem: "\(error.what): \(error.why)")]
    }
  }

  /// Digests the one file of a streamed format again.
  private func textDigest(
    _ backup: Backup, _ toolbox: Toolbox?, share: UInt64
  ) throws(Failure) -> DatabaseDigest {
    let scanner = SharedScanner()
    try BackupText(backup, toolbox: toolbox, surroundings: surroundings)
      .read { (piece) throws(Failure) in try scanner.scan(piece) }
    surroundings.reporter.advance(bytes: (backup.manifest.dataFile?.bytes ?? 0) / share)
    return try scanner.finish()
  }

  private static func summary(_ problems: [Problem], _ level: VerificationLevel, _ backup: Backup) -> String {
    guard problems.isEmpty else { return "\(level.rawValue): DAMAGED, \(counted(problems.count, "problem"))" }
    let digests = backup.manifest.digests
    return level == .checksum
      ? "checksum: \(counted(backup.manifest.files.count, "file"))"
      : "archive: \(counted(digests.tables.count, "table")), \(counted(digests.rows, "row"))"
  }
}

extension VerifyBackup.Outcome {
  /// The failure that a damaged backup is to its user; nil when it is good.
  package func damage(insteadUse good: Backup?) -> Failure? {
    guard !verification.ok, let first = verification.problems.first else { return nil }
    return Failure(
      "backup_damaged", exit: .dataDamaged, what: "backup \(backup.id) is damaged", why: first.sentence,
      nextStep: "it is not used or counted until it verifies again; "
        + (good.map { "the newest good one is \($0.id)" } ?? "take a new one: holdfast backup"),
      details: verification.problems.dropFirst().prefix(20).map(\.sentence))
  }
}

extension Manifest {
  /// What a backup's content differs in from what was dumped.
  ///
  /// - Parameter toolbox: whose pg_restore read it; nil: a plain dump needs none.
  func differences(from found: DatabaseDigest, readBy toolbox: Toolbox?) -> [Problem] {
    var found = found
    // Another major's pg_restore words the same entries otherwise (ALTER VIEW … OWNER from 16 on); their bytes are known to be right.
    if format != .plain, let toolbox, toolbox.installation.version.major != dumpMajor { found.schema = digests.schema }
    return digests.differences(from: found)
  }

  /// The files that a verification digests itself, without another program.
  var pathsThatAreDigested: Set<String> {
    switch format {
    case .directory: Set(dataFiles.map(\.stored.path))
    case .plain: Set([dataFile?.path].compactMap { $0 })
    case .custom: []
    }
  }

  /// The data files with the names that pg_dump gave them.
  var dataFiles: [(stored: StoredFile, rawName: String)] {
    files.compactMap { file in
      guard file.path.hasPrefix("data/") else { return nil }
      let raw = rawName(String(file.path.dropFirst(5)))
      return DataFileKind(name: raw) == .contents ? nil : (file, raw)
    }
  }
}
