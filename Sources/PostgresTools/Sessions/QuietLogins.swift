import CLibPQ
import Diagnostics
import Foundation

/// On which servers a session can be opened without waking event triggers on logins (17 and newer, by a superuser).
///
/// Only a session tells, so the first one of a run is an ordinary one; and only one without a pooler in between, which refuses such options.
final class QuietLogins: @unchecked Sendable {
  static let shared = QuietLogins()
  private let lock = NSLock()
  private var known: Set<String> = []

  private func key(_ settings: [String: String]) -> String {
    ["host", "port", "user"].map { settings[$0] ?? "" }.joined(separator: " ")
  }

  /// The settings with the option, where it is known to be taken.
  func applied(to settings: [String: String]) -> [String: String] {
    guard lock.withLock({ known.contains(key(settings)) }) else { return settings }
    var quiet = settings
    quiet["options"] = [settings["options"], "-c event_triggers=off"].compactMap { $0 }.joined(separator: " ")
    return quiet
  }

  func learn(from connection: OpaquePointer, _ settings: [String: String]) {
    guard PQserverVersion(connection) >= 170_000, let value = PQparameterStatus(connection, "is_superuser"),
      String(cString: value) == "on"
    else { return }
    _ = lock.withLock { known.insert(key(settings)) }
  }
}
