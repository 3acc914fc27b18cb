import Diagnostics
import BackupModel
import Foundation
import PostgresTools
import Workflows

/// Progress on stderr: a live line on a terminal, a plain line every ten seconds elsewhere.
final class ProgressReporter: Reporter, @unchecked Sendable {
  private let console: Console
  private let columns: Int?
  private let lock = NSLock()
  private let timer: any DispatchSourceTimer
  private var phase: Phase?
  private let warnings: Warnings

  private struct Phase {
    var name: String
    var subject: String
    var total: UInt64?
    var done: UInt64 = 0
    let start = ContinuousClock.now
  }

  init(console: Console, warnings: Warnings) {
    self.console = console
    self.warnings = warnings
    columns = ProcessSetUp.terminalColumns(2)
    timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "progress"))
    let interval = columns == nil ? 10.0 : 0.1
    timer.schedule(deadline: .now() + interval, repeating: interval)
    timer.setEventHandler { @Sendable [weak self] in self?.tick() }
    timer.resume()
  }

  deinit { timer.cancel() }

  func headline(_ text: String) { say(text) }
  func note(_ text: String) {
    guard let warning = warning(in: text) else { return say("  \(text)") }
    if warnings.add(warning) { say("  \(text)") }
  }

  func output(_ bytes: UnsafeRawBufferPointer) {
    if columns != nil { clearLine() }
    console.raw(String(decoding: bytes, as: UTF8.self))
  }

  func begin(_ name: String, about subject: String, totalBytes: UInt64?) {
    lock.withLock { phase = Phase(name: name, subject: subject, total: totalBytes) }
  }

  func advance(bytes: UInt64) { lock.withLock { phase?.done += bytes } }

  func end(_ name: String, _ summary: String, seconds: Double) {
    lock.withLock { phase = nil }
    say("  \(padded(name, 10))\(padded(summary, summaryWidth))\(secondsText(seconds))")
  }

  func abort(_ name: String) {
    lock.withLock { phase = nil }
    if columns != nil { clearLine() }
  }

  /// The time stands in the same line on a narrow terminal, too.
  private var summaryWidth: Int { min(52, max(10, (columns ?? 80) - 22)) }

  /// A line of its own, whatever the live line shows.
  private func say(_ line: String) {
    if columns != nil { clearLine() }
    console.say(singleLine(line))
  }

  private func clearLine() { console.raw("\r\u{1B}[K") }

  private func tick() {
    guard let phase = lock.withLock({ phase }) else { return }
    let line = describe(phase, bar: columns != nil)
    if let columns {
      console.raw("\r\u{1B}[K" + harmless(oneLine(line)).prefix(columns - 1))
    } else {
      console.say(line)
    }
  }

  private func describe(_ phase: Phase, bar: Bool) -> String {
    let elapsed = Double((ContinuousClock.now - phase.start).components.seconds)
    let exact = max(0.05, (ContinuousClock.now - phase.start) / .seconds(1))
    let rate = UInt64(Double(phase.done) / exact)
    var parts = ["  \(padded(phase.name, 10))"]
    if !phase.subject.isEmpty { parts.append(padded(phase.subject, 52)) }
    // The total is that of the last run: never claim to be done before the end, nor what was passed.
    if let total = phase.total, total > 0, phase.done <= total + total / 10 {
      let share = min(0.99, Double(phase.done) / Double(total))
      if bar { parts.append(barText(share) + " ") }
      parts.append("\(Int(share * 100)) %  \(sizeText(phase.done)) of about \(sizeText(total))  \(sizeText(rate))/s  ")
      let left = share > 0.02 ? ", about \(secondsText(exact * (1 - share) / share)) left" : ""
      parts.append("\(secondsText(elapsed))\(left)")
    } else {
      if phase.done > 0 { parts.append("\(sizeText(phase.done))  \(sizeText(rate))/s  ") }
      parts.append(secondsText(elapsed))
    }
    return parts.joined()
  }

  private func barText(_ share: Double) -> String {
    let cells = 20
    let filled = Int(share * Double(cells))
    return String(repeating: "█", count: filled) + String(repeating: "░", count: cells - filled)
  }
}
