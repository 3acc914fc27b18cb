import BackupModel
import Diagnostics

/// Whether a snapshot that lacks something may be the way back of a deploy.
package struct SnapshotGate {
  private let policy: Policy

  package init(_ policy: Policy) { self.policy = policy }

  /// - Returns: `incomplete_snapshot`; nil for one that has all, and for one of a version that did not look.
  package func refusal(of backup: Backup) -> Failure? {
    refusal(of: backup.manifest.missing ?? [], what: "snapshot \(backup.id)")
  }

  /// Before any snapshot: what is known to stay out of it.
  ///
  /// - Throws: `incomplete_snapshot`.
  func check(_ census: Census, of database: String) throws(Failure) {
    if let refusal = refusal(of: census.missing, what: "deploy to \(database)") { throw refusal }
  }

  private func refusal(of missing: [CensusEntry], what: String) -> Failure? {
    let lacking = missing.beyond(policy.backup.acceptMissing)
    guard let first = lacking.first else { return nil }
    let kinds = lacking.kinds
    let ofRole = kinds.allSatisfy { CensusKind(rawValue: $0)?.isOfRole ?? false }
    let acceptable = kinds.filter(CensusKind.acceptable.contains)
    let fix = CensusKind(rawValue: first.kind)?.fix ?? "see docs/completeness.md"
    let accept =
      acceptable.isEmpty ? "" : "; or accept it: backup.accept_missing: [\(acceptable.joined(separator: ", "))]"
    return Failure(
      "incomplete_snapshot", exit: ofRole ? .noPermission : .configuration, what: what,
      why: "a rollback would not bring back \(lacking.summaries.first ?? first.name): \(first.why)",
      nextStep: fix + accept, details: Array(lacking.summaries.dropFirst()))
  }
}
