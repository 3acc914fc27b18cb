import Diagnostics
import Foundation
import PostgresTools

/// Both ends of a pseudo-terminal.
final class Terminal {
  private let ours: Int32
  /// Of the end that programs have.
  let path: String
  private var seen = ""

  /// Glibc's module leaves these calls out.
  private static func call<Function>(_ name: String, as type: Function.Type) throws -> Function {
    guard let address = dlsym(nil, name) else { throw Failure.internalError("no \(name)") }
    return unsafeBitCast(address, to: type)
  }

  init() throws {
    typealias OnTerminal = @convention(c) (Int32) -> Int32
    ours = try Self.call("posix_openpt", as: OnTerminal.self)(O_RDWR | O_NOCTTY)
    let unlock = try Self.call("unlockpt", as: OnTerminal.self)
    let nameOf = try Self.call("ptsname", as: (@convention(c) (Int32) -> UnsafePointer<CChar>?).self)
    guard ours >= 0, unlock(ours) == 0, let name = nameOf(ours) else {
      throw Failure.internalError("no pseudo-terminal: \(errno)")
    }
    path = String(cString: name)
  }

  deinit { close(ours) }

  /// Starts a program whose stdin and stderr are the terminal.
  func start(_ command: ChildCommand) throws -> ChildProcess {
    try ChildProcess(
      starting: ChildCommand(
        executable: "/bin/sh",
        arguments: ["-c", "exec \"$0\" \"$@\" < '\(path)' 2> '\(path)'", command.executable] + command.arguments,
        environment: command.environment),
      capturesOutput: false)
  }

  func type(_ text: String) { _ = Array(text.utf8).withUnsafeBytes { write(ours, $0.baseAddress, $0.count) } }

  func shows(_ text: String) -> Bool {
    var waiting = pollfd(fd: ours, events: Int16(POLLIN), revents: 0)
    while poll(&waiting, 1, 0) > 0 {
      var bytes = [UInt8](repeating: 0, count: 4096)
      let count = read(ours, &bytes, bytes.count)
      guard count > 0 else { break }
      seen += String(decoding: bytes.prefix(count), as: UTF8.self)
    }
    return seen.contains(text)
  }
}
