import BackupModel
import Diagnostics
import Foundation
import Migrations
import Workflows

struct StatusCommand {
  let context: CommandContext

  func run() throws(Failure) -> CommandResult {
    try context.forEachPolicy { (policy) throws(Failure) in
      let report = try ReadStatus(policy: policy, surroundings: context.surroundings).run()
      return CommandResult(
        json: json(policy, report), text: StatusScreen(policy: policy, report: report).screen,
        exit: report.needsAttention ? .attention : .done)
    }
  }

  private func proofJSON(_ report: StatusReport) -> JSONValue {
    if report.isCopied { return "copy" }
    switch report.proof {
    case .restore: return "restore"
    case .schema: return "schema"
    case nil: return .null
    }
  }

  private func rollbackJSON(_ report: StatusReport) -> JSONValue {
    guard let seconds = report.secondsBack else { return .null }
    var deploy: String?
    var snapshot: String?
    switch report.lastDeploy {
    case .stands(let record): (deploy, snapshot) = (record.id, record.backup)
    case .snapshot(let backup): snapshot = backup.id
    case .rolledBack, .elsewhere, .none: return .null
    }
    return [
      "deploy": .optional(deploy), "snapshot": .optional(snapshot), "estimated_seconds": .number(seconds),
      "lacks": .optional(report.lacksForRollback?.fix), "proven_by": proofJSON(report),
    ]
  }

  private func json(_ policy: Policy, _ report: StatusReport) -> JSONValue {
    [
      "policy": .string(policy.name), "environment": .string(policy.environment),
      "database": .string(policy.target.database), "server": .string(policy.target.endpoint),
      "attention": .bool(report.needsAttention), "reasons": .strings(report.attention.map(\.rawValue)),
      "last_good": report.lastGood?.json ?? .null, "lacks": .array(report.lacks.map(\.json)),
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
