import Diagnostics
import BackupModel
import BackupRepository
import Foundation
import Migrations
import Workflows

/// The one screen of `status`.
struct StatusScreen {
  let policy: Policy
  let report: StatusReport

  private var now: Date { report.now }

  var screen: Screen { Screen(title + backupRows + deployRows + serverRows + keptRows + placeRows) }

  private var title: [String] {
    let database = ": \(policy.target.database) on \(policy.target.endpoint)"
    return [
      padded("\(policy.name) (\(policy.environment))\(database)", 60) + (report.needsAttention ? "ATTENTION" : "fine")
    ]
  }

  private func row(_ word: String, _ text: String) -> String { "  \(padded(word, 12))\(text)" }

  // MARK: Backups

  private var backupRows: [String] {
    var rows = [row("backup", backupText)]
    if let other = report.otherDatabase { rows.append(row("database", "\(other.why)   -> \(other.nextStep)")) }
    rows += report.lacks.summaries.map { row("incomplete", "it lacks \($0)   -> holdfast check") }
    if report.damaged > 0 {
      rows.append(row("damaged", "\(counted(report.damaged, "backup"))   -> holdfast check"))
    }
    if report.unreadable > 0 {
      rows.append(row("unreadable", "\(counted(report.unreadable, "backup"))   -> holdfast check"))
    }
    return rows
  }

  private var backupText: String {
    guard let last = report.lastGood else { return noBackup }
    let moment = minuteText(last.manifest.createdAt)
    guard !report.freshness.isFromFuture else {
      return "\(moment) UTC is in the future: is a clock wrong?   -> set it right, then: holdfast backup"
    }
    let text = "\(moment) UTC (\(ageText(last.manifest.createdAt, now: now)) ago), \(proofText(last))"
    return report.freshness.isStale ? "\(text): TOO OLD, see backup.max_age   -> holdfast backup" : text
  }

  private func proofText(_ backup: Backup) -> String {
    guard let verification = backup.verification else { return "not verified yet" }
    return "verified \(ageText(verification.at, now: now)) ago (\(verification.level.rawValue))"
  }

  private var noBackup: String {
    if !report.hasRepository { return "none: the repository is missing (see \"space\")" }
    let elsewhere =
      report.lastElsewhere.map { "; \($0.id) is of a database of the same name on \($0.manifest.source.host)" } ?? ""
    return "no good backup of this database yet\(elsewhere)   -> holdfast backup"
  }

  // MARK: Deploys

  private var deployRows: [String] {
    var rows: [String] = []
    if let open = report.openDeploy {
      let state =
        report.worker.map { "is running: \($0)" }
        ?? "was interrupted (\(open.state.rawValue))   -> holdfast resume, or holdfast abandon"
      rows.append(row("deploy", "\(open.id) \(state)"))
    }
    // A restore --swap has a journal too, and is none.
    for (index, deploy) in report.deploys.filter({ !$0.pending.isEmpty }).prefix(3).enumerated() {
      rows.append(row(index == 0 ? "deploys" : "", deployText(deploy)))
    }
    if let text = rollbackText { rows.append(row("rollback", text)) }
    if let migrations = report.migrations { rows.append(row("migrations", migrationsText(migrations))) }
    return rows
  }

  private func deployText(_ deploy: DeployRecord) -> String {
    let ago = padded("\(ageText(deploy.startedAt, now: now)) ago", 10)
    let text = "\(deploy.id)  \(padded(deploy.state.rawValue, 13))\(ago)  \(counted(deploy.pending.count, "migration"))"
    guard deploy.id == report.failedDeploy?.id, let snapshot = deploy.backup else { return text }
    // Rolled back once and undone, or behind a newer one, it has to be named.
    let isNext = if case .stands(let next) = report.lastDeploy { next.id == deploy.id } else { false }
    let back = isNext ? "holdfast rollback" : "holdfast rollback \(policy.name) --deploy \(deploy.id)"
    // Without a failed migration a health check failed, or another program.
    guard let failed = deploy.failed else {
      return "\(text)   -> \(back), or keep it as it is: holdfast release \(snapshot)"
    }
    return deploy.failedAtomically
      ? "\(text)   -> \(back), or correct what failed and: holdfast resolve \(shellWord(failed)) --rolled-back"
      : "\(text), a part of \(failed) may have stayed   -> \(back)"
  }

  private var rollbackText: String? {
    if report.openDeploy != nil {
      return report.worker == nil
        ? "not before that deploy is settled: holdfast resume, or abandon" : "when that deploy has ended"
    }
    if let lack = report.lacksForRollback {
      return "NOT POSSIBLE by this role; to roll back it needs: \(lack.fix)"
    }
    if let missing = report.missingForRollback {
      return "NOT POSSIBLE on this server: \(missing.what)   -> \(missing.fix)"
    }
    if let failure = report.failedRollback, case .stands(let deploy) = report.lastDeploy {
      return
        "NOT READY: \(failure)   -> fix that, then try it: holdfast restore \(deploy.backup ?? "ID") --into NAME"
    }
    switch report.lastDeploy {
    case .none: return nil
    case .snapshot(let backup):
      return "\(readyText(report.secondsBack ?? 0)), to snapshot \(backup.id), taken by holdfast snapshot"
    case .stands(let deploy) where report.isCopied:
      return "ready: a rename, to before deploy \(deploy.id)"
    case .stands(let deploy):
      guard let seconds = report.secondsBack else {
        return report.lacksWayBack
          ? "NOT POSSIBLE to before deploy \(deploy.id): its snapshot is damaged or gone   -> holdfast list"
          : "not possible to before deploy \(deploy.id): its snapshot is gone, as migrations.hold_for has passed"
      }
      return "\(readyText(seconds)), to before deploy \(deploy.id)"
    case .rolledBack(let next):
      return "done; further back only by name: holdfast rollback \(policy.name) --plan --deploy \(next.id)"
    case .elsewhere(let deploy, let next):
      return "not ready: \(deploy.database) is another database than deploy \(deploy.id) was to"
        + "   -> holdfast rollback \(policy.name) --plan --deploy \((next ?? deploy).id)"
    }
  }

  /// Nothing is called ready that was not tried.
  private func readyText(_ seconds: Double) -> String {
    let isServerUsable = report.serverProblem.map { $0.code == "no_migrations_folder" } ?? true
    let ready = isServerUsable ? "ready" : "once the server can be used"
    switch report.proof {
    case .restore(let at, let seconds):
      return "\(ready): about \(secondsText(seconds)) (measured \(minuteText(at)) UTC)"
    case .schema(let at):
      return "\(ready): about \(secondsText(seconds)) (an estimate; tried with the schema alone, \(minuteText(at)) UTC)"
    case nil: return "not yet tried: about \(secondsText(seconds)) (an estimate; holdfast check --deep tries it)"
    }
  }

  private func migrationsText(_ status: MigrationStatus) -> String {
    let groups = [
      ("running", status.running), ("failed", status.failed), ("pending", status.pending), ("edited", status.edited),
      ("missing", status.missing),
    ].filter { !$0.1.isEmpty }
    guard !groups.isEmpty else { return "\(status.applied.count) applied, nothing pending" }
    return groups.map { "\($0.1.count) \($0.0)" }.joined(separator: ", ") + "   -> holdfast migrations"
  }

  // MARK: Server and place

  private var serverRows: [String] {
    guard let problem = report.serverProblem else { return [] }
    return [
      row(
        problem.code == "no_migrations_folder" ? "migrations" : "server",
        "\(problem.why)   -> \(problem.code == "no_database" ? problem.nextStep : "holdfast check")")
    ]
  }

  private var keptRows: [String] {
    let rows = report.kept.map { kept in
      row(
        "kept",
        "\(kept.name), \(sizeText(kept.bytes)), \(ageText(kept.since, now: now)) old"
          + (kept.isWayBack ? ": the way back; the next deploy replaces it" : ""))
    }
    // Only what no rollback needs any more: a standby copy is Holdfast's own to drop.
    guard let first = report.kept.first(where: { !$0.isWayBack }) else { return rows }
    return rows + [row("", "a rollback keeps what it replaced. When nobody needs it: \(dropText(first.name, policy))")]
  }

  private var placeRows: [String] {
    var rows = report.otherRepository.map { [row("repository", "\($0.why)   -> \($0.nextStep)")] } ?? []
    guard report.hasRepository else {
      let make = "mount its disk; or make one -> holdfast backup --create-repository"
      return rows + [row("space", "there is no repository \(policy.repository): \(make)")]
    }
    let retention = policy.retention.isEmpty ? " (none is ever removed: retention is not set)" : ""
    rows.append(
      row(
        "space",
        "\(sizeText(report.storedBytes)) in \(counted(report.backups, "backup"))\(retention), "
          + "\(sizeText(report.freeBytes)) free"
          + (report.attention.contains(.noRoom) ? ": too little for one more backup -> make room there" : "")))
    return rows
  }
}
