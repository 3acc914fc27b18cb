import Diagnostics
import Foundation
import Testing

@Suite struct CancellationTests {
  @Test func `lets everything pass until a stop is asked for, and names its signal`() throws {
    let cancellation = Cancellation()
    #expect(cancellation.signal == nil)
    try cancellation.check()
    cancellation.cancel(signal: 2)
    #expect(cancellation.signal == 2)
    let failure = try #require(throws: Failure.self) { try cancellation.check() }
    #expect(failure.exit == .interrupted)
  }

  @Test func `only the first stop counts`() {
    let cancellation = Cancellation()
    let calls = Calls()
    cancellation.withHandler({ calls.add() }) {
      cancellation.cancel(signal: 15)
      cancellation.cancel(signal: 2)
    }
    #expect(cancellation.signal == 15)
    #expect(calls.count == 1)
    #expect(throws: Failure.stopped(by: 15)) { try cancellation.check() }
  }

  @Test func `runs every handler that is registered, and none that no longer is`() {
    let cancellation = Cancellation()
    let calls = Calls()
    cancellation.withHandler({ calls.add() }) {}
    cancellation.withHandler({ calls.add() }) {
      cancellation.withHandler({ calls.add() }) { cancellation.cancel(signal: 15) }
    }
    #expect(calls.count == 2)
  }

  @Test func `a handler that comes after the stop runs at once`() {
    let cancellation = Cancellation()
    cancellation.cancel(signal: 15)
    let calls = Calls()
    cancellation.withHandler({ calls.add() }) { #expect(calls.count == 1) }
  }

  @Test func `a handler goes when its body throws`() {
    let cancellation = Cancellation()
    let calls = Calls()
    #expect(throws: CancellationError.self) {
      try cancellation.withHandler({ calls.add() }) { throw CancellationError() }
    }
    cancellation.cancel(signal: 15)
    #expect(calls.count == 0)
  }

  @Test func `stops once, however many threads ask and register at the same time`() {
    for _ in 0..<200 {
      let cancellation = Cancellation()
      let calls = Calls()
      DispatchQueue.concurrentPerform(iterations: 4) { number in
        if number < 2 {
          cancellation.cancel(signal: Int32(number))
        } else {
          let own = Calls()
          cancellation.withHandler({ own.add() }) { while own.count == 0 { usleep(10) } }
          calls.add(own.count)
        }
      }
      #expect(calls.count >= 2)
    }
  }
}

@Suite struct FailureTests {
  @Test func `is printed as what, why and the next step, with its details between`() {
    let failure = Failure("code", exit: .failed, what: "what", why: "why", nextStep: "next", details: ["one", "two"])
    #expect(failure.lines == ["error: what: why", "       one", "       two", "hint: next"])
  }

  @Test(arguments: [(Int32(2), ExitCode.interrupted, "SIGINT"), (15, .terminated, "SIGTERM")])
  func `a stop has the exit code of its signal`(signal: Int32, exit: ExitCode, name: String) {
    #expect(Failure.stopped(by: signal).exit == exit)
    #expect(Failure.stopped(by: signal).why.contains(name))
    #expect(exit.rawValue == 128 + signal)
  }

  @Test(arguments: LogLevel.allCases)
  func `a log level is known by its name`(level: LogLevel) {
    #expect(LogLevel(name: level.name) == level)
    #expect(LogLevel(name: level.name + "x") == nil)
  }
}

private final class Calls: @unchecked Sendable {
  private let lock = NSLock()
  private var number = 0
  var count: Int { lock.withLock { number } }
  func add(_ amount: Int = 1) { lock.withLock { number += amount } }
}
