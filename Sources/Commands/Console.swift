import Diagnostics
import Foundation
import PostgresTools

/// stdout and stderr: results to the one, everything else to the other.
struct Console: Sendable {
  let json: Bool
  private let colors: Bool

  init(json: Bool, colors: Bool) {
    self.json = json
    self.colors = colors && ProcessSetUp.terminalColumns(2) != nil
  }

  /// Prints a command's result and returns the exit code.
  func show(_ result: CommandResult) -> ExitCode {
    if json {
      print(result.document.text + "\n")
    } else {
      if !result.text.isEmpty { print(result.text) }
      if let failure = result.failure { complain(failure) }
    }
    return result.exit
  }

  /// To stdout as it is.
  func print(_ text: String) { write(text.hasSuffix("\n") ? text : text + "\n", to: 1) }

  /// A line to stderr.
  func say(_ line: String) { write(line + "\n", to: 2) }

  /// To stderr without a line's end.
  func raw(_ text: some StringProtocol) { write(String(text), to: 2) }

  private func complain(_ failure: Failure) {
    for line in failure.lines {
      let word = line.prefix { $0 != ":" } + ":"
      let code = ["error:": "31;1", "hint:": "36;1"][String(word)]
      if colors, let code {
        say("\u{1B}[\(code)m\(word)\u{1B}[0m\(shown(line.dropFirst(word.count)))")
      } else {
        say(shown(line[...]))
      }
    }
  }

  /// Control characters from a server, a file or a child must not reach a terminal.
  private func shown(_ text: Substring) -> String {
    String(
      String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 && $0 != "\n" || $0.value == 0x7F ? " " : $0 })
    )
  }

  private func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        return  // nobody listens any more
      }
      bytes = bytes.dropFirst(count)
    }
  }
}
