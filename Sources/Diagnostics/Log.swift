/// How much is said on stderr besides progress and errors.
package enum LogLevel: Int, Sendable, Comparable, CaseIterable {
  case error, warning, info, debug

  package init?(name: String) {
    guard let level = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = level
  }

  package var name: String { "\(self)" }

  package static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
}

/// Where log lines go. A value, handed down; nothing logs by a global.
package struct Log: Sendable {
  private let write: @Sendable (LogLevel, String) -> Void

  package init(_ write: @escaping @Sendable (LogLevel, String) -> Void) { self.write = write }

  /// A log that keeps silent.
  package static let silent = Log { _, _ in }

  package func warning(_ text: String) { write(.warning, text) }
  package func info(_ text: String) { write(.info, text) }
  package func debug(_ text: String) { write(.debug, text) }
}
