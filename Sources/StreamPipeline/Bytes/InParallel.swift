import Diagnostics
import Foundation

/// Applies `body` to every item on a number of threads and returns the results in the items' order.
///
/// Own threads, since `body` blocks; the calling one works too, so that it goes on where the system has none to give. After the first
/// failure, or a cancellation, no further item is begun.
///
/// - Parameter start: starts a thread, or returns false.
package func inParallel<Item: Sendable, Output: Sendable>(
  _ items: [Item], threads: Int, cancellation: Cancellation,
  start: (@escaping @Sendable () -> Void) -> Bool = startThread,
  _ body: @escaping @Sendable (Item) throws(Failure) -> Output
) throws(Failure) -> [Output] {
  let work = SharedWork<Item, Output>(items)
  let group = DispatchGroup()
  @Sendable func workOn() {
    while cancellation.signal == nil, let (index, item) = work.next() {
      do throws(Failure) { work.finish(index, try body(item)) } catch { work.fail(error) }
    }
  }
  for _ in 1..<max(1, min(threads, items.count)) {
    group.enter()
    let started = start {
      workOn()
      group.leave()
    }
    if !started {
      group.leave()
      break
    }
  }
  workOn()
  group.wait()
  try cancellation.check()
  return try work.results()
}

private final class SharedWork<Item: Sendable, Output: Sendable>: @unchecked Sendable {
  private let lock = NSLock()
  private let items: [Item]
  private var position = 0
  private var outputs: [Int: Output] = [:]
  private var failure: Failure?

  init(_ items: [Item]) { self.items = items }

  func next() -> (Int, Item)? {
    lock.withLock {
      guard failure == nil, position < items.count else { return nil }
      defer { position += 1 }
      return (position, items[position])
    }
  }

  func finish(_ index: Int, _ output: Output) { lock.withLock { outputs[index] = output } }

  func fail(_ error: Failure) { lock.withLock { failure = failure ?? error } }

  func results() throws(Failure) -> [Output] {
    lock.lock()
    defer { lock.unlock() }
    if let failure { throw failure }
    return items.indices.compactMap { outputs[$0] }
  }
}
