import Planning
import Testing

@Suite struct LockQueueTests {
  private let locks = 10
  private let snapshot = 20
  private let dump = 30

  private func step(_ waiters: LockWaiter..., locks: Int? = 10) -> LockQueueStep {
    lockQueueStep(waiters, locks: locks, snapshot: snapshot)
  }

  @Test func `without anybody waiting a backup goes on`() {
    #expect(step() == .goOn)
    #expect(step(LockWaiter(process: 99, blockers: [98])) == .goOn)
  }

  @Test func `locks that somebody waits for are given back`() {
    #expect(step(LockWaiter(process: 99, blockers: [98, locks])) == .giveLocksBack)
    let behind = LockWaiter(process: dump, blockers: [99], isDump: true)
    #expect(step(behind, LockWaiter(process: 99, blockers: [locks, snapshot])) == .giveLocksBack)
  }

  @Test func `what waits for a dump that has its locks waits for it`() {
    #expect(step(LockWaiter(process: 99, blockers: [dump]), locks: nil) == .goOn)
    #expect(step(LockWaiter(process: 99, blockers: [snapshot]), locks: nil) == .goOn)
  }

  @Test func `a dump that waits itself keeps nobody waiting`() {
    let stuck = LockWaiter(process: dump, blockers: [98], isDump: true)
    #expect(step(stuck, locks: nil) == .goOn)
    #expect(step(stuck, LockWaiter(process: 99, blockers: [dump]), locks: nil) == .beginAgain)
    #expect(step(stuck, LockWaiter(process: 99, blockers: [snapshot]), locks: nil) == .beginAgain)
    #expect(step(stuck, LockWaiter(process: 99, blockers: [97]), locks: nil) == .goOn)
  }
}
