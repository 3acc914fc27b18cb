import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import PostgresTools
import TestSupport
import Testing
import Workflows

/// Years of backups, damage, holds, clocks that jump and changed policies: whatever comes, what must stay stays.
@Suite struct RotationModelTests {
  private final class History {
    let sample: SampleRepository
    var random: SeededGenerator
    var now = SampleRepository.time
    var number = 0
    var rules = RetentionRules()
    var everGood = false

    init(seed: UInt64) throws {
      sample = try SampleRepository()
      random = SeededGenerator(seed: seed)
      rules.keepLast = 2
    }

    func prune() -> PruneBackups {
      let policy = Policy(
        name: "app", environment: "test", target: ConnectionTarget(parameters: ["dbname": "app"]),
        repository: sample.path,
        retention: rules)
      let (now, log) = (now, Log.silent)
      return PruneBackups(
        policy: policy,
        surroundings: Surroundings(
          cancellation: Cancellation(), log: log, reporter: SilentReporter(), now: { now }))
    }

    func backUp() throws {
      number += 1
      let levels: [[VerificationLevel]] = [[], [.checksum], [.archive]]
      let hold = Int.random(in: 0..<9, using: &random) == 0 ? Hold(reason: "by hand", at: now) : nil
      try sample.add(
        "b\(String(format: "%06d", number))", at: now, hold: hold,
        verified: levels[Int.random(in: 0..<3, using: &random)])
      everGood = true
    }

    func damage() throws {
      guard var backup = try sample.listing.backups.randomElement(using: &random) else { return }
      try backup.record(SampleRepository.verification(.archive, ok: false))
    }

    func changeRules() {
      rules = RetentionRules()
      rules.keepLast = Int.random(in: 0...3, using: &random)
      rules.keepDaily = Int.random(in: 0...4, using: &random)
      rules.keepMonthly = Int.random(in: 0...2, using: &random)
      rules.keepWithin = .seconds(Int.random(in: 0...200_000, using: &random))
      rules.minimumVerified = Int.random(in: 0...3, using: &random)
    }

    /// A run that was killed between the two steps of a removal.
    func killInRemoval() throws {
      guard let id = try prune().plan().plan.remove.last?.id else { return }
      try FileManager.default.moveItem(atPath: "\(sample.shelf)/\(id)", toPath: "\(sample.shelf)/.removing-\(id)")
    }

    func expectPruned() throws {
      let before = try sample.listing.backups
      let dry = try prune().plan()
      let done = try prune().run()
      #expect(done.plan == dry.plan, "a dry run shows what happens")
      #expect(Set(done.removed) == Set(dry.plan.remove.map(\.id)))
      let after = try sample.listing
      let left = Set(after.backups.map(\.id))
      #expect(left == Set(dry.plan.keep.map(\.id)) && after.broken.isEmpty)
      for backup in before {
        if backup.hold != nil || backup.state == .damaged { #expect(left.contains(backup.id)) }
      }
      let verified = before.filter { $0.state == .complete && $0.verification != nil }
      #expect(verified.count { left.contains($0.id) } >= min(rules.minimumVerified, verified.count))
      // As long as any rule keeps anything, one to restore is left.
      if before.contains(where: { $0.state == .complete }) {
        #expect(after.backups.contains { $0.state == .complete })
      }
      let again = try prune().plan().plan
      #expect(again.remove.isEmpty, "nothing more goes at a second look")
      let hidden = try FileManager.default.contentsOfDirectory(atPath: sample.shelf).filter { $0.hasPrefix(".rem") }
      #expect(hidden.isEmpty)
    }

    func step() throws {
      switch Int.random(in: 0..<12, using: &random) {
      case 0..<6: try backUp()
      case 6: try damage()
      case 7: changeRules()
      case 8: now = now.addingTimeInterval(-Double.random(in: 0...400_000, using: &random))
      case 9: try killInRemoval()
      default: break
      }
      now = now.addingTimeInterval(Double.random(in: 1...150_000, using: &random))
      try expectPruned()
    }
  }

  @Test(arguments: 1...2) func `what must stay stays, and a dry run shows what happens`(seed: Int) throws {
    let history = try History(seed: UInt64(seed))
    for _ in 0..<100 { try history.step() }
    #expect(history.everGood)
  }
}
