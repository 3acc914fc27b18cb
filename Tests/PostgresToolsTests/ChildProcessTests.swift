import Diagnostics
import Foundation
import PostgresTools
import Testing

@Suite struct ChildProcessTests {
  private let runner = ChildRunner(cancellation: Cancellation())

  @Test(arguments: [0, 1, 77, 255])
  func `gives the exit status`(code: Int32) throws {
    let exit = try run("exit \(code)")
    #expect(exit.status == .exited(code))
    #expect(exit.succeeded == (code == 0))
    #expect(exit.description == "exit \(code)")
  }

  @Test(arguments: [SIGTERM, SIGKILL, SIGINT])
  func `gives the signal that killed it`(signal: Int32) throws {
    let exit = try run("kill -\(signal) $$; sleep 60")
    #expect(exit.status == .signalled(signal))
    #expect(!exit.succeeded)
    let failure = try #require(throws: Failure.self) { try exit.check("the tool") }
    #expect(failure.code == "child_failed")
    #expect(failure.why == "killed by signal \(signal)")
  }

  @Test func `says which program is missing, and which may not run`() throws {
    for (path, code) in [("/nonexistent/pg_dump", "tool_missing"), ("/etc/passwd", "tool_cannot_run")] {
      let command = ChildCommand(executable: path, arguments: [], environment: [:])
      let failure = try #require(throws: Failure.self) { try ChildProcess(starting: command, capturesOutput: false) }
      #expect(failure.code == code)
      #expect(failure.exit == .unavailable)
      #expect(failure.why.contains(path))
    }
  }

  @Test func `a child inherits nothing but what it is given`() throws {
    let leak = open("/dev/null", O_RDONLY)
    defer { close(leak) }
    let environment = ["ONE": "1 = 2", "TWO": ""]
    let listing = ChildCommand(executable: "/bin/ls", arguments: ["/proc/self/fd"], environment: environment)
    #expect(try runner.output(of: listing) == "0\n1\n2\n3\n", "3 is the folder that it lists")
    let printing = ChildCommand(executable: "/usr/bin/env", arguments: [], environment: environment)
    #expect(try runner.output(of: printing) == "ONE=1 = 2\nTWO=\n")
    #expect(try output("read line || echo end") == "end\n")
  }

  @Test func `a child has a process group of its own, and no signal blocked or ignored`() throws {
    let script = #"cut -d' ' -f5 /proc/$$/stat; echo $$; grep -E 'Sig(Blk|Ign)' /proc/$$/status | cut -f2"#
    let lines = try output(script).split(separator: "\n")
    #expect(lines.count == 4)
    #expect(lines[0] == lines[1])
    // glibc keeps signals 32 and 33 for itself.
    #expect(lines[2...].allSatisfy { UInt64($0, radix: 16).map { $0 & ~(3 << 31) } == 0 }, "\(lines)")
  }

  @Test func `keeps the last 64 KiB of stderr, however much there was`() throws {
    let exit = try run("head -c 3000000 /dev/zero | tr '\\0' x >&2; echo the end >&2; exit 3")
    #expect(exit.status == .exited(3))
    #expect(exit.standardError.utf8.count == 64 << 10)
    #expect(exit.standardError.hasSuffix("xthe end\n"))
    #expect(exit.lastLines.last?.hasSuffix("the end") == true)
  }

  @Test func `takes secrets out of what a child said`() throws {
    let exit = try run("echo 'password is pä:ss, again pä:ss\u{301}' >&2; exit 1", secrets: [Secret("pä:ss")])
    #expect(exit.standardError == "password is ***, again ***\u{301}\n")
    let failure = try #require(throws: Failure.self) { try exit.check("the tool") }
    #expect(!failure.lines.joined().contains("pä:s"))
  }

  @Test func `hands on all output, and exit 0 after half of it is known by its status`() throws {
    var bytes = 0
    let exit = try runner.run(shell("head -c 5000000 /dev/zero; exit 9")) {
      bytes += $0.count
    }
    #expect(bytes == 5_000_000)
    #expect(exit.status == .exited(9))
  }

  @Test func `ends the child when its output cannot be taken`() throws {
    let full = Failure("no_space", exit: .cannotWrite, what: "writing", why: "full", nextStep: "make room")
    let failure = try #require(throws: Failure.self) {
      try runner.run(shell("yes")) { (_) throws(Failure) in throw full }
    }
    #expect(failure == full)
  }

  @Test func `a stop ends a child and all that it started`() throws {
    let cancellation = Cancellation()
    let seen = Lines()
    when({ seen.count == 1 }, { cancellation.cancel(signal: SIGTERM) })
    let failure = try #require(throws: Failure.self) {
      try ChildRunner(cancellation: cancellation).run(shell("sleep 300 & echo $!; wait")) { seen.add($0) }
    }
    #expect(failure == .stopped(by: SIGTERM))
    let grandchild = try #require(pid_t(seen.text.trimmingCharacters(in: .newlines)))
    #expect(eventually { kill(grandchild, 0) != 0 || isZombie(grandchild) })
  }

  @Test func `a child that ignores the request to end is killed`() throws {
    let child = try ChildProcess(
      starting: shell("trap '' TERM; echo ready; while :; do sleep 0.1; done"), capturesOutput: true)
    var byte: UInt8 = 0
    #expect(read(try #require(child.output), &byte, 1) == 1)  // the trap is set
    child.terminate(graceSeconds: 0.2)
    #expect(child.wait().status == .signalled(SIGKILL))
    #expect(kill(child.pid, 0) != 0, "it was reaped")
  }

  @Test func `a stop that came earlier starts nothing`() throws {
    let cancellation = Cancellation()
    cancellation.cancel(signal: SIGINT)
    let command = ChildCommand(executable: "/nonexistent", arguments: [], environment: [:])
    let failure = try #require(throws: Failure.self) { try ChildRunner(cancellation: cancellation).output(of: command) }
    #expect(failure == .stopped(by: SIGINT))
  }

  @Test func `a run can be ended early by who waits for it`() throws {
    let exit = try runner.run(shell("sleep 300"), stopping: { true })
    #expect(exit.status == .signalled(SIGTERM))
  }

  @Test func `a grandchild that holds stderr delays nobody, and what was said is kept`() throws {
    let begin = Date()
    let exit = try runner.run(
      shell("echo why >&2; sleep 120 >/dev/null & exit 1"), stopping: nil)
    #expect(Date().timeIntervalSince(begin) < 60)
    #expect(exit.standardError == "why\n")
  }

  // MARK: Helpers

  private func shell(
    _ script: String, environment: [String: String] = ["PATH": "/usr/bin:/bin"], secrets: [Secret] = []
  ) -> ChildCommand {
    ChildCommand(executable: "/bin/sh", arguments: ["-c", script], environment: environment, secrets: secrets)
  }

  private func run(_ script: String, secrets: [Secret] = []) throws -> ChildExit {
    try runner.run(shell(script, secrets: secrets), stopping: nil)
  }

  private func output(_ script: String) throws -> String {
    try runner.output(of: shell(script))
  }

  /// Whoever takes in orphans here may be slow to reap them.
  private func isZombie(_ pid: pid_t) -> Bool {
    (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8))?.contains(") Z ") ?? true
  }
}

/// Output that several threads look at.
final class Lines: @unchecked Sendable {
  private let lock = NSLock()
  private var bytes: [UInt8] = []

  var text: String { lock.withLock { String(decoding: bytes, as: UTF8.self) } }
  var count: Int { lock.withLock { bytes.count { $0 == 0x0A } } }
  func add(_ piece: UnsafeRawBufferPointer) { lock.withLock { bytes += piece } }
  func add(_ line: String) { lock.withLock { bytes += Array((line + "\n").utf8) } }
}
