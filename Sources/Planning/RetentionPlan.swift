import BackupModel
import Foundation

/// A backup as retention sees it.
package struct RetentionCandidate: Sendable, Equatable {
  package var id: String
  package var createdAt: Date
  /// Whose backup it is, server and name: those of another database take no place.
  package var database: String
  /// False for a damaged one.
  package var isGood: Bool
  /// It has passed a verification.
  package var isVerified: Bool
  /// What else keeps it: a hold, a deploy that needs it. Nil: nothing.
  package var keptBecause: String?

  package init(
    id: String, createdAt: Date, database: String, isGood: Bool, isVerified: Bool, keptBecause: String? = nil
  ) {
    self.id = id
    self.createdAt = createdAt
    self.database = database
    self.isGood = isGood
    self.isVerified = isVerified
    self.keptBecause = keptBecause
  }
}

/// Which backups stay and which go, with the reasons. A pure function of the backups, the rules and the time.
///
/// The rules are applied to each database's backups apart: a policy whose URL was changed has those of two.
package struct RetentionPlan: Sendable, Equatable {
  package struct Decision: Sendable, Equatable {
    package var id: String
    package var reasons: [String]
  }

  /// Newest first.
  package private(set) var keep: [Decision] = []
  package private(set) var remove: [Decision] = []

  /// - Parameter candidates: in any order; those of one second, the newest first.
  package init(_ candidates: [RetentionCandidate], rules: RetentionRules, now: Date) {
    let newestFirst = candidates.enumerated().sorted {
      $0.element.createdAt == $1.element.createdAt
        ? $0.offset < $1.offset : $0.element.createdAt > $1.element.createdAt
    }.map(\.element)
    var reasons = Self.exceptions(newestFirst, rules, now)
    // A damaged backup takes nobody's place.
    for counted in Dictionary(grouping: newestFirst.filter(\.isGood), by: { Array($0.database.utf8) }).values {
      for (id, reason) in Self.byRules(counted, rules) { reasons[id, default: []].append(reason) }
      Self.fillUp(&reasons, counted, rules)
    }
    for candidate in newestFirst {
      if let because = reasons[candidate.id], !because.isEmpty {
        keep.append(Decision(id: candidate.id, reasons: because))
      } else {
        remove.append(Decision(id: candidate.id, reasons: ["no rule keeps it"]))
      }
    }
  }

  /// What stays whatever the rules say.
  private static func exceptions(
    _ candidates: [RetentionCandidate], _ rules: RetentionRules, _ now: Date
  ) -> [String: [String]] {
    // Seconds are what times are kept in.
    let clockWentBack = candidates.first.map { $0.createdAt > now.addingTimeInterval(1) } ?? false
    var reasons: [String: [String]] = [:]
    for candidate in candidates {
      var own = [candidate.keptBecause, candidate.isGood ? nil : "damaged: look at it, then remove it by hand"]
      if rules.isEmpty { own.append("the policy has no rule for retention") }
      if clockWentBack { own.append("the clock is behind the newest backup") }
      reasons[candidate.id] = own.compactMap { $0 }
    }
    return reasons
  }

  /// What restic's rules of these names keep, in the same meaning of the words.
  private static func byRules(
    _ candidates: [RetentionCandidate], _ rules: RetentionRules
  ) -> [(id: String, reason: String)] {
    var kept: [(String, String)] = []
    if let newest = candidates.first, rules.keepWithin > .zero {
      // Counted from the newest backup: a server that was off for a month loses nothing by that.
      let start = newest.createdAt.addingTimeInterval(-Double(rules.keepWithin.components.seconds))
      kept += candidates.filter { $0.createdAt > start }.map { ($0.id, "keep_within") }
    }
    let calendar = RetentionCalendar()
    for rule in [
      Rule(name: "keep_last", count: rules.keepLast, period: nil),
      Rule(name: "keep_daily", count: rules.keepDaily, period: calendar.day),
      Rule(name: "keep_weekly", count: rules.keepWeekly, period: calendar.week),
      Rule(name: "keep_monthly", count: rules.keepMonthly, period: calendar.month),
      Rule(name: "keep_yearly", count: rules.keepYearly, period: calendar.year),
    ] {
      kept += rule.keeps(candidates).map { ($0, rule.name) }
    }
    return kept
  }

  private struct Rule {
    var name: String
    var count: Int
    /// Nil: each backup is a period of its own.
    var period: ((Date) -> String)?

    /// The newest backup of each of the last periods that have one; and the oldest of all, while there are fewer periods than wanted.
    func keeps(_ newestFirst: [RetentionCandidate]) -> [String] {
      var left = count
      var last: String?
      var kept: [String] = []
      for (index, candidate) in newestFirst.enumerated() where left > 0 {
        let own = period?(candidate.createdAt) ?? candidate.id
        guard own != last || index == newestFirst.count - 1 else { continue }
        kept.append(candidate.id)
        last = own
        left -= 1
      }
      return kept
    }
  }

  /// Never fewer verified backups than the floor, as long as there are so many.
  private static func fillUp(
    _ reasons: inout [String: [String]], _ candidates: [RetentionCandidate], _ rules: RetentionRules
  ) {
    let verified = candidates.filter(\.isVerified)
    var missing = rules.minimumVerified - verified.count { reasons[$0.id]?.isEmpty == false }
    for candidate in verified where missing > 0 && reasons[candidate.id]?.isEmpty ?? true {
      reasons[candidate.id] = ["minimum_verified"]
      missing -= 1
    }
  }
}

/// Names the day, ISO week, month and year of a moment, in UTC.
private struct RetentionCalendar {
  private let calendar: Calendar

  init() {
    var calendar = Calendar(identifier: .iso8601)
    calendar.timeZone = .gmt
    self.calendar = calendar
  }

  func day(_ date: Date) -> String { text(date, [.year, .month, .day]) }
  func week(_ date: Date) -> String { text(date, [.yearForWeekOfYear, .weekOfYear]) }
  func month(_ date: Date) -> String { text(date, [.year, .month]) }
  func year(_ date: Date) -> String { text(date, [.year]) }

  private func text(_ date: Date, _ parts: Set<Calendar.Component>) -> String {
    let found = calendar.dateComponents(parts, from: date)
    let values = [found.yearForWeekOfYear, found.weekOfYear, found.year, found.month, found.day]
    return values.map { $0.map(String.init) ?? "" }.joined(separator: "-")
  }
}
