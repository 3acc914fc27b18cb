import Diagnostics
import StreamPipeline

/// Which definitions of a dump a superuser cannot run without running functions that others made, in a restore that does not trust them.
///
/// The server works out what is constant in the expressions of indexes, generated columns, partition keys and statistics when these are
/// defined, with the rights of whoever defines them: `CREATE INDEX ON t (f('x'))` calls `f`. That no argument is a column cannot be told from
/// the text (`f(COALESCE(1, a))`), so none of their functions is allowed. Checks, defaults, views, policies and triggers are only stored.
struct FencedDefinitions {
  /// Functions and operators of the dump, and types that have casts of it. What an extension has is no part of a dump.
  private var made: Set<QualifiedName> = []

  /// - Parameter statements: of a dump, in its order.
  /// - Throws: `owner_not_fenced`.
  static func check(_ statements: [[UInt8]]) throws(Failure) {
    var definitions = FencedDefinitions()
    for statement in statements { try definitions.check(statement) }
  }

  private mutating func check(_ statement: [UInt8]) throws(Failure) {
    guard statement.starts(with: "CREATE ".utf8) || BuildSteps.isExclusion(statement) else { return }
    let dumped = DumpedStatement(statement)
    if statement.starts(with: "CREATE CAST ".utf8) {
      made.formUnion(dumped.names)
    } else if Self.making.contains(where: { statement.starts(with: $0) }) {
      if let name = dumped.names.first { made.insert(name) }
    } else if Self.isWorkedOut(statement), let name = dumped.names.first(where: made.contains) {
      throw Failure(
        "owner_not_fenced", exit: .noPermission, what: "restore without trust in the owners",
        why: "trust_owner is false, and this runs \(name) with a superuser's rights: \(dumped.line)",
        nextStep:
          "restore with a role that is no superuser (docs/roles.md); or, where its owner is trusted, trust_owner: true")
    }
  }

  private static let making = ["CREATE FUNCTION ", "CREATE OPERATOR "].map { Array($0.utf8) }

  private static func isWorkedOut(_ statement: [UInt8]) -> Bool {
    let beginnings = ["CREATE INDEX ", "CREATE UNIQUE INDEX ", "CREATE STATISTICS ", "ALTER TABLE "]
    if beginnings.contains(where: { statement.starts(with: $0.utf8) }) { return true }
    let isTable = ["CREATE TABLE ", "CREATE UNLOGGED TABLE ", "CREATE FOREIGN TABLE "]
      .contains { statement.starts(with: $0.utf8) }
    return isTable
      && [" GENERATED ALWAYS AS (", "\nPARTITION BY "].contains { statement.firstRange(of: Array($0.utf8)) != nil }
  }
}
