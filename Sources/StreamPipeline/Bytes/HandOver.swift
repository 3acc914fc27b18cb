import Diagnostics
import Foundation

/// Runs `produce` on a thread of its own while the calling one consumes what it puts, in order and a few pieces behind: both take as
/// long as the slower one alone.
///
/// - Throws: what `consume` throws, at once, and then `produce` is ended at its next piece; else what `produce` throws.
package func handOver(
  from produce: @escaping @Sendable (_ put: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) -> Void,
  to consume: (UnsafeRawBufferPointer) throws(Failure) -> Void
) throws(Failure) {
  let queue = PieceQueue()
  let started = startThread {
    do throws(Failure) {
      try produce { (piece) throws(Failure) in try queue.put(Array(piece)) }
      queue.end(nil)
    } catch { queue.end(error) }
  }
  guard started else { throw .noThread }
  // Nothing that the other thread uses may go before it.
  defer { queue.waitForEnd() }
  while let piece = try queue.next() { try piece.withBytes(consume) }
}

/// A few pieces on their way from one thread to another.
private final class PieceQueue: @unchecked Sendable {
  private let condition = NSCondition()
  // Guarded by `condition`.
  private var pieces: [[UInt8]] = []
  private var ended = false
  private var failure: Failure?
  private var unwanted = false

  private static let most = 4

  func put(_ piece: [UInt8]) throws(Failure) {
    condition.lock()
    defer { condition.unlock() }
    while pieces.count >= Self.most, !unwanted { condition.wait() }
    if unwanted { throw .internalError("nobody reads on") }
    pieces.append(piece)
    condition.broadcast()
  }

  func end(_ failure: Failure?) {
    condition.withLock {
      ended = true
      self.failure = failure
      condition.broadcast()
    }
  }

  func next() throws(Failure) -> [UInt8]? {
    condition.lock()
    defer { condition.unlock() }
    while pieces.isEmpty, !ended { condition.wait() }
    if let piece = pieces.first {
      pieces.removeFirst()
      condition.broadcast()
      return piece
    }
    if let failure { throw failure }
    return nil
  }

  func waitForEnd() {
    condition.withLock {
      unwanted = true
      condition.broadcast()
      while !ended { condition.wait() }
    }
  }
}
