import BackupModel
import Foundation
import Planning
import Testing

/// Which backups stay: restic's meaning of the words, and what no rule may take.
@Suite struct RetentionPlanTests {
  private func date(_ text: String) throws -> Date {
    try Date(text.count == 10 ? "\(text)T03:00:00Z" : "\(text):00Z", strategy: .iso8601)
  }

  private func candidates(_ days: [String]) throws -> [RetentionCandidate] {
    try days.map {
      RetentionCandidate(id: $0, createdAt: try date($0), database: "app", isGood: true, isVerified: true)
    }
  }

  private func plan(
    _ candidates: [RetentionCandidate], now: String = "2026-12-01", _ set: (inout RetentionRules) -> Void
  ) throws -> RetentionPlan {
    var rules = RetentionRules()
    rules.minimumVerified = 0
    set(&rules)
    return RetentionPlan(candidates, rules: rules, now: try date(now))
  }

  private func kept(
    _ days: [String], now: String = "2026-12-01", _ set: (inout RetentionRules) -> Void
  ) throws -> [String] {
    try plan(candidates(days), now: now, set).keep.map(\.id)
  }

  @Test func `without a rule nothing goes`() throws {
    let plan = try plan(candidates(["2026-11-01", "2020-01-01"])) { $0.minimumVerified = 1 }
    #expect(plan.remove == [])
    #expect(plan.keep.allSatisfy { $0.reasons == ["the policy has no rule for retention"] })
  }

  @Test func `keep_last keeps the newest so many`() throws {
    #expect(
      try kept(["2026-11-01", "2026-11-03", "2026-11-02"]) { $0.keepLast = 2 } == ["2026-11-03", "2026-11-02"])
  }

  @Test func `keep_daily keeps the newest of each of the last days that have one`() throws {
    let days = ["2026-11-20T01:00", "2026-11-20T23:59", "2026-11-18T12:00", "2026-11-18T11:00", "2026-10-01T00:00"]
    #expect(try kept(days) { $0.keepDaily = 2 } == ["2026-11-20T23:59", "2026-11-18T12:00"])
  }

  @Test func `weeks begin on Monday, and the first days of a year may belong to the last one`() throws {
    // Monday 2025-12-29 to Sunday 2026-01-04 is one week.
    let days = ["2026-01-05", "2026-01-04", "2026-01-01", "2025-12-29", "2025-12-28"]
    #expect(try kept(days) { $0.keepWeekly = 2 } == ["2026-01-05", "2026-01-04"])
  }

  @Test func `months and years are those of UTC`() throws {
    let days = ["2026-03-01T00:00", "2026-02-28T23:59", "2026-02-01T00:00", "2025-12-31T23:59", "2025-06-01T00:00"]
    #expect(try kept(days) { $0.keepMonthly = 2 } == ["2026-03-01T00:00", "2026-02-28T23:59"])
    #expect(try kept(days) { $0.keepYearly = 1 } == ["2026-03-01T00:00"])
  }

  @Test func `while there are fewer periods than wanted the oldest stays too`() throws {
    let days = ["2026-11-20T03:00", "2026-11-20T02:00", "2026-11-20T01:00"]
    #expect(try kept(days) { $0.keepDaily = 5 } == ["2026-11-20T03:00", "2026-11-20T01:00"])
    #expect(try kept(days) { $0.keepDaily = 1 } == ["2026-11-20T03:00"])
  }

  @Test func `keep_within counts from the newest backup, not from now`() throws {
    let days = ["2026-11-03", "2026-11-02", "2026-11-01", "2026-10-30"]
    #expect(
      try kept(days, now: "2030-01-01") { $0.keepWithin = .seconds(2 * 86_400) } == ["2026-11-03", "2026-11-02"])
  }

  @Test func `every rule that keeps a backup is a reason`() throws {
    let plan = try plan(candidates(["2026-11-03", "2026-11-02"])) {
      $0.keepLast = 1
      $0.keepDaily = 1
      $0.keepWithin = .seconds(60)
    }
    #expect(plan.keep.first?.reasons == ["keep_within", "keep_last", "keep_daily"])
    #expect(plan.remove.map(\.id) == ["2026-11-02"])
    #expect(plan.remove.first?.reasons == ["no rule keeps it"])
  }

  @Test func `a damaged backup stays and takes nobody's place`() throws {
    var all = try candidates(["2026-11-03", "2026-11-02", "2026-11-01"])
    all[0].isGood = false
    all[0].isVerified = false
    let plan = try plan(all) { $0.keepLast = 1 }
    #expect(plan.keep.map(\.id) == ["2026-11-03", "2026-11-02"])
    #expect(plan.keep[0].reasons == ["damaged: look at it, then remove it by hand"])
  }

  @Test(arguments: [(held: 2, kept: ["2026-11-03", "2026-11-01"]), (held: 0, kept: ["2026-11-03"])])
  func `what is held stays, and takes its place as any other`(held: Int, kept: [String]) throws {
    var all = try candidates(["2026-11-03", "2026-11-02", "2026-11-01"])
    all[held].keptBecause = "held: before the move"
    let plan = try plan(all) { $0.keepLast = 1 }
    #expect(plan.keep.map(\.id) == kept)
    #expect(plan.keep.first { $0.id == all[held].id }?.reasons.first == "held: before the move")
  }

  @Test func `each database has its own backups counted`() throws {
    var all = try candidates(["2026-11-04", "2026-11-03", "2026-11-02", "2026-11-01"])
    for index in [0, 1] { all[index].database = "other" }
    let plan = try plan(all) { $0.keepLast = 1 }
    #expect(plan.keep.map(\.id) == ["2026-11-04", "2026-11-02"])
    #expect(plan.remove.map(\.id) == ["2026-11-03", "2026-11-01"])
  }

  @Test func `there are never fewer verified ones than the floor`() throws {
    var all = try candidates(["2026-11-05", "2026-11-04", "2026-11-03", "2026-11-02", "2026-11-01"])
    all[0].isVerified = false
    all[2].isVerified = false
    let plan = try plan(all) {
      $0.keepLast = 1
      $0.minimumVerified = 2
    }
    #expect(plan.keep.map(\.id) == ["2026-11-05", "2026-11-04", "2026-11-02"])
    #expect(plan.keep[1].reasons == ["minimum_verified"])
  }

  @Test func `after the clock has jumped back nothing goes`() throws {
    let plan = try plan(candidates(["2026-11-03", "2026-11-02"]), now: "2026-11-01") { $0.keepLast = 1 }
    #expect(plan.remove == [])
    #expect(plan.keep[1].reasons == ["the clock is behind the newest backup"])
  }

  @Test func `of any backups under any rules each is decided once, and what must stay stays`() throws {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<2_000 {
      var rules = RetentionRules()
      rules.keepLast = Int.random(in: 0...3, using: &random)
      rules.keepDaily = Int.random(in: 0...4, using: &random)
      rules.keepWeekly = Int.random(in: 0...3, using: &random)
      rules.keepMonthly = Int.random(in: 0...3, using: &random)
      rules.keepYearly = Int.random(in: 0...2, using: &random)
      rules.keepWithin = .seconds(Int.random(in: 0...200_000, using: &random))
      rules.minimumVerified = Int.random(in: 0...4, using: &random)
      let now = Date(timeIntervalSince1970: 1_800_000_000)
      let all = (0..<Int.random(in: 0...30, using: &random)).map { number in
        let isGood = Int.random(in: 0..<5, using: &random) > 0
        return RetentionCandidate(
          id: "b\(number)", createdAt: now.addingTimeInterval(-Double.random(in: 0...100_000_000, using: &random)),
          database: Int.random(in: 0..<4, using: &random) == 0 ? "other" : "app", isGood: isGood,
          isVerified: isGood && Bool.random(using: &random),
          keptBecause: Int.random(in: 0..<8, using: &random) == 0 ? "held" : nil)
      }
      let plan = RetentionPlan(all.shuffled(using: &random), rules: rules, now: now)
      let keep = Set(plan.keep.map(\.id))
      #expect(keep.union(plan.remove.map(\.id)).count == all.count)
      #expect(plan.keep.count + plan.remove.count == all.count)
      #expect(all.allSatisfy { keep.contains($0.id) || ($0.isGood && $0.keptBecause == nil) })
      for verified in Dictionary(grouping: all.filter(\.isVerified), by: \.database).values {
        #expect(verified.count { keep.contains($0.id) } >= min(rules.minimumVerified, verified.count))
      }
      // A second look at what stays takes nothing more.
      #expect(RetentionPlan(all.filter { keep.contains($0.id) }, rules: rules, now: now).remove.isEmpty)
      if rules.isEmpty { #expect(plan.remove.isEmpty) }
    }
  }
}
