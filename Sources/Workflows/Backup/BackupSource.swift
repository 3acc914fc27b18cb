import BackupModel
import Diagnostics
import Planning
import PostgresTools

/// The database that is backed up: a session on it, what is known of its server, and the client that fits.
struct BackupSource {
  let target: ConnectionTarget
  let session: Session
  let facts: ServerFacts
  let toolbox: Toolbox
  private let policy: Policy

  /// - Throws: `bad_database_url`, connection failures, `pooler`, `client_too_old`.
  init(policy: Policy, surroundings: Surroundings) throws(Failure) {
    self.policy = policy
    let wanted = policy.target
    session = try surroundings.connector.connect(wanted, purpose: "backup")
    target = wanted.at(session)
    facts = try ServerReader(session).facts()
    if let refusal = facts.poolerRefusal(endpoint: target.endpoint) { throw refusal }
    toolbox = try surroundings.toolbox(forMajor: facts.major, demanded: policy.tools)
  }

  var headline: String {
    let kind = facts.standby ? " (standby)" : ""
    return
      "\(policy.name) (\(policy.environment)): \(target.database) on \(target.endpoint)\(kind) · PostgreSQL \(facts.version)"
  }

  func checkPrivileges() throws(Failure) { try PrivilegeAudit(session).check(backupOf: policy.name) }
}

extension PrivilegeAudit {
  /// - Throws: `missing_privileges`, all of them at once.
  func check(backupOf policy: String) throws(Failure) {
    let findings = try findings()
    guard let first = findings.first else { return }
    throw Failure(
      "missing_privileges", exit: .noPermission, what: "backup of \(policy)",
      why: findings.count == 1 ? first.problem : "\(findings.count) privileges are missing",
      nextStep: findings.count == 1 ? first.fix : "run the statements above as the owner",
      details: findings.count == 1 ? [] : findings.map { "\($0.problem): \($0.fix)" })
  }
}
