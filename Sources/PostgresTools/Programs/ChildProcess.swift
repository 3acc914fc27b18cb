import CProcess
import Diagnostics
import Foundation

/// A program to run: nothing is inherited but what stands here.
package struct ChildCommand: Sendable {
  /// Absolute path.
  package var executable: String
  package var arguments: [String]
  package var environment: [String: String]
  /// Taken out of whatever the child prints.
  package var secrets: [Secret]
  /// For the files that it makes; nil: only for us.
  package var umask: mode_t?

  package init(
    executable: String, arguments: [String], environment: [String: String], secrets: [Secret] = [],
    umask: mode_t? = nil
  ) {
    self.umask = umask
    self.executable = executable
    self.arguments = arguments
    self.environment = environment
    self.secrets = secrets
  }

  package var name: String { String(executable.split(separator: "/").last ?? "") }

  /// As a shell would take it, without secrets: those that are known, and what stands as a password in a URL.
  package var shown: String {
    var text = ([executable] + arguments).map { word in
      word.wholeMatch(of: /[A-Za-z0-9_.,:=@%+\/-]+/) == nil ? "'" + word.replacing("'", with: "'\\''") + "'" : word
    }.joined(separator: " ")
    for secret in secrets { text = secret.redacted(from: text) }
    text.replace(#/:\/\/([^:\/@\s]*):[^@\s]*@/#) { "://\($0.1):***@" }
    return text.replacing(#/(?i)(password\s*=\s*)('[^']*'|[^\s']+)/#) { "\($0.1)***" }
  }
}

/// How a child ended.
package struct ChildExit: Sendable, Equatable {
  package enum Status: Sendable, Equatable {
    case exited(Int32)
    case signalled(Int32)
  }
  package var status: Status
  /// The last 64 KiB of what it wrote to stderr, secrets taken out.
  package var standardError: String

  package init(status: Status, standardError: String) {
    self.status = status
    self.standardError = standardError
  }

  package var succeeded: Bool { status == .exited(0) }

  /// Its end in words: "exit 1", "killed by signal 9".
  package var description: String {
    switch status {
    case .exited(let code): "exit \(code)"
    case .signalled(let signal): "killed by signal \(signal)"
    }
  }

  /// The last lines of its stderr.
  package var lastLines: [String] {
    Array(standardError.split(whereSeparator: \.isNewline).suffix(6).map(String.init))
  }
}

/// The one place that every child goes through.
///
/// A child runs in a process group of its own and gets SIGTERM when Holdfast is killed. Whoever starts one must
/// `wait()` for it: the status decides, never the end of its output.
package final class ChildProcess: @unchecked Sendable {
  package let pid: pid_t
  private let pidfd: Int32
  private let errorTail: TailReader
  private let command: ChildCommand
  private let lock = NSLock()
  // Guarded by `lock`.
  private var reaped = false
  private var isEnding = false
  private var pauseGuard: PauseGuard?
  private var cannotPause = false
  /// Read end of the child's stdout; nil when it goes nowhere.
  package let output: Int32?
  /// Write end of its stdin; nil when it has none. Closed by `endInput`.
  private var input: Int32?

  /// Starts a child.
  ///
  /// - Parameters:
  ///   - capturesOutput: give its stdout to `output`; else it goes to /dev/null.
  ///   - takesInput: it reads what `put` writes; else its stdin is /dev/null.
  /// - Throws: `tool_missing`, `tool_cannot_run`.
  package init(starting command: ChildCommand, capturesOutput: Bool, takesInput: Bool = false) throws(Failure) {
    let errorPipe = try Pipe()
    let outputPipe: Pipe?
    let inputPipe: Pipe?
    do throws(Failure) {
      outputPipe = capturesOutput ? try Pipe() : nil
      do throws(Failure) { inputPipe = takesInput ? try Pipe() : nil } catch {
        outputPipe?.close()
        throw error
      }
    } catch {
      errorPipe.close()
      throw error
    }
    let null = open("/dev/null", O_RDWR | O_CLOEXEC)
    defer { close(null) }
    let started = SpawningThread.shared.spawn(
      command, input: inputPipe?.read ?? null, output: outputPipe?.write ?? null, error: errorPipe.write)
    guard started > 0 else {
      errorPipe.close()
      outputPipe?.close()
      inputPipe?.close()
      throw Self.notStarted(command, -started)
    }
    let handle = cprocess_pidfd(started)
    guard handle >= 0 else {
      // Without it there is no waiting for the child that a stop can end.
      kill(-started, SIGKILL)
      while waitpid(started, nil, 0) < 0, errno == EINTR {}
      errorPipe.close()
      outputPipe?.close()
      inputPipe?.close()
      throw Self.notStarted(command, -handle)
    }
    close(errorPipe.write)
    if let outputPipe { close(outputPipe.write) }
    if let inputPipe { close(inputPipe.read) }
    pid = started
    pidfd = handle
    output = outputPipe?.read
    input = inputPipe?.write
    errorTail = TailReader(descriptor: errorPipe.read)
    self.command = command
  }

  deinit {
    if let output { close(output) }
    if let input { close(input) }
    close(pidfd)
  }

  /// Writes to the child's stdin.
  ///
  /// - Returns: false when the child reads no more: its end tells why.
  func put(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let input else { return false }
    var rest = bytes
    while !rest.isEmpty {
      let count = write(input, rest.baseAddress, rest.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { return false }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    return true
  }

  /// Nothing more comes on its stdin.
  func endInput() {
    if let input { close(input) }
    input = nil
  }

  private static func notStarted(_ command: ChildCommand, _ number: Int32) -> Failure {
    Failure(
      number == ENOENT ? "tool_missing" : "tool_cannot_run", exit: .unavailable, what: "running \(command.name)",
      why: "\(command.executable): \(String(cString: strerror(number)))",
      nextStep: "install the PostgreSQL client programs, or set tools.directory in the policy")
  }

  /// Waits until there is output to read, or its end.
  ///
  /// - Returns: false when the child has ended and all that it wrote was read. Who else holds the output open is not waited for.
  func waitForOutput() -> Bool {
    guard let output else { return false }
    // Looked at in this order: a child that was seen to have ended wrote all that it did before its output is looked at.
    var waiting = [pidfd, output].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    while poll(&waiting, 2, -1) < 0, errno == EINTR {}
    if waiting[0].revents != 0 { signalGroup(SIGKILL) }
    return waiting[1].revents != 0
  }

  /// Waits for the end of the child and of its stderr. What it left running in its group ends with it.
  package func wait() -> ChildExit {
    var waiting = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
    while poll(&waiting, 1, -1) < 0, errno == EINTR {}
    // Before it is reaped: until then nobody else can get its number.
    signalGroup(SIGKILL)
    var status: Int32 = 0
    lock.withLock {
      while waitpid(pid, &status, 0) < 0, errno == EINTR {}
      reaped = true
    }
    pauseGuard?.dismiss()
    var text = errorTail.finish()
    for secret in command.secrets { text = secret.redacted(from: text) }
    let signal = status & 0x7F
    return ChildExit(status: signal == 0 ? .exited((status >> 8) & 0xFF) : .signalled(signal), standardError: text)
  }

  /// Asks the child's whole group to end, and after a grace period makes it.
  package func terminate(graceSeconds: Double = 5) {
    lock.withLock { isEnding = true }
    signalGroup(SIGTERM)
    // It hears that only when it is not paused.
    signalGroup(SIGCONT)
    DispatchQueue.global().asyncAfter(deadline: .now() + graceSeconds) { [weak self] in self?.signalGroup(SIGKILL) }
  }

  /// Has the child's whole group stand still, or go on. Should we die meanwhile, it ends all the same.
  func pause(_ paused: Bool) {
    lock.lock()
    defer { lock.unlock() }
    guard !reaped, !isEnding, !cannotPause else { return }
    if paused, pauseGuard == nil {
      do throws(Failure) { pauseGuard = try PauseGuard(group: pid) } catch { return cannotPause = true }
    }
    kill(-pid, paused ? SIGSTOP : SIGCONT)
  }

  private func signalGroup(_ number: Int32) {
    lock.withLock { if !reaped { kill(-pid, number) } }
  }
}

private struct Pipe {
  let read: Int32
  let write: Int32

  init() throws(Failure) {
    var ends: [Int32] = [0, 0]
    let result = cprocess_pipe(&ends)
    guard result == 0 else { throw .internalError("no pipe: \(String(cString: strerror(-result)))") }
    (read, write) = (ends[0], ends[1])
  }

  func close() {
    Foundation.close(read)
    Foundation.close(write)
  }
}

/// Reads a descriptor to its end on a thread of its own and keeps only the last 64 KiB, so that a talkative child can
/// neither block nor fill the memory.
private final class TailReader: @unchecked Sendable {
  private let lock = NSLock()
  private var tail: [UInt8] = []
  private let ended = DispatchSemaphore(value: 0)
  private static let limit = 64 << 10

  init(descriptor: Int32) {
    let started = startThread { [self] in
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        if count <= 0 { break }
        keep(buffer[..<count])
      }
      close(descriptor)
      ended.signal()
    }
    guard !started else { return }
    // The child gets an error for what it writes, and nobody waits for it.
    close(descriptor)
    ended.signal()
  }

  private func keep(_ bytes: ArraySlice<UInt8>) {
    lock.withLock {
      tail += bytes
      if tail.count > 2 * Self.limit { tail.removeFirst(tail.count - Self.limit) }
    }
  }

  /// The tail once the child is gone. A grandchild that holds the descriptor is not waited for longer than a second.
  func finish() -> String {
    _ = ended.wait(timeout: .now() + 1)
    return lock.withLock { String(decoding: tail.suffix(Self.limit), as: UTF8.self) }
  }
}

/// The thread that starts all children. PR_SET_PDEATHSIG is bound to the thread that forks: one that ended would take
/// its children along.
private final class SpawningThread: @unchecked Sendable {
  static let shared = SpawningThread()
  private let work: WorkQueue
  private let isThere: Bool

  private init() {
    let work = WorkQueue()
    self.work = work
    isThere = startThread { while true { work.next()() } }
  }

  /// - Returns: the pid, or -errno.
  func spawn(_ command: ChildCommand, input: Int32, output: Int32, error: Int32) -> pid_t {
    guard isThere else { return -EAGAIN }
    let done = DispatchSemaphore(value: 0)
    nonisolated(unsafe) var pid: pid_t = -EIO
    work.add {
      pid = Self.start(command, input: input, output: output, error: error)
      done.signal()
    }
    done.wait()
    return pid
  }

  private static func start(_ command: ChildCommand, input: Int32, output: Int32, error: Int32) -> pid_t {
    let arguments = ([command.executable] + command.arguments).map { strdup($0) } + [nil]
    let environment = command.environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in arguments + environment { free(text) } }
    return arguments.withUnsafeBufferPointer { argv in
      environment.withUnsafeBufferPointer { envp in
        guard let argv = argv.baseAddress, let envp = envp.baseAddress else { return -ENOMEM }
        var request = cprocess_request(
          path: argv.pointee, argv: argv, envp: envp, input: input, output: output, error: error,
          umask: command.umask.map(Int32.init) ?? -1, core: command.umask == nil ? -1 : ProcessSetUp.coreLimit)
        return cprocess_spawn(&request)
      }
    }
  }
}

/// What one thread does for others, in the order in which they ask.
private final class WorkQueue: @unchecked Sendable {
  private let condition = NSCondition()
  private var jobs: [() -> Void] = []

  func add(_ job: @escaping () -> Void) {
    condition.withLock {
      jobs.append(job)
      condition.signal()
    }
  }

  func next() -> () -> Void {
    condition.lock()
    defer { condition.unlock() }
    while jobs.isEmpty { condition.wait() }
    return jobs.removeFirst()
  }
}
