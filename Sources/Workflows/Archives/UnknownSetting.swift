import BackupModel
import Diagnostics
import PostgresTools

/// Which errors of pg_restore are none.
///
/// From 17 on it begins each of its sessions with `SET transaction_timeout = 0`, which an older server does not know; there is no option
/// against it, and the archive of such a pg_dump cannot be read by an older pg_restore. So it is told by the statement behind an error, as the
/// server may speak any language.
package struct UnknownSetting {
  private let expected: Bool

  /// Far more than one for each session, and fewer than are kept of what a child writes.
  private static let mostLines = 300
  private static let statement = "Command was: SET transaction_timeout = 0;"

  /// - Parameters: the majors of both.
  package init(client: Int, server: Int) {
    expected =
      client >= PostgreSQLMajor.firstThatSetsTransactionTimeout
      && server < PostgreSQLMajor.firstThatSetsTransactionTimeout
  }

  /// For a session of our own: whether a statement of a dump sets what the server does not know.
  static func isUnknown(_ statement: [UInt8], server: Int) -> Bool {
    server < PostgreSQLMajor.firstThatSetsTransactionTimeout
      && statement.elementsEqual("SET transaction_timeout = 0".utf8)
  }

  /// Whether a pg_restore that has failed did everything but set what the server does not know.
  package func isAll(of exit: ChildExit) -> Bool {
    guard !exit.succeeded else { return true }
    guard expected, exit.status == .exited(1) else { return false }
    let lines = exit.standardError.split(whereSeparator: \.isNewline)
    let errors = lines.indices.filter { lines[$0].hasPrefix("pg_restore: error: ") }
    guard errors.allSatisfy({ lines[$0...].dropFirst().first.map { $0 == Self.statement } ?? false }) else {
      return false
    }
    // It did come to its end, and what it wrote is here from its beginning on. (It does not count its workers' own sessions.)
    let counted = lines.last?.wholeMatch(of: /pg_restore: warning: errors ignored on restore: (\d+)/)
    return counted.flatMap { Int($0.1) }.map { $0 <= errors.count && lines.count < Self.mostLines } ?? false
  }
}
