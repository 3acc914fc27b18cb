import Foundation

/// The wish to stop, from a signal to everything that has to hear of it.
///
/// Work asks `check()` between its steps; what blocks registers a closure that unblocks it.
package final class Cancellation: @unchecked Sendable {
  private let lock = NSLock()
  private var received: Int32?
  private var handlers: [Int: @Sendable () -> Void] = [:]
  private var nextHandler = 0

  package init() {}

  /// The signal that asked to stop; nil while nothing did.
  package var signal: Int32? { lock.withLock { received } }

  /// Asks to stop. Only the first call counts; handlers run on the calling thread.
  package func cancel(signal: Int32) {
    let waiting: [@Sendable () -> Void] = lock.withLock {
      guard received == nil else { return [] }
      received = signal
      return Array(handlers.values)
    }
    for handler in waiting { handler() }
  }

  /// - Throws: `Failure.stopped` once a stop was asked for.
  package func check() throws(Failure) {
    if let signal { throw Failure.stopped(by: signal) }
  }

  /// Runs `body` with `handler` registered; when the stop came earlier the handler runs at once.
  package func withHandler<Result>(
    _ handler: @escaping @Sendable () -> Void, _ body: () throws -> Result
  ) rethrows -> Result {
    let (number, late): (Int, Bool) = lock.withLock {
      nextHandler += 1
      handlers[nextHandler] = handler
      return (nextHandler, received != nil)
    }
    defer { lock.withLock { handlers[number] = nil } }
    if late { handler() }
    return try body()
  }
}
