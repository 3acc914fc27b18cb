import BackupModel
import Diagnostics
import PostgresTools

/// Which errors of pg_restore are none.
///
/// From 17 on it begins each of its sessions with `SET transaction_timeout = 0`, which an older server does not know; there is no option
/// against it, and the archive of such a pg_dump cannot be read by an older pg_restore. So it is not told to end at its first error there,
/// and each of its errors has to be that one: told by the statement behind it, as the server may speak any language.
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

  /// For pg_restore.
  package var arguments: [String] { expected ? [] : ["--exit-on-error"] }

  /// For a session of our own: whether a statement of a dump sets what the server does not know.
  static func isUnknown(_ statement: [UInt8], server: Int) -> Bool {
    server < PostgreSQLMajor.firstThatSetsTransactionTimeout
      && statement.elementsEqual("SET transaction_timeout = 0".utf8)
  }

  /// Hands on the beginning of a plain dump without the setting: psql has to end at its first error.
  func withoutIt(
    _ piece: UnsafeRawBufferPointer, _ put: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    let line = Array("\nSET transaction_timeout = 0;\n".utf8)
    let head = piece.prefix(4096)
    let found = head.indices.first { head[$0...].starts(with: line) }
    guard expected, let found else { return try put(piece) }
    try put(UnsafeRawBufferPointer(rebasing: piece[..<found]))
    try put(UnsafeRawBufferPointer(rebasing: piece[(found + line.count - 1)...]))
  }

  /// - Throws: `child_failed` for a pg_restore that failed, unless nothing but the setting was wrong.
  package func check(_ exit: ChildExit) throws(Failure) {
    guard expected, exit.status == .exited(1) else { return try exit.check("pg_restore") }
    let lines = exit.standardError.split(whereSeparator: \.isNewline)
    let errors = lines.indices.filter { lines[$0].hasPrefix("pg_restore: error: ") }
    let others = errors.filter { lines[$0...].dropFirst().first.map { $0 != Self.statement } ?? true }
    guard let first = others.first else {
      // It did come to its end, and what it wrote is here from its beginning on. (It does not count its workers' own sessions.)
      let counted = lines.last?.wholeMatch(of: /pg_restore: warning: errors ignored on restore: (\d+)/)
      if let count = counted.flatMap({ Int($0.1) }), count <= errors.count, lines.count < Self.mostLines { return }
      return try exit.check("pg_restore")
    }
    // Those after the first may only follow from it.
    var cause = exit
    cause.standardError = lines[first...].prefix(2).joined(separator: "\n")
    try cause.check("pg_restore")
  }
}
