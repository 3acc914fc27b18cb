import BackupModel
import BackupRepository
import Diagnostics
import Migrations

/// What a failed migration has committed before it failed: marked as rolled back, it is applied again on top of that.
package struct LeftStatements {
  private let rows: [HistoryRow]
  private let deploys: [DeployRecord]

  /// - Parameter rows: of the history, before anything is marked.
  package init(_ rows: [HistoryRow], policy: Policy) throws(Failure) {
    self.rows = rows
    deploys = try Repository.openIfThere(policy.repository)?.deploys(of: policy.name) ?? []
  }

  /// - Returns: nil where nothing is known to be left.
  package func warning(of migration: String) -> String? {
    // One by another program says nothing of what is left, and behind one that is rolled back nothing is.
    let deploy = deploys.first { $0.failed == migration && !$0.byCommand && [.failed, .open].contains($0.state) }
    let isToldByLogs = rows.contains { row in
      row.name == migration && row.isFailed && Self.marks.contains { (row.logs ?? "").contains($0) }
    }
    guard isToldByLogs || deploy.map({ !$0.failedAtomically }) ?? false else { return nil }
    let remedy = deploy?.canBeRolledBack == true ? "holdfast rollback removes them" : "look for them before a deploy"
    return "statements of it may stay in the database; \(remedy)"
  }

  /// What `ScriptFailure` writes into the history.
  private static let marks = ["committed and stay", "was left: it has to be dropped"]
}
