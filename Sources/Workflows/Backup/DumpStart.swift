import BackupModel
import Diagnostics
import Foundation
import Planning
import PostgresTools

/// The moments from a snapshot to pg_dump's own locks. In them nobody is to wait for us, and no table may change unseen.
///
/// A thread looks at the queues for locks: as soon as somebody waits for ours they are given back. When tables were changed then, or
/// others would wait for a pg_dump that waits itself, this start is spoiled, and another has to be made.
final class DumpStart: @unchecked Sendable {
  private let snapshot: SnapshotSession
  private let locks: TableLocks
  private let observer: Session
  private let dumpName: String
  private let log: Log
  private let lock = NSLock()
  private let watched = DispatchGroup()

  // Guarded by `lock`.
  private var isOpen = true
  private var spoiled: Failure?
  private var gaveWay = false

  private static let interval: useconds_t = 40_000

  /// Begins to watch.
  ///
  /// - Parameters:
  ///   - observer: a session for that alone.
  ///   - dumpName: what pg_dump's sessions are called on the server.
  init(_ snapshot: SnapshotSession, locks: TableLocks, observer: Session, dumpName: String, log: Log) {
    self.snapshot = snapshot
    self.locks = locks
    self.observer = observer
    self.dumpName = dumpName
    self.log = log
    watched.enter()
    let started = startThread { [self] in
      while lock.withLock({ isOpen }) {
        watch()
        usleep(Self.interval)
      }
      watched.leave()
    }
    guard !started else { return }
    // Nobody would see who waits for them.
    locks.release()
    watched.leave()
  }

  /// Why this start serves no dump; nil as long as it does.
  var failure: Failure? { lock.withLock { spoiled } }

  /// Our locks were given back before pg_dump had its own: an error of pg_dump's may have no other cause.
  var othersCameFirst: Bool { lock.withLock { gaveWay } }

  /// pg_dump has locked every table, and begins to write. Whatever waits for a table now waits for pg_dump, so that ours are needed no more.
  func dumpBegan() {
    lock.withLock {
      guard isOpen else { return }
      isOpen = false
      look()
      locks.release()
    }
  }

  /// Ends the watch. Call it after pg_dump's end.
  ///
  /// - Throws: `tables_changed`, `tables_wanted`.
  func end() throws(Failure) {
    dumpBegan()
    watched.wait()
    if let failure { throw failure }
  }

  // MARK: The watch

  private func watch() {
    do throws(Failure) {
      switch lockQueueStep(try waiters(), locks: locks.holder, snapshot: snapshot.session.process) {
      case .goOn: break
      case .giveLocksBack:
        locks.release()
        lock.withLock { gaveWay = true }
      case .beginAgain: spoil(wanted)
      }
      lock.withLock { if isOpen, gaveWay { look() } }
    } catch {
      // What cannot be watched must not be held. The look when pg_dump has begun does the rest.
      locks.release()
      log.debug("the queues for locks could not be watched: \(error.why)")
    }
  }

  /// Under the lock.
  private func look() {
    // Between a statement that has failed and the way back to its savepoint nothing can be asked.
    guard spoiled == nil, !snapshot.session.hasFailedTransaction else { return }
    do throws(Failure) {
      let names = try TableLocks.changed(since: snapshot.session)
      guard !names.isEmpty else { return }
      isOpen = false
      spoiled = Failure(
        "tables_changed", exit: .failed, what: "backup of \(snapshot.session.target.database)",
        why:
          "\(names.prefix(5).joined(separator: ", ")) was truncated, rewritten, dropped or renamed while the dump began",
        nextStep: "run the same command again when that happens less often")
    } catch { spoiled = error }
  }

  private func spoil(_ failure: Failure) {
    lock.withLock {
      guard isOpen else { return }
      isOpen = false
      spoiled = failure
    }
  }

  private var wanted: Failure {
    Failure(
      "tables_wanted", exit: .failed, what: "backup of \(snapshot.session.target.database)",
      why: "pg_dump waited for a lock, and others for the tables that it had locked already",
      nextStep: "see pg_locks and pg_blocking_pids(), then run the same command again")
  }

  private func waiters() throws(Failure) -> [LockWaiter] {
    try observer.query(
      """
      SELECT l.pid, pg_catalog.array_to_string(pg_catalog.pg_blocking_pids(l.pid), ' '), a.application_name = $1
      FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid) WHERE NOT l.granted
      """, [dumpName]
    ).map { (values) throws(Failure) in
      let row = try Row(values)
      return LockWaiter(
        process: Int(try row.text(0)) ?? 0, blockers: Set((row[1] ?? "").split(separator: " ").compactMap { Int($0) }),
        isDump: row[2] == "t")
    }
  }
}
