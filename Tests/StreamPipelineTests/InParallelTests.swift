import Diagnostics
import Foundation
import StreamPipeline
import Testing

@Suite struct InParallelTests {
  private static let failure = Failure("test", exit: .failed, what: "item", why: "seven", nextStep: "none")

  @Test(arguments: [0, 1, 2, 7, 200])
  func `gives the results in the items' order`(threads: Int) throws {
    let results = try inParallel(Array(0..<100), threads: threads, cancellation: Cancellation()) { $0 * 2 }
    #expect(results == (0..<100).map { $0 * 2 })
    #expect(try inParallel([Int](), threads: threads, cancellation: Cancellation()) { $0 } == [])
  }

  @Test func `works on several items at once`() throws {
    let together = Counter()
    let results = try inParallel([1, 2], threads: 2, cancellation: Cancellation()) { _ in
      together.add()
      return eventually { together.value == 2 }
    }
    #expect(results == [true, true])
  }

  /// A process may have no more of them than its container allows.
  @Test func `without a thread to be started the calling one does it all`() throws {
    let asked = Counter()
    let results = try inParallel(
      Array(0..<10), threads: 4, cancellation: Cancellation(),
      start: { _ in
        asked.add()
        return false
      }
    ) { $0 * 2 }
    #expect(results == (0..<10).map { $0 * 2 })
    #expect(asked.value == 1)
  }

  @Test func `the first failure stops the rest`() throws {
    let begun = Counter()
    let failure = try #require(throws: Failure.self) {
      try inParallel(Array(0..<1000), threads: 2, cancellation: Cancellation()) { (item) throws(Failure) in
        begun.add()
        if item == 7 { throw Self.failure }
        // The other thread does not run ahead of the failure.
        if item > 7 { usleep(1_000) }
      }
    }
    #expect(failure == Self.failure)
    #expect(begun.value < 1000)
  }

  @Test func `a stop ends it between two items`() throws {
    let cancellation = Cancellation()
    let begun = Counter()
    let failure = try #require(throws: Failure.self) {
      try inParallel(Array(0..<1000), threads: 2, cancellation: cancellation) { item in
        begun.add()
        if item == 7 { cancellation.cancel(signal: SIGTERM) }
        if item > 7 { usleep(1_000) }
      }
    }
    #expect(failure == .stopped(by: SIGTERM))
    #expect(begun.value < 1000)
  }
}

/// A number that threads may add to.
final class Counter: @unchecked Sendable {
  private let lock = NSLock()
  private var number = 0

  var value: Int { lock.withLock { number } }
  func add(_ amount: Int = 1) { lock.withLock { number += amount } }
}
