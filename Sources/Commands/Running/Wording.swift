import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import PostgresTools

/// `4 s`, `0.3 s`, `2 m 05 s`, `1 h 10 m`.
func secondsText(_ seconds: Double) -> String {
  if seconds < 9.95 { return "\(fixed(seconds, 1)) s" }
  let whole = Int(seconds.rounded())
  if whole < 60 { return "\(whole) s" }
  if whole < 3600 { return "\(whole / 60) m \(twoDigits(whole % 60)) s" }
  return "\(whole / 3600) h \(twoDigits(whole % 3600 / 60)) m"
}

/// How long ago: `40 s`, `7 m`, `31 h`, `2 d`.
func ageText(_ date: Date, now: Date) -> String {
  let seconds = max(0, Int(now.timeIntervalSince(date)))
  return switch seconds {
  case ..<120: "\(seconds) s"
  case ..<7200: "\(seconds / 60) m"
  case ..<(48 * 3600): "\(seconds / 3600) h"
  default: "\(seconds / 86_400) d"
  }
}

private func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

/// Fills up with spaces to a width; what is longer gets two spaces after it.
func padded(_ text: String, _ width: Int) -> String {
  text.count < width ? text + String(repeating: " ", count: width - text.count) : text + "  "
}

/// A command for a shell, on the policy's server.
func dropText(_ name: String, _ policy: Policy) -> String {
  // Not the URL: it has a password, and may have what only Prisma takes.
  let options = [("host", "-h"), ("port", "-p"), ("user", "-U")].compactMap { key, option in
    policy.target.parameters[key].map { " \(option) \(shellWord($0))" }
  }
  return "dropdb\(options.joined()) -- \(shellWord(name))"
}
