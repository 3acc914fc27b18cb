import BackupModel
import Diagnostics
import Foundation

/// The pass behind a running `pg_dump -Fd`: each data file is followed from its creation to its close, on all cores, and
/// stored in one go. Nothing is read twice.
package final class TrailingPass: @unchecked Sendable {
  private let folder: String
  private let compression: Compression
  private let cancellation: Cancellation
  private let progress: @Sendable (UInt64) -> Void
  private let watch: FolderWatch?
  private let condition = NSCondition()
  private let group = DispatchGroup()

  // Guarded by `condition`.
  private var queue: [String] = []
  /// How many of the queue the threads have taken.
  private var taken = 0
  private var known: Set<String> = []
  private var closed: Set<String> = []
  private var results: [String: DataFilePass.Result] = [:]
  private var backlog: RawBacklog
  /// What was read does not stay on the disk: to wait for it makes room.
  private var givesBack: Bool
  private var failure: Failure?
  /// The dump has ended: every file is whole.
  private var ended = false
  private var abandoned = false

  /// Begins to watch a folder that pg_dump has not written to yet.
  package init(
    folder: String, compression: Compression, threads: Int, cancellation: Cancellation,
    progress: @escaping @Sendable (UInt64) -> Void
  ) {
    self.folder = folder
    self.compression = compression
    self.cancellation = cancellation
    self.progress = progress
    watch = FolderWatch(folder)
    backlog = RawBacklog(folder: folder, jobs: threads)
    givesBack = compression != .none
    start { $0.watchLoop() }
    for _ in 0..<threads { start { $0.workLoop() } }
  }

  private func start(_ loop: @escaping @Sendable (TrailingPass) -> Void) {
    group.enter()
    let started = startThread { [self] in
      loop(self)
      group.leave()
    }
    guard !started else { return }
    group.leave()
    condition.withLock { failure = failure ?? .noThread }
  }

  /// A failure of the pass so far: the dump may as well be stopped. A file without its end is none yet: it may be the consequence
  /// of pg_dump's own failure, which tells more.
  package var failed: Bool { condition.withLock { failure.map { $0.code != "dump_cut_short" } ?? false } }

  /// Whether pg_dump is so far ahead that it has to wait: what it has written and nobody has read takes room that the backup does not need.
  package func mustWait() -> Bool {
    condition.withLock { givesBack && !abandoned && failure == nil && backlog.mustWait() }
  }

  /// Call it when pg_dump has ended well: takes up what was missed and waits for the rest.
  ///
  /// - Returns: results by raw name, without `toc.dat` and the like.
  package func finish() throws(Failure) -> [String: DataFilePass.Result] {
    let names: [String]
    do throws(Failure) { names = try folderNames(folder) } catch {
      abandon()
      throw error
    }
    condition.withLock {
      ended = true
      for name in names { enqueue(name) }
      condition.broadcast()
    }
    group.wait()
    try cancellation.check()
    let results = try outcome()
    try shareEqualFiles(results.values.map(\.stored), in: folder, cancellation: cancellation)
    return results
  }

  /// Call it when pg_dump has failed: stops all threads.
  package func abandon() {
    condition.withLock {
      abandoned = true
      condition.broadcast()
    }
    group.wait()
  }

  /// The failure that ended the pass; nil when there was none.
  package func check() throws(Failure) { _ = try outcome() }

  private func outcome() throws(Failure) -> [String: DataFilePass.Result] {
    condition.lock()
    defer { condition.unlock() }
    if let failure { throw failure }
    return results
  }

  // MARK: Threads

  private func watchLoop() {
    guard let watch else { return }
    while condition.withLock({ !ended && !abandoned && failure == nil }) {
      let events = watch.events(waitingMilliseconds: 20)
      guard !events.isEmpty else { continue }
      condition.withLock {
        for event in events {
          switch event {
          case .created(let name): enqueue(name)
          case .closed(let name):
            closed.insert(name)
            backlog.closed(name)
          }
        }
        condition.broadcast()
      }
    }
  }

  /// Under the lock.
  private func enqueue(_ name: String) {
    guard rawName(name) == name, DataFileKind(name: name) != .contents, known.insert(name).inserted else { return }
    queue.append(name)
    backlog.created(name)
  }

  private func workLoop() {
    do throws(Failure) {
      let pass = try DataFilePass(compression: compression)
      while let name = next() {
        let result = try pass.follow(
          name, in: folder, waitForMore: { () throws(Failure) in try waitForMore(name) },
          progress: { (count) throws(Failure) in
            try checkWanted()
            note(count, isGivenBack: pass.canGiveBack)
            progress(UInt64(count))
          })
        condition.withLock { results[name] = result }
      }
    } catch {
      condition.withLock {
        failure = failure ?? error
        condition.broadcast()
      }
    }
  }

  private func note(_ count: Int, isGivenBack: Bool) {
    condition.withLock {
      backlog.read(count)
      givesBack = givesBack && isGivenBack
    }
  }

  private func next() -> String? {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if abandoned || failure != nil || cancellation.signal != nil { return nil }
      if taken < queue.count {
        taken += 1
        return queue[taken - 1]
      }
      if ended { return nil }
      _ = condition.wait(until: Date(timeIntervalSinceNow: 0.1))
    }
  }

  private func checkWanted() throws(Failure) {
    try cancellation.check()
    if condition.withLock({ abandoned || failure != nil }) { throw .internalError("the pass was given up") }
  }

  /// At the end of a file: waits a little, or says that nothing more will come.
  private func waitForMore(_ name: String) throws(Failure) -> Bool {
    try checkWanted()
    condition.lock()
    defer { condition.unlock() }
    if ended || closed.contains(name) { return false }
    _ = condition.wait(until: Date(timeIntervalSinceNow: 0.005))
    return true
  }
}
