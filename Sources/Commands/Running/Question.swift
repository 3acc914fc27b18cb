import Diagnostics
import Foundation

extension CommandContext {
  /// Asks on a terminal; elsewhere the options have said it.
  ///
  /// - Throws: `not_confirmed` for anything but yes.
  func agree(_ question: String) throws(Failure) {
    guard isatty(0) == 1, !console.json else { return }
    console.raw("\(harmless(oneLine(question))) [y/N] ")
    let answer = try console.typedLine(cancellation)?.lowercased() ?? ""
    guard ["y", "yes"].contains(answer) else {
      throw Failure(
        "not_confirmed", exit: .usage, what: invocation.command, why: "nothing was done", nextStep: "answer y to go on")
    }
  }
}
