import Diagnostics
import Foundation
import PostgresTools

/// A run of the program that stops at its steps (`HOLDFAST_STOP_AT`), where a test can do to it, its disk or its server what it wants.
package final class SteppedRun {
  package let process: ChildProcess
  private let notes: String
  /// The steps that were reached, with their numbers: `write manifest.json#1`.
  package private(set) var stops: [String] = []

  /// - Parameters:
  ///   - command: a run of `holdfast`.
  ///   - stop: the name of a step, `NAME#2` for its second time, `*` for all.
  ///   - folder: for the notes.
  package init(_ command: ChildCommand, at stop: String, notesIn folder: String) throws {
    notes = "\(folder)/stops-\(UInt32.random(in: 0...UInt32.max))"
    var command = command
    command.environment.merge(["HOLDFAST_STOP_AT": stop, "HOLDFAST_STOPS": notes]) { _, own in own }
    process = try ChildProcess(starting: command, capturesOutput: false)
  }

  deinit { unlink(notes) }

  /// Waits until the run stands at a further stop.
  ///
  /// - Returns: its name; nil when the run has ended instead.
  package func reach(seconds: Double = 180) throws -> String? {
    var reached: String?
    try waitUntil("the run stands at its next stop, after \(stops.last ?? "none")", seconds: seconds) {
      let state = Self.state(process.pid)
      let names = noted()
      if state == "T", names.count > stops.count { reached = names.last }
      return reached != nil || state == "Z"
    }
    if let reached { stops.append(reached) }
    return reached
  }

  /// Kills it as soon as it stands at its stop.
  package func killAtStop() throws {
    guard try reach() != nil else { throw Failure.internalError("the run ended before its stop") }
    try kill()
  }

  /// Lets it go on to its next stop.
  package func pass() { kill(process.pid, SIGCONT) }

  /// Ends it where it stands.
  package func kill() throws { _ = try process.end(bySending: SIGKILL) }

  /// Lets it go on through all stops to its end.
  package func end() throws -> ChildExit {
    pass()
    while try reach() != nil { pass() }
    return try process.end()
  }

  private func noted() -> [String] {
    let text = FileManager.default.contents(atPath: notes) ?? Data()
    return text.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
  }

  private func kill(_ pid: pid_t, _ signal: Int32) { Foundation.kill(pid, signal) }

  /// `R`, `S`, `T` for stopped, `Z` for ended and not yet waited for.
  private static func state(_ pid: pid_t) -> Substring? {
    let status = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
    return status.split(separator: ")").last?.split(separator: " ").first
  }
}
