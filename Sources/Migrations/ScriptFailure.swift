import BackupModel
import Diagnostics
import PostgresTools

/// Why a migration's script failed.
package struct ScriptFailure: Sendable {
  package let name: String
  package let sqlState: String?
  /// The server's words, without their severity.
  package let message: String
  /// Detail, hint, and the line that the server points at.
  package private(set) var details: [String]
  /// Nothing of the script is left.
  package let isAtomic: Bool
  /// The run was being stopped.
  package let stopped: Failure?

  init(name: String, message: String, isAtomic: Bool) {
    self.init(name: name, sqlState: nil, message: message, details: [], isAtomic: isAtomic, stopped: nil)
  }

  init(name: String, stopped: Failure, isAtomic: Bool) {
    self.init(
      name: name, sqlState: nil, message: "\(stopped.what): \(stopped.why)", details: [], isAtomic: isAtomic,
      stopped: stopped)
  }

  /// - Parameters:
  ///   - script: the message that was sent.
  ///   - linesBefore: lines of the file before it.
  ///   - statementsDone: how many messages had gone well and stay.
  init(
    name: String, error: ServerError, script: String, linesBefore: Int, isAtomic: Bool, statementsDone: Int
  ) {
    var details = [error.detail, error.hint].compactMap { $0 }
    if let position = error.position, let place = Self.place(position, in: script) {
      details.insert("migration.sql line \(place.line + linesBefore): \(place.text)", at: 0)
    }
    if statementsDone > 0 {
      details.append(
        "\(counted(statementsDone, "statement")) before it \(statementsDone == 1 ? "was committed and stays" : "were committed and stay")."
      )
    }
    self.init(
      name: name, sqlState: error.sqlState, message: error.message, details: details, isAtomic: isAtomic,
      stopped: error.stopFailure)
  }

  private init(
    name: String, sqlState: String?, message: String, details: [String], isAtomic: Bool, stopped: Failure?
  ) {
    self.name = name
    self.sqlState = sqlState
    self.message = message
    self.details = details
    self.isAtomic = isAtomic
    self.stopped = stopped
  }

  mutating func left(invalidIndexes names: [String]) {
    details += names.map { "The invalid index \($0) was left: it has to be dropped." }
  }

  /// - Parameter position: of a character, from 1.
  private static func place(_ position: Int, in script: String) -> (line: Int, text: String)? {
    let before = script.unicodeScalars.prefix(max(0, position - 1))
    let line = before.count { $0 == "\n" } + 1
    let lines = script.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    guard lines.indices.contains(line - 1) else { return nil }
    return (line, lines[line - 1].trimmingPrefix { $0.isWhitespace }.description)
  }

  /// What the history keeps: in the words that Prisma's users know.
  package var logs: String {
    """
    A migration failed to apply. New migrations cannot be applied before the error is recovered from. Read more about how to \
    resolve migration issues in a production database: https://pris.ly/d/migrate-resolve

    Migration name: \(name)

    Database error code: \(sqlState ?? "none")

    Database error:
    ERROR: \(message)
    \(details.joined(separator: "\n"))
    """
  }
}
