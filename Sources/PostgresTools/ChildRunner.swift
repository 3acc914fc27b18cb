import Diagnostics
import Foundation

/// Runs children to their end under a cancellation.
package struct ChildRunner: Sendable {
  private let cancellation: Cancellation

  package init(cancellation: Cancellation) { self.cancellation = cancellation }

  /// Runs a child and hands its output on piece by piece.
  ///
  /// - Throws: what `take` throws, after the child was ended; `Failure.stopped` when the run is to stop.
  package func run(
    _ command: ChildCommand, take: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) -> ChildExit {
    try cancellation.check()
    let child = try ChildProcess(starting: command, capturesOutput: true)
    let outcome: Result<ChildExit, Failure> = cancellation.withHandler({ child.terminate() }) {
      var failure: Failure?
      do throws(Failure) { try drain(child, take) } catch {
        failure = error
        child.terminate()
      }
      let exit = child.wait()
      return failure.map { .failure($0) } ?? .success(exit)
    }
    // The stop first: a stream that it ended early looks like a clean one.
    try cancellation.check()
    return try outcome.get()
  }

  /// Runs a child whose output does not matter.
  ///
  /// - Parameter stopping: asked every tenth of a second whether to end the child early.
  package func run(
    _ command: ChildCommand, stopping: (@Sendable () -> Bool)?
  ) throws(Failure) -> ChildExit {
    try cancellation.check()
    let child = try ChildProcess(starting: command, capturesOutput: false)
    let timer = DispatchSource.makeTimerSource(queue: .global())
    timer.setEventHandler { @Sendable in if stopping?() ?? false { child.terminate() } }
    timer.schedule(deadline: .now() + 0.1, repeating: 0.1)
    timer.resume()
    let exit = cancellation.withHandler({ child.terminate() }) { child.wait() }
    timer.cancel()
    try cancellation.check()
    return exit
  }

  /// Runs a child whose stdout and stderr its user is to see, in the order in which they come.
  package func runVisibly(
    _ command: ChildCommand, tell: (UnsafeRawBufferPointer) -> Void
  ) throws(Failure) -> ChildExit {
    // One pipe for both: a shell joins them.
    let joined = ChildCommand(
      executable: "/bin/sh", arguments: ["-c", "exec \"$0\" \"$@\" 2>&1", command.executable] + command.arguments,
      environment: command.environment, secrets: command.secrets)
    return try run(joined) { (piece) throws(Failure) in tell(piece) }
  }

  /// Runs a child that prints little, and returns what it printed.
  ///
  /// - Throws: `child_failed` unless it ended with exit 0.
  package func output(of command: ChildCommand) throws(Failure) -> String {
    var bytes: [UInt8] = []
    let exit = try run(command) { (piece) throws(Failure) in bytes += piece }
    try exit.check(command.name)
    return String(decoding: bytes, as: UTF8.self)
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

extension ChildExit {
  /// - Throws: `child_failed` with the last lines of stderr, unless the child ended with exit 0.
  package func check(_ name: String) throws(Failure) {
    guard !succeeded else { return }
    throw Failure(
      "child_failed", exit: .failed, what: name, why: lastLines.last ?? description,
      nextStep: "mend what \(name) says, then run the same command again", details: lastLines.dropLast() + [description]
    )
  }
}
