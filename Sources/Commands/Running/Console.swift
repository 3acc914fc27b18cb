import Diagnostics
import Foundation
import PostgresTools

/// stdout and stderr: results to the one, everything else to the other.
struct Console: Sendable {
  let json: Bool
  private let colors: Bool
  /// Whether what goes to stdout may have colours.
  private let paints: Bool
  /// Columns of the terminal that stdout is; nil when it is none.
  let columns: Int?
  /// Columns of the terminal that stderr is; nil likewise.
  private let errorColumns: Int?

  init(json: Bool, colors: Bool) {
    self.json = json
    columns = ProcessSetUp.terminalColumns(1)
    errorColumns = ProcessSetUp.terminalColumns(2)
    self.colors = colors && errorColumns != nil
    paints = colors && columns != nil
  }

  /// Prints a command's result and returns the exit code.
  func show(_ result: CommandResult) -> ExitCode {
    var unprinted: Failure?
    if json {
      unprinted = write(result.document.text + "\n", to: 1)
    } else if !result.text.isEmpty {
      unprinted = print(result.text)
    }
    if let failure = result.failure, !json || unprinted != nil { complain(failure) }
    guard let unprinted else { return result.exit }
    complain(unprinted)
    // What the command found out is worse than that nobody can read it.
    return result.failure?.exit ?? unprinted.exit
  }

  /// - Returns: why it could not be written; nil also when the reader has gone, who wanted no more.
  private func print(_ screen: Screen) -> Failure? {
    var text = harmless(screen.text)
    if let columns { text = wrapped(text, columns: columns) }
    return write(paints ? painted(text) : text, to: 1)
  }

  /// A line to stderr.
  func say(_ line: String) { say(oneLine(line), word: line.hasPrefix("warning: ") ? "warning:" : "") }

  func say(_ screen: Screen) { for line in screen.lines { say(line) } }

  /// To stderr as it is, without a line's end.
  func raw(_ text: some StringProtocol) { _ = write(String(text), to: 2) }

  private func complain(_ failure: Failure) {
    for line in failure.lines {
      let word = line.prefix { $0 != ":" } + ":"
      say(line, word: String(word))
    }
  }

  /// The first word of what is no progress has a colour, which repeats what it says.
  private func say(_ line: String, word: String) {
    let code = ["error:": "31;1", "hint:": "36;1", "warning:": "33;1"][word]
    var line = harmless(line)
    if let errorColumns { line = wrapped(line, columns: errorColumns) }
    if colors, let code {
      raw("\u{1B}[\(code)m\(word)\u{1B}[0m\(line.dropFirst(word.count))\n")
    } else {
      raw(line + "\n")
    }
  }

  private func write(_ text: String, to descriptor: Int32) -> Failure? {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      if count >= 0 {
        bytes = bytes.dropFirst(count)
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN:
        // Somebody who shares the descriptor has it not wait.
        var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&room, 1, -1)
      // Nobody reads on, or it was closed from the beginning: nobody wants to know.
      case EPIPE, EBADF: return nil
      default: return unwritable(errno)
      }
    }
    return nil
  }

  private func unwritable(_ number: Int32) -> Failure {
    Failure(
      number == ENOSPC || number == EDQUOT ? "no_space" : "cannot_write", exit: .cannotWrite,
      what: "writing the result",
      why: "stdout: \(String(cString: strerror(number)))",
      nextStep: "the command did its work; holdfast list and holdfast status show what there is now")
  }
}

extension Console {
  /// A line from the terminal; nil at its end. Waits in steps, since a signal only asks to stop and unblocks nothing.
  func typedLine(_ cancellation: Cancellation) throws(Failure) -> String? {
    var line: [UInt8] = []
    while true {
      try cancellation.check()
      var terminal = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
      guard poll(&terminal, 1, 100) > 0 else { continue }
      var byte: UInt8 = 0
      let count = read(0, &byte, 1)
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      guard count == 1 else { return line.isEmpty ? nil : String(decoding: line, as: UTF8.self) }
      guard byte != UInt8(ascii: "\n") else { return String(decoding: line, as: UTF8.self) }
      line.append(byte)
    }
  }
}

/// Text from a server, a file or a child for a terminal, which must obey nothing of it: colours are taken out, other control characters
/// become spaces, and what nobody sees is written as `\u{202e}`. The one place for it; a newline is kept, see `oneLine`.
func harmless(_ text: String) -> String {
  let isOdd = { (scalar: Unicode.Scalar) in scalar != "\n" && scalar != "\t" && scalar.isUnprintable }
  guard text.unicodeScalars.contains(where: isOdd) else { return text }
  var plain = ""
  for scalar in text.replacing(/\u{1B}\[[0-9;]*m/, with: "").unicodeScalars {
    if !isOdd(scalar) {
      plain.unicodeScalars.append(scalar)
    } else if scalar.properties.generalCategory == .control {
      plain.append(" ")
    } else {
      plain += "\\u{\(String(scalar.value, radix: 16))}"
    }
  }
  return plain
}
