import Workflows

/// What a rollback loses, before it and after.
extension RollbackPlan {
  var lossText: String {
    if let unreadable {
      return "what was written since: it cannot be told, since the database cannot be read (\(unreadable))"
    }
    let rest = countedAll ? [] : ["tables not counted yet (holdfast rollback --plan counts them all)"]
    let parts = losses(uncounted: "deletions counted after the restore") + rest
    return parts.isEmpty
      ? "nothing: no row of a table was written since" : "what was written since · " + parts.joined(separator: " · ")
  }

  /// What the kept database has and the restored one has not, once that is known: a line, or nothing.
  var lostText: String {
    guard liveExists, unreadable == nil else { return "" }
    let parts = losses(uncounted: "deletions not counted") + (countedAll ? [] : ["tables that were not counted"])
    return "lost: \(parts.isEmpty ? "no row" : parts.joined(separator: " · "))\n"
  }

  /// The tables that were written most.
  private func losses(uncounted: String) -> [String] {
    let tables = lostWrites.prefix(6).map { write in
      let changed = write.changed > 0 ? "\(write.changed) new or changed" : nil
      let perhaps = write.perhaps > 0 ? "\(write.perhaps) perhaps (the restore tells)" : nil
      let deleted = write.deleted.map { $0 > 0 ? "\($0) deleted" : "" } ?? uncounted
      return "\(write.schema).\(write.name): "
        + [changed, perhaps, deleted.isEmpty ? nil : deleted].compactMap { $0 }.joined(separator: ", ")
    }
    return tables + (lostWrites.count > 6 ? ["and \(lostWrites.count - 6) more tables"] : [])
  }
}
