import BackupModel
import Workflows

/// What a rollback loses, before it and after.
extension RollbackPlan {
  /// A line each.
  var lossLines: [String] {
    if let unreadable {
      return ["what was written since: it cannot be told, since the database cannot be read (\(unreadable))"]
    }
    let lines = losses(
      uncounted: copy == nil ? "deleted rows are counted after the restore" : "deleted rows are not counted")
    guard !countedAll else {
      return lines.isEmpty ? [nothingLost] : ["what was written since"] + lines
    }
    return ["what was written since"] + lines + ["other tables: counted during the restore"]
  }

  /// What the kept database has and the restored one has not, once that is known: lines, or nothing.
  var lostLines: [String] {
    guard liveExists, unreadable == nil else { return [] }
    let lines =
      losses(uncounted: "deleted rows were not counted") + (countedAll ? [] : ["tables that were not counted"])
    guard !lines.isEmpty else { return ["lost: no rows"] }
    return ["lost: what was written since; it is in \(keptAs)"] + lines.map { "  \($0)" }
  }

  private var nothingLost: String {
    guard let first = droppedTables.first else {
      return "no rows: no table was written to since (large objects, sequences and definitions are not counted)"
    }
    let more = droppedTables.count > 1 ? " and \(counted(droppedTables.count - 1, "more table"))" : ""
    return "no rows; \(first)\(more), dropped or renamed since, \(more.isEmpty ? "comes" : "come") back"
  }

  var timeText: String {
    let time = "about \(secondsText(copy == nil ? estimatedSeconds : 1))"
    if copy != nil { return "\(time): a rename" }
    return isEstimate ? "\(time) (an estimate)" : "\(time) (as its last restore)"
  }

  /// The tables that were written most.
  private func losses(uncounted: String) -> [String] {
    let tables = lostWrites.prefix(Self.mostShown).map { write in
      let parts: [String?] = [
        write.changed > 0 ? "\(write.changed) new or changed" : nil,
        write.perhaps > 0 ? "up to \(write.perhaps) rows (exact number after the restore)" : nil,
        write.byMigrations > 0 ? "\(write.byMigrations) written by the undone migrations" : nil,
        write.deleted.map { $0 > 0 ? $0 == 1 ? "1 deleted row comes back" : "\($0) deleted rows come back" : nil }
          ?? uncounted,
      ]
      return "\(write.schema).\(write.name): \(parts.compactMap { $0 }.joined(separator: ", "))"
    }
    let more = lostWrites.count - Self.mostShown
    return tables + (more > 0 ? ["and \(more) more tables"] : [])
  }

  private static let mostShown = 20
}

extension PropertyDifference {
  /// `setting work_mem: 6MB stays (the snapshot has 4MB)`
  var text: String {
    let (now, then) = (live ?? "none", backup ?? "none")
    return keepsLive
      ? "\(name): \(now) stays (the snapshot has \(then))" : "\(name): becomes \(then) again (it is \(now) now)"
  }

  var json: JSONValue {
    [
      "name": .string(name), "live": .optional(live), "backup": .optional(backup),
      "keeps": .string(keepsLive ? "live" : "backup"),
    ]
  }
}
