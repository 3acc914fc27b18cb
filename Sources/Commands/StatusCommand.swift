import BackupModel
import Diagnostics
import Foundation
import Migrations
import Workflows

struct StatusCommand {
  let context: CommandContext

  func run() throws(Failure) -> CommandResult {
    let policy = try context.policy()
    let report = try ReadStatus(policy: policy, surroundings: context.surroundings).run()
    return CommandResult(
      json: json(policy, report), text: text(policy, report), exit: report.needsAttention ? .attention : .done)
  }

  private func text(_ policy: Policy, _ report: StatusReport) -> String {
    let now = context.surroundings.now()
    let title = "\(policy.name) (\(policy.environment))"
    var rows = [[padded(title, 60) + (report.needsAttention ? "ATTENTION" : "fine")]]
    func add(_ word: String, _ text: String) { rows.append(["  \(padded(word, 12))\(oneLine(text))"]) }
    if let last = report.lastGood {
      add(
        "backup",
        "\(minuteText(last.manifest.createdAt)) UTC, \(ageText(last.manifest.createdAt, now: now)) ago, \(last.proofText(now: now))"
      )
    } else {
      add("backup", noBackup(report))
    }
    if report.damaged > 0 { add("damaged", "\(counted(report.damaged, "backup"))   -> holdfast check") }
    if report.unreadable > 0 {
      add("unreadable", "\(counted(report.unreadable, "backup"))   -> holdfast check")
    }
    if let open = report.openDeploy {
      add(
        "deploy",
        "\(open.id) "
          + (report.worker.map { "is under way: \($0)" }
            ?? "was interrupted (\(open.state.rawValue))   -> holdfast resume, or holdfast abandon"))
    }
    // A restore --swap has a journal too, and is none.
    for (index, deploy) in report.deploys.filter({ !$0.pending.isEmpty }).prefix(3).enumerated() {
      add(index == 0 ? "deploys" : "", deployText(deploy, now: now))
    }
    if let text = rollbackText(report, policy.name) { add("rollback", text) }
    if let migrations = report.migrations { add("migrations", migrationsText(migrations)) }
    if let problem = report.serverProblem {
      add(
        problem.code == "no_migrations_folder" ? "migrations" : "server",
        "\(problem.why)   -> \(problem.code == "no_database" ? problem.nextStep : "holdfast check")")
    }
    for kept in report.kept {
      add(
        "kept",
        "\(kept.name), \(sizeText(kept.bytes)), \(ageText(kept.since, now: now))\(kept.isWayBack ? ": the way back" : "")"
      )
    }
    if report.kept.contains(where: { !$0.isWayBack }) {
      add("", "Holdfast drops none of them. When nobody needs it: \(dropText("NAME", policy))")
    }
    guard report.hasRepository else {
      add("space", "there is no repository \(policy.repository): mount its disk; or make one -> holdfast backup")
      return rows.map { $0.joined() + "\n" }.joined()
    }
    add(
      "space",
      "\(sizeText(report.storedBytes)) in \(counted(report.backups, "backup")), \(sizeText(report.freeBytes)) free")
    return rows.map { $0.joined() + "\n" }.joined()
  }

  private func noBackup(_ report: StatusReport) -> String {
    if !report.hasRepository { return "none: see space" }
    let elsewhere = report.lastElsewhere.map { "; \($0.id) is of one called so on \($0.manifest.source.host)" } ?? ""
    return "none of this database that is good\(elsewhere)   -> holdfast backup"
  }

  private func deployText(_ deploy: DeployRecord, now: Date) -> String {
    let ago = padded("\(ageText(deploy.startedAt, now: now)) ago", 10)
    return "\(deploy.id)  \(padded(deploy.state.rawValue, 13))\(ago)  \(counted(deploy.pending.count, "migration"))"
  }

  private func rollbackText(_ report: StatusReport, _ policy: String) -> String? {
    if report.openDeploy != nil {
      return report.worker == nil
        ? "not before that deploy is settled: holdfast resume, or abandon" : "when that deploy has ended"
    }
    if case .stands = report.lastDeploy, let lack = report.lacksForRollback {
      return "NOT POSSIBLE by this role: it lacks a privilege \(lack.problem)   -> \(lack.fix)"
    }
    switch report.lastDeploy {
    case .none: return nil
    case .stands(let deploy) where report.isCopied:
      return "ready: a rename, to before deploy \(deploy.id)"
    case .stands(let deploy):
      guard let seconds = report.secondsBack else {
        return "NOT POSSIBLE to before deploy \(deploy.id): its snapshot is damaged or gone   -> holdfast list"
      }
      let ready = report.serverProblem == nil ? "ready" : "once the server can be used"
      return "\(ready): about \(secondsText(seconds)) (an estimate), to before deploy \(deploy.id)"
    case .rolledBack(let next):
      return "done; further back only by name: holdfast rollback \(policy) --plan --deploy \(next.id)"
    case .elsewhere(let deploy, let next):
      return "not ready: \(deploy.database) is another database than deploy \(deploy.id) was to"
        + "   -> holdfast rollback \(policy) --plan --deploy \((next ?? deploy).id)"
    }
  }

  private func rollbackJSON(_ report: StatusReport) -> JSONValue {
    guard case .stands(let deploy) = report.lastDeploy, let seconds = report.secondsBack else { return .null }
    return [
      "deploy": .string(deploy.id), "estimated_seconds": .number(seconds),
      "lacks": .optional(report.lacksForRollback?.fix),
    ]
  }

  private func migrationsText(_ status: MigrationStatus) -> String {
    let groups = [
      ("running", status.running), ("failed", status.failed), ("pending", status.pending), ("edited", status.edited),
      ("missing", status.missing),
    ].filter { !$0.1.isEmpty }
    guard !groups.isEmpty else { return "\(status.applied.count) applied, nothing pends" }
    return groups.map { "\($0.1.count) \($0.0)" }.joined(separator: ", ") + "   -> holdfast migrations"
  }

  private func json(_ policy: Policy, _ report: StatusReport) -> JSONValue {
    [
      "policy": .string(policy.name), "environment": .string(policy.environment),
      "attention": .bool(report.needsAttention), "last_good": report.lastGood?.json ?? .null,
      "damaged": .integer(UInt64(report.damaged)), "unreadable": .integer(UInt64(report.unreadable)),
      "backups": .integer(UInt64(report.backups)),
      "bytes": .integer(report.storedBytes), "free_bytes": .integer(report.freeBytes),
      "migrations": report.migrations?.json ?? .null,
      "open_deploy": .optional(report.openDeploy?.id), "open_deploy_runs": .bool(report.worker != nil),
      "deploys": .array(report.deploys.map(\.json)), "rollback": rollbackJSON(report),
      "kept": .array(
        report.kept.map { ["database": .string($0.name), "bytes": .integer($0.bytes), "since": .time($0.since)] }),
      "problem": .optional(report.serverProblem?.why),
    ]
  }
}

extension DeployRecord {
  fileprivate var json: JSONValue {
    [
      "deploy": .string(id), "started_at": .time(startedAt), "state": .string(state.rawValue),
      "database": .string(database), "snapshot": .optional(backup), "pending": .strings(pending),
      "applied": .strings(applied), "failed": .optional(failed),
    ]
  }
}
