import Diagnostics
import Migrations
import StreamPipeline

/// What migrations do outside of their database: roles, tablespaces, other databases, the server's configuration. A rollback of the database
/// does not take that back, and the next deploy stumbles over it.
enum IrreversibleStatements {
  /// - Parameters:
  ///   - names: of migrations; those that are not in the folder are passed over.
  ///   - directory: nil: there is no folder.
  /// - Returns: a line for each statement.
  static func find(of names: [String], in directory: String?) throws(Failure) -> [String] {
    guard let directory, !names.isEmpty else { return [] }
    let folder: MigrationFolder
    do throws(Failure) { folder = try MigrationFolder(path: directory) } catch {
      // No reason not to go back.
      return ["unknown, as the migrations cannot be read: \(error.why)"]
    }
    var found: [String] = []
    for migration in names.compactMap({ folder.migration($0) }) {
      found += find(in: migration.text ?? "").map { "\($0) (\(migration.name))" }
    }
    return found
  }

  private static func find(in script: String) -> [String] {
    let read: SQLScript
    // One that ends within a quote is the server's to refuse; no deploy and no rollback may end for this list.
    do throws(Failure) { read = try SQLScript(script) } catch { return [] }
    return read.statements.compactMap { statement in
      let words = statement.words
      if isOutside(words) { return words.prefix(3).joined(separator: " ") }
      // A block may do anything.
      guard words.first == "DO", let match = statement.text.firstMatch(of: pattern) else { return nil }
      return "\(match.1) in a DO block".uppercased()
    }
  }

  private static func isOutside(_ words: [String]) -> Bool {
    guard let first = words.first, let second = words.dropFirst().first else { return false }
    switch first {
    case "CREATE", "DROP":
      return ["ROLE", "USER", "GROUP", "DATABASE", "TABLESPACE"].contains(second) && !isMapping(words)
    case "ALTER":
      if second == "SYSTEM" || second == "TABLESPACE" { return true }
      return ["ROLE", "USER", "GROUP"].contains(second) && !words.contains("DATABASE") && !isMapping(words)
    // Membership in a role: no object is named.
    case "GRANT", "REVOKE": return !words.contains("ON")
    default: return false
    }
  }

  private static func isMapping(_ words: [String]) -> Bool { words.dropFirst(2).first == "MAPPING" }

  nonisolated(unsafe) private static let pattern =
    /\b((?:create|alter|drop)\s+(?:role|user|database|tablespace)|alter\s+system)\b/.ignoresCase()
}
