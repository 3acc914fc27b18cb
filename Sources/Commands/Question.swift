import Diagnostics
import Foundation

extension CommandContext {
  /// Asks on a terminal; elsewhere the options have said it.
  ///
  /// - Throws: `not_confirmed` for anything but yes.
  func agree(_ question: String) throws(Failure) {
    guard isatty(0) == 1, !console.json else { return }
    console.raw("\(harmless(oneLine(question))) [y/N] ")
    let answer = try answerLine().lowercased()
    guard ["y", "yes"].contains(answer) else {
      throw Failure(
        "not_confirmed", exit: .usage, what: invocation.command, why: "nothing was done", nextStep: "answer y to go on")
    }
  }

  /// Waits in steps, since a signal only asks to stop and unblocks nothing.
  private func answerLine() throws(Failure) -> String {
    var line: [UInt8] = []
    while true {
      do throws(Failure) { try cancellation.check() } catch {
        console.raw("\n")
        throw error
      }
      var terminal = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
      guard poll(&terminal, 1, 100) > 0 else { continue }
      var byte: UInt8 = 0
      let count = read(0, &byte, 1)
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      guard count == 1, byte != UInt8(ascii: "\n") else { return String(decoding: line, as: UTF8.self) }
      line.append(byte)
    }
  }
}
