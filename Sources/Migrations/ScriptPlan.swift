import Diagnostics
import StreamPipeline

/// How a migration's script is sent to the server: a pure decision from its text.
package struct ScriptPlan: Sendable, Equatable {
  package enum Mode: Sendable, Equatable {
    /// In one message, which PostgreSQL runs as one transaction.
    case whole
    /// Statement by statement, each its own transaction, since one of them cannot run in a larger one.
    case stepwise(because: String)
  }

  package let mode: Mode
  /// When it fails, nothing of it is left.
  package let isAtomic: Bool
  package let statements: [SQLScript.Statement]
  /// Why it is not sent at all; nil when it can be.
  package let refusal: String?

  package init(_ script: String) throws(Failure) {
    statements = try SQLScript(script).statements
    let reason = Self.reasonForSteps(statements)
    let controlsTransactions = statements.contains { Self.transactionWords.contains($0.words.first ?? "") }
    // One statement alone is a message of its own either way.
    mode = statements.count > 1 ? reason.map { .stepwise(because: $0) } ?? .whole : .whole
    isAtomic = reason == nil && !controlsTransactions && !Self.mayCommit(statements)
    refusal = statements.first(where: Self.streamsRows).map {
      "line \($0.line): COPY … FROM STDIN and TO STDOUT work in psql only; a migration needs INSERT instead"
    }
  }

  /// A block or a procedure that is alone may end its transaction, and must not be sent together with anything.
  private static func mayCommit(_ statements: [SQLScript.Statement]) -> Bool {
    guard statements.count == 1, let only = statements.first else { return false }
    if only.words.first == "CALL" { return true }
    return only.words.first == "DO" && only.text.contains(/\b(commit|rollback|call)\b/.ignoresCase())
  }

  private static func streamsRows(_ statement: SQLScript.Statement) -> Bool {
    guard statement.words.first == "COPY" else { return false }
    return zip(statement.words, statement.words.dropFirst()).contains {
      ($0 == "FROM" && $1 == "STDIN") || ($0 == "TO" && $1 == "STDOUT")
    }
  }

  private static let transactionWords: Set<String> = [
    "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "PREPARE",
  ]

  private static func reasonForSteps(_ statements: [SQLScript.Statement]) -> String? {
    for (index, statement) in statements.enumerated() {
      if let command = commandOutsideTransactions(statement.words) {
        return "line \(statement.line): \(command) cannot run in a transaction"
      }
      if let value = addedEnumValue(statement), statements[(index + 1)...].contains(where: { $0.text.contains(value) })
      {
        return "line \(statement.line): the new value \(value) is used in the same script"
      }
    }
    return nil
  }

  /// The name of the command, when PostgreSQL refuses it in a transaction block.
  private static func commandOutsideTransactions(_ words: [String]) -> String? {
    let start = words.prefix(2).joined(separator: " ")
    let concurrently = words.prefix(12).contains("CONCURRENTLY")
    switch words.first {
    case "VACUUM": return "VACUUM"
    case "CREATE" where concurrently && words.prefix(3).contains("INDEX"): return "CREATE INDEX CONCURRENTLY"
    case "DROP" where concurrently && words.dropFirst().first == "INDEX": return "DROP INDEX CONCURRENTLY"
    case "REINDEX" where concurrently: return "REINDEX CONCURRENTLY"
    case "REINDEX" where !Set(words.prefix(6)).isDisjoint(with: ["SCHEMA", "DATABASE", "SYSTEM"]): return "REINDEX"
    case "ALTER" where words.contains("DETACH") && words.contains("CONCURRENTLY"):
      return "DETACH PARTITION CONCURRENTLY"
    case "CLUSTER" where words.count == 1: return "CLUSTER"
    default: break
    }
    let others = [
      "CREATE DATABASE", "DROP DATABASE", "CREATE TABLESPACE", "DROP TABLESPACE", "ALTER SYSTEM", "CREATE SUBSCRIPTION",
      "DROP SUBSCRIPTION",
    ]
    return others.contains(start) ? start : nil
  }

  /// `'shipped'` in `ALTER TYPE … ADD VALUE 'shipped'`: it cannot be used before its transaction has ended.
  private static func addedEnumValue(_ statement: SQLScript.Statement) -> String? {
    guard statement.words.prefix(2) == ["ALTER", "TYPE"],
      zip(statement.words, statement.words.dropFirst()).contains(where: { $0 == "ADD" && $1 == "VALUE" }),
      let match = statement.text.firstMatch(of: /'(?:[^']|'')*'/)
    else { return nil }
    return String(match.0)
  }
}
