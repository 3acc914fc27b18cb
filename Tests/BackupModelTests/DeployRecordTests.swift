import BackupModel
import Foundation
import Testing

/// What the journal of a deploy tells, at whatever line it ends.
@Suite struct DeployRecordTests {
  private typealias State = DeployRecord.State

  private static func event(
    _ step: DeployEvent.Step, _ second: Double = 0, migration: String? = nil, migrations: [String]? = nil,
    backup: String? = nil, temporary: String? = nil, keptAs: String? = nil, atomic: Bool? = nil, error: String? = nil
  ) -> DeployEvent {
    DeployEvent(
      step, at: Date(timeIntervalSince1970: second), migration: migration, migrations: migrations, backup: backup,
      database: step == .began || step == .rollbackBegan ? "app" : nil, temporary: temporary, keptAs: keptAs,
      atomic: atomic, error: error)
  }

  private static let began = event(.began, migrations: ["a", "b"])
  private static let snapshot = event(.snapshotTaken, backup: "b1")
  private static func applying(_ name: String) -> DeployEvent { event(.applying, migration: name) }
  private static func applied(_ name: String) -> DeployEvent { event(.applied, migration: name) }
  private static let finished = event(.finished)
  private static let rollbackBegan = event(
    .rollbackBegan, 10, migrations: ["a", "b"], backup: "b1", temporary: "app__restore_1")
  private static let swapping = event(.swapping, keptAs: "app__before_1")
  private static let undoing = event(.undoing, temporary: "app__undone_1")

  private static let deploy = [
    began, snapshot, applying("a"), applied("a"), applying("b"), applied("b"), finished,
  ]
  private static let rollback = [
    rollbackBegan, event(.restored), swapping, event(.swapped, 20), event(.rolledBack),
  ]
  private static let undo = [undoing, event(.undone)]

  private static func record(_ events: [DeployEvent]) throws -> DeployRecord {
    try #require(DeployRecord(id: "d", events: events))
  }

  @Test func `a journal without a line is no deploy`() {
    #expect(DeployRecord(id: "d", events: []) == nil)
  }

  @Test func `each line of a deploy, its rollback and its undo has its state`() throws {
    let states: [State] =
      Array(repeating: .open, count: 6) + [.applied] + Array(repeating: .rollingBack, count: 4) + [.rolledBack]
      + [.undoing, .applied]
    let events = Self.deploy + Self.rollback + Self.undo
    #expect(states.count == events.count)
    for (count, state) in zip(1..., states) {
      let record = try Self.record(Array(events.prefix(count)))
      #expect(record.state == state, "after \(count) lines")
      #expect(record.isUnfinished == [.open, .rollingBack, .undoing].contains(state), "after \(count) lines")
    }
  }

  @Test func `a deploy knows what was applied, and what is in doubt`() throws {
    let events = Self.deploy
    let doubts: [String?] = [nil, nil, "a", nil, "b", nil, nil]
    for (count, doubt) in zip(1..., doubts) {
      let record = try Self.record(Array(events.prefix(count)))
      #expect(record.inDoubt == doubt, "after \(count) lines")
      #expect(record.backup == (count > 1 ? "b1" : nil))
      #expect(record.pending == ["a", "b"])
      #expect(record.database == "app")
      #expect(!record.byCommand)
    }
    #expect(try Self.record(events).applied == ["a", "b"])
  }

  /// Lines after which a deploy has ended, and how.
  private static let ends: [(String, [DeployEvent], State)] = [
    ("a failed script", [event(.failed, migration: "a", atomic: true)], .failed),
    ("and its end", [event(.failed, migration: "a", atomic: true), event(.finished, error: "P3018")], .failed),
    ("an error without a script", [event(.finished, error: "P3015: no script")], .failed),
    ("nothing more", [finished], .applied),
    ("given up", [event(.abandoned)], .abandoned),
  ]

  @Test func `a deploy ends as it ended, and an undone or abandoned rollback brings that back`() throws {
    for (name, end, state) in Self.ends {
      let events = [Self.began, Self.snapshot, Self.applying("a")] + end
      #expect(try Self.record(events).state == state, "\(name)")
      guard state != .abandoned else { continue }
      #expect(try Self.record(events + Self.rollback + Self.undo).state == state, "\(name), undone")
      for count in 1..<Self.rollback.count {
        let broken = events + Self.rollback.prefix(count)
        #expect(try Self.record(broken).state == .rollingBack, "\(name), \(count) lines")
        let abandoned = try Self.record(broken + [Self.event(.abandoned)])
        #expect(abandoned.state == state, "\(name), \(count) lines")
        #expect(abandoned.rollback == nil)
      }
      #expect(try Self.record(events + Self.rollback + [Self.undoing, Self.event(.abandoned)]).state == .rolledBack)
    }
  }

  @Test func `whether a failed script left anything is not guessed`() throws {
    for (atomic, expected) in [(true, true), (false, false), (nil, false)] as [(Bool?, Bool)] {
      let record = try Self.record([Self.began, Self.event(.failed, migration: "a", atomic: atomic)])
      #expect(record.failed == "a")
      #expect(record.failedAtomically == expected)
    }
  }

  @Test func `a deploy by another program is known as one`() throws {
    let record = try Self.record([Self.began, Self.snapshot, Self.event(.applying, migrations: ["a", "b"])])
    #expect(record.byCommand)
    #expect(record.inDoubt == nil)
  }

  @Test func `a rollback knows its databases, and when the names were exchanged`() throws {
    let rollback = try #require(try Self.record(Self.deploy + Self.rollback).rollback)
    #expect(rollback.backup == "b1")
    #expect(rollback.temporaryName == "app__restore_1")
    #expect(rollback.keptAs == "app__before_1")
    #expect(rollback.undoes == ["a", "b"])
    #expect(rollback.restored && rollback.swapped && !rollback.undone)
    #expect(rollback.at == Date(timeIntervalSince1970: 20))
    let resolving = try Self.record(Self.deploy + [Self.event(.rollbackBegan, migrations: ["b"], backup: "b1")])
    #expect(resolving.rollback?.temporaryName == nil)
  }

  @Test func `every database that was kept is remembered`() throws {
    let again = [
      Self.rollbackBegan, Self.event(.swapping, keptAs: "app__before_1_2"),
      Self.event(.abandoned, keptAs: "app__undone_1_2"),
    ]
    let record = try Self.record(Self.deploy + Self.rollback + Self.undo + Self.rollback + again)
    #expect(record.keptNames == ["app__before_1", "app__undone_1", "app__before_1_2", "app__undone_1_2"])
  }

  @Test func `a rollback to a backup is no deploy that can be rolled back`() throws {
    let record = try Self.record(Self.rollback)
    #expect(record.state == .rolledBack)
    #expect(record.database == "app")
    #expect(!record.canBeRolledBack)
    #expect(try Self.record(Self.rollback + Self.undo).state == .abandoned)
    #expect(try !Self.record(Self.rollback + Self.undo).canBeRolledBack)
  }

  @Test func `reading any part of a journal, in any order, does not fail`() throws {
    let events = Self.deploy + Self.rollback + Self.undo + Self.ends.flatMap(\.1)
    for _ in 0..<500 {
      let some = Array(events.shuffled().prefix(Int.random(in: 1...events.count)))
      let record = try Self.record(some)
      #expect(record.canBeRolledBack == ([.applied, .failed].contains(record.state) && record.backup != nil))
    }
  }
}

/// Which deploys a rollback can still undo.
@Suite struct StandingDeploysTests {
  /// Deploy `n` begins at second 10 n, with a snapshot `n` taken a second later.
  private static func deploy(_ number: Int, more: [DeployEvent] = []) throws -> DeployRecord {
    let second = Double(10 * number)
    func at(_ seconds: Double) -> Date { Date(timeIntervalSince1970: second + seconds) }
    let events = [
      DeployEvent(.began, at: at(0)), DeployEvent(.snapshotTaken, at: at(1), backup: "\(number)"),
      DeployEvent(.finished, at: at(2)),
    ]
    return try #require(DeployRecord(id: "\(number)", events: events + more))
  }

  private static func rollback(to backup: Int, at second: Double) -> [DeployEvent] {
    let at = Date(timeIntervalSince1970: second)
    return [
      DeployEvent(.rollbackBegan, at: at, backup: "\(backup)", temporary: "beside"), DeployEvent(.swapped, at: at),
      DeployEvent(.rolledBack, at: at),
    ]
  }

  private static func standing(_ records: [DeployRecord]) -> [String] {
    records.standing { backup in
      Double(backup).map { BackupMoment(at: Date(timeIntervalSince1970: 10 * $0 + 1), position: 0) }
    }.map(\.id)
  }

  @Test func `the last one comes first`() throws {
    #expect(Self.standing(try [1, 3, 2].map { try Self.deploy($0) }) == ["3", "2", "1"])
  }

  @Test func `a rollback takes away its deploy and those after it, but none that came later`() throws {
    let gone = try Self.deploy(2, more: Self.rollback(to: 2, at: 35))
    let records = [try Self.deploy(1), gone, try Self.deploy(3), try Self.deploy(4)]
    #expect(Self.standing(records) == ["4", "1"])
  }

  @Test func `a rollback takes the same away when its backup is gone`() throws {
    // 1 and 2 were deployed, then `restore --swap` went back to a backup before them, 3 was deployed, and that backup was pruned.
    let at = Date(timeIntervalSince1970: 35)
    func back(holds: BackupMoment?) throws -> DeployRecord {
      try #require(
        DeployRecord(
          id: "swap",
          events: [
            DeployEvent(.rollbackBegan, at: at, backup: "gone", holds: holds, temporary: "beside"),
            DeployEvent(.swapped, at: at), DeployEvent(.rolledBack, at: at),
          ]))
    }
    let deploys = try [Self.deploy(1), Self.deploy(2), Self.deploy(4)]
    let moment = BackupMoment(at: Date(timeIntervalSince1970: 5), position: 0)
    #expect(Self.standing(deploys + [try back(holds: moment)]) == ["4"])
    let between = BackupMoment(at: Date(timeIntervalSince1970: 15), position: 0)
    #expect(Self.standing(deploys + [try back(holds: between)]) == ["4", "1"])
    // A journal of an older version does not have it.
    #expect(Self.standing(deploys + [try back(holds: nil)]) == ["4", "2", "1"])
  }

  @Test func `an undone rollback has taken nothing away`() throws {
    let undo = [DeployEvent(.undoing, at: Date(timeIntervalSince1970: 40)), DeployEvent(.undone, at: Date())]
    let back = try Self.deploy(2, more: Self.rollback(to: 2, at: 35) + undo)
    #expect(Self.standing([try Self.deploy(1), back, try Self.deploy(3)]) == ["3", "2", "1"])
  }

  @Test func `a rollback to a deploy's own snapshot takes it away, too`() throws {
    let other = try #require(DeployRecord(id: "other", events: Self.rollback(to: 2, at: 35)))
    #expect(Self.standing([try Self.deploy(1), try Self.deploy(2), try Self.deploy(3), other]) == ["1"])
  }

  @Test func `resolving a failed migration takes nothing away`() throws {
    let at = Date(timeIntervalSince1970: 35)
    let resolved = [DeployEvent(.rollbackBegan, at: at, backup: "1"), DeployEvent(.rolledBack, at: at)]
    #expect(Self.standing([try Self.deploy(1, more: resolved), try Self.deploy(2)]) == ["2"])
  }

  @Test func `a failed deploy stands; an open or abandoned one, and one without a snapshot, do not`() throws {
    let at = Date(timeIntervalSince1970: 5)
    let events: [[DeployEvent]] = [
      [DeployEvent(.snapshotTaken, at: at, backup: "1"), DeployEvent(.failed, at: at)],
      [DeployEvent(.snapshotTaken, at: at, backup: "1")],
      [DeployEvent(.snapshotTaken, at: at, backup: "1"), DeployEvent(.abandoned, at: at)],
      [DeployEvent(.finished, at: at)],
    ]
    let records = try events.enumerated().map { try #require(DeployRecord(id: "\($0.offset)", events: $0.element)) }
    #expect(Self.standing(records) == ["0"])
  }

  @Test func `within a second the server's log tells the order`() throws {
    let at = Date(timeIntervalSince1970: 10)
    func record(_ id: String, _ more: [DeployEvent] = []) throws -> DeployRecord {
      let events = [DeployEvent(.snapshotTaken, at: at, backup: id), DeployEvent(.finished, at: at)]
      return try #require(DeployRecord(id: id, events: events + more))
    }
    let records = [try record("1"), try record("2", Self.rollback(to: 2, at: 11)), try record("3")]
    let standing = records.standing { id in UInt64(id).map { BackupMoment(at: at, position: $0) } }
    #expect(standing.map(\.id) == ["1"])
  }
}
