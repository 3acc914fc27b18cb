/// A session that waits for a lock, and those that it waits for: holders, and who stands before it in the queue.
package struct LockWaiter: Sendable, Equatable {
  package var process: Int
  package var blockers: Set<Int>
  /// It is one of pg_dump's, of this backup.
  package var isDump: Bool

  package init(process: Int, blockers: Set<Int>, isDump: Bool = false) {
    self.process = process
    self.blockers = blockers
    self.isDump = isDump
  }
}

/// What to do for those that wait for a backup that has not begun to dump.
package enum LockQueueStep: Sendable, Equatable {
  case goOn
  /// Somebody waits for the locks that were taken before the snapshot. pg_dump would wait behind them, for us.
  case giveLocksBack
  /// pg_dump itself waits for a lock, and somebody waits for those that it has already: it is to begin again later.
  case beginAgain
}

/// - Parameters:
///   - locks: the session that has the locks taken before the snapshot; nil when they were given back.
///   - snapshot: the session that keeps the snapshot.
package func lockQueueStep(_ waiters: [LockWaiter], locks: Int?, snapshot: Int) -> LockQueueStep {
  if let locks, waiters.contains(where: { $0.blockers.contains(locks) }) { return .giveLocksBack }
  let stuck = Set(waiters.filter(\.isDump).map(\.process))
  guard !stuck.isEmpty else { return .goOn }
  let ours = stuck.union([snapshot])
  let othersWait = waiters.contains { !$0.isDump && !$0.blockers.isDisjoint(with: ours) }
  return othersWait ? .beginAgain : .goOn
}
