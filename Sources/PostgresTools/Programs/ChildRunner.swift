import Diagnostics
import Foundation

/// Runs children to their end under a cancellation.
package struct ChildRunner: Sendable {
  private let cancellation: Cancellation
  private let log: Log

  package init(cancellation: Cancellation, log: Log = .silent) {
    self.cancellation = cancellation
    self.log = log
  }

  /// Starts a child, and says how it is called.
  private func start(
    _ command: ChildCommand, capturesOutput: Bool, takesInput: Bool = false
  ) throws(Failure) -> ChildProcess {
    log.debug("running \(command.shown)")
    return try ChildProcess(starting: command, capturesOutput: capturesOutput, takesInput: takesInput)
  }

  private func wait(for child: ChildProcess, _ command: ChildCommand, since start: ContinuousClock.Instant) -> ChildExit
  {
    let exit = child.wait()
    let seconds = ((ContinuousClock.now - start) / .milliseconds(10)).rounded() / 100
    log.debug("\(command.name): \(exit.description) after \(seconds) s")
    return exit
  }

  /// Runs a child and hands its output on piece by piece.
  ///
  /// - Parameters:
  ///   - stopping: asked every twentieth of a second whether to end the child early.
  ///   - silence: of the server that the child's output comes from.
  /// - Throws: what `take` throws, after the child was ended; `Failure.stopped` when the run is to stop; `server_timeout`.
  package func run(
    _ command: ChildCommand, stopping: (@Sendable () -> Bool)? = nil, silence: ServerSilence? = nil,
    take: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) -> ChildExit {
    try cancellation.check()
    let began = ContinuousClock.now
    let child = try start(command, capturesOutput: true)
    let timer = stopTimer(child, Self.either(stopping, silence))
    defer { timer?.cancel() }
    let outcome: Result<ChildExit, Failure> = cancellation.withHandler({ child.terminate() }) {
      var failure: Failure?
      do throws(Failure) {
        try drain(child) { (piece) throws(Failure) in
          silence?.end()
          try take(piece)
        }
      } catch {
        failure = error
        child.terminate()
      }
      let exit = wait(for: child, command, since: began)
      return failure.map { .failure($0) } ?? .success(exit)
    }
    // The stop first: a stream that it ended early looks like a clean one.
    try cancellation.check()
    let exit = try outcome.get()
    try silence?.check(succeeded: exit.succeeded)
    return exit
  }

  /// Runs a child that is fed on its stdin, while another thread takes its output.
  ///
  /// - Parameters:
  ///   - feed: puts the bytes; it is not heard to its end when the child reads no more.
  ///   - take: called on that other thread.
  ///   - needsAll: one that ended well before it had read everything has failed.
  package func run(
    _ command: ChildCommand, needsAll: Bool = true,
    feed: (_ put: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) -> Void,
    take: @escaping @Sendable (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) -> ChildExit {
    try cancellation.check()
    let began = ContinuousClock.now
    let child = try start(command, capturesOutput: true, takesInput: true)
    let outcome: Result<ChildExit, Failure> = cancellation.withHandler({ child.terminate() }) {
      let reader = OutputThread { () throws(Failure) in
        do throws(Failure) { try drain(child, take) } catch {
          // It would wait for ever for somebody to take the rest, and we for it to read.
          child.terminate()
          throw error
        }
      }
      var failure: Failure?
      var readsNoMore = false
      // Nobody takes its output then.
      if reader.isMissing { child.terminate() }
      do throws(Failure) {
        try feed { (bytes) throws(Failure) in
          guard child.put(bytes) else {
            readsNoMore = true
            throw Self.readNoMore
          }
        }
      } catch {
        failure = error
        if !readsNoMore { child.terminate() }
      }
      child.endInput()
      let taking = reader.failure()
      let exit = wait(for: child, command, since: began)
      if let taking { return .failure(taking) }
      // What the child says of its own end tells more than that it read no more.
      if let failure, !readsNoMore || exit.succeeded && needsAll { return .failure(failure) }
      return .success(exit)
    }
    try cancellation.check()
    return try outcome.get()
  }

  private static let readNoMore = Failure(
    "child_failed", exit: .failed, what: "a program that was being fed",
    why: "it ended well before it had read everything",
    nextStep: "run the same command again; when it happens again, look at that program")

  /// Runs a child whose output does not matter.
  ///
  /// - Parameters:
  ///   - stopping: asked every twentieth of a second whether to end the child early.
  ///   - pausing: asked every hundredth of a second whether the child has to stand still.
  ///   - silence: of the server; whoever sees that something has come ends it.
  /// - Throws: `Failure.stopped`; `server_timeout`.
  package func run(
    _ command: ChildCommand, stopping: (@Sendable () -> Bool)?, pausing: (@Sendable () -> Bool)? = nil,
    silence: ServerSilence? = nil
  ) throws(Failure) -> ChildExit {
    try cancellation.check()
    let began = ContinuousClock.now
    let child = try start(command, capturesOutput: false)
    let timer = stopTimer(child, Self.either(stopping, silence))
    let pause = pausing.map { mustPause in
      let pause = Pause(child)
      return Self.timer(every: 0.01) { pause.set(mustPause()) }
    }
    let exit = cancellation.withHandler({ child.terminate() }) { wait(for: child, command, since: began) }
    timer?.cancel()
    pause?.cancel()
    try cancellation.check()
    try silence?.check(succeeded: exit.succeeded)
    return exit
  }

  private static func either(
    _ stopping: (@Sendable () -> Bool)?, _ silence: ServerSilence?
  ) -> (@Sendable () -> Bool)? {
    guard let silence else { return stopping }
    return { silence.isTooLong || stopping?() ?? false }
  }

  private func stopTimer(_ child: ChildProcess, _ stopping: (@Sendable () -> Bool)?) -> (any DispatchSourceTimer)? {
    guard let stopping else { return nil }
    // A second TERM may be taken for the wish to end at once.
    let once = Once()
    return Self.timer(every: 0.05) { if stopping() { once.run { child.terminate() } } }
  }

  private static func timer(every seconds: Double, _ body: @escaping @Sendable () -> Void) -> any DispatchSourceTimer {
    let timer = DispatchSource.makeTimerSource(queue: .global())
    timer.setEventHandler { @Sendable in body() }
    timer.schedule(deadline: .now() + seconds, repeating: seconds)
    timer.resume()
    return timer
  }

  /// Runs a child whose stdout and stderr its user is to see, in the order in which they come.
  ///
  /// - Parameter limit: how long it may run; then its whole group is asked to end, and made to five seconds later. Nil: as long as it takes.
  /// - Throws: `command_timed_out`.
  package func runVisibly(
    _ command: ChildCommand, within limit: Duration?, tell: (UnsafeRawBufferPointer) -> Void
  ) throws(Failure) -> ChildExit {
    // One pipe for both: a shell joins them.
    var joined = command
    joined.executable = "/bin/sh"
    joined.arguments = ["-c", "exec \"$0\" \"$@\" 2>&1", command.executable] + command.arguments
    let start = ContinuousClock.now
    var isOver: (@Sendable () -> Bool)?
    if let limit { isOver = { ContinuousClock.now - start >= limit } }
    let exit = try run(joined, stopping: isOver) { (piece) throws(Failure) in tell(piece) }
    // One that ends at the last moment, and well, is not late.
    if let limit, !exit.succeeded, ContinuousClock.now - start >= limit {
      throw Failure(
        Self.timedOut, exit: .failed, what: "command \(command.name)",
        why: "it still ran after \((limit / .milliseconds(1) / 1000).formatted()) s, and its processes were ended",
        nextStep: "give it more time")
    }
    return exit
  }

  /// The code of the failure of a program that took too long.
  package static let timedOut = "command_timed_out"

  /// Runs a child that prints little, and returns what it printed.
  ///
  /// - Throws: `child_failed` unless it ended with exit 0.
  package func output(of command: ChildCommand) throws(Failure) -> String { try outputAndExit(of: command).output }

  /// The same, with what it wrote to stderr.
  ///
  /// - Parameter silence: of the server that the output comes from.
  package func outputAndExit(
    of command: ChildCommand, silence: ServerSilence? = nil
  ) throws(Failure) -> (output: String, exit: ChildExit) {
    var bytes: [UInt8] = []
    let exit = try run(command, silence: silence) { (piece) throws(Failure) in bytes += piece }
    try exit.check(command.name)
    return (String(decoding: bytes, as: UTF8.self), exit)
  }

  private func drain(
    _ child: ChildProcess, _ take: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    guard let output = child.output else { return }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 512 << 10, alignment: 4096)
    defer { buffer.deallocate() }
    while child.waitForOutput() {
      let count = read(output, buffer.baseAddress, buffer.count)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return }
      try take(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
    }
  }
}

/// Whether a child stands still just now. Called by one timer.
private final class Pause: @unchecked Sendable {
  private let child: ChildProcess
  private var isPaused = false

  init(_ child: ChildProcess) { self.child = child }

  func set(_ paused: Bool) {
    guard paused != isPaused else { return }
    isPaused = paused
    child.pause(paused)
  }
}

/// Does something at most once, whichever thread comes first.
private final class Once: @unchecked Sendable {
  private let lock = NSLock()
  private var done = false

  func run(_ body: () -> Void) {
    let isFirst = lock.withLock {
      defer { done = true }
      return !done
    }
    if isFirst { body() }
  }
}

/// Takes a child's output on a thread of its own.
private final class OutputThread: @unchecked Sendable {
  private let ended = DispatchSemaphore(value: 0)
  private var outcome: Failure?
  private(set) var isMissing = false

  init(_ body: @escaping @Sendable () throws(Failure) -> Void) {
    let started = startThread { [self] in
      do throws(Failure) { try body() } catch { outcome = error }
      ended.signal()
    }
    guard !started else { return }
    isMissing = true
    outcome = .noThread
    ended.signal()
  }

  /// Waits for the end.
  func failure() -> Failure? {
    ended.wait()
    return outcome
  }
}

extension ChildExit {
  /// - Throws: `child_failed` with the last lines of stderr, unless the child ended with exit 0.
  package func check(_ name: String) throws(Failure) {
    if !succeeded { throw failure(of: name) }
  }

  /// `child_failed`, with the last lines of stderr.
  package func failure(of name: String) -> Failure {
    let nextStep =
      switch status {
      case .exited: "fix what \(name) says"
      case .signalled: "find what killed \(name) (when memory runs out, the kernel's log tells)"
      }
    let message = errorMessage(of: name)
    return Failure(
      "child_failed", exit: .failed, what: name, why: message.error ?? description,
      nextStep: nextStep + ", then run the same command again",
      details: message.error == nil ? [] : message.context + [description])
  }

  /// The first line of stderr that tells of an error, and the lines after it, which tell its place. Later errors may only follow from it.
  ///
  /// - Parameter name: of the program: it stands before each of its messages.
  private func errorMessage(of name: String) -> (error: String?, context: [String]) {
    let lines = standardError.split(whereSeparator: \.isNewline).map(String.init)
    let words = ["ERROR:  ", "FATAL:  ", "PANIC:  ", "error: ", "fatal: "]
    guard let first = lines.firstIndex(where: { line in words.contains { line.contains($0) } }) else {
      return (lastLines.last, lastLines.dropLast())
    }
    var error = lines[first]
    for prefix in ["\(name): ", "error: ", "fatal: "] where error.hasPrefix(prefix) {
      error.removeFirst(prefix.count)
    }
    return (error, Array(lines[(first + 1)...].prefix(6)))
  }
}
