import Diagnostics
import PostgresTools
import StreamPipeline

/// Whether a superuser can run the definitions of a dump without running what others made, in a restore that does not trust them.
///
/// A server calls functions, operators, casts and the checks of domains not only for rows: it works out constants when an index, a generated
/// column, a partition or a literal is defined, validates constraints, and calls event triggers. Which of them cannot be told from the text of a
/// definition. So a dump is restored only if all of these belong to superusers; then rows may still have checks of built-in functions, which
/// run with the owner's rights (`OwnerLogins`).
enum FencedDefinitions {
  /// - Parameters:
  ///   - statements: of a dump, in its order.
  ///   - session: on the server that is restored into.
  /// - Throws: `owner_not_fenced`.
  static func check(_ statements: [[UInt8]], _ session: Session) throws(Failure) {
    let superusers = Set(
      try session.query("SELECT rolname FROM pg_catalog.pg_roles WHERE rolsuper").compactMap { $0.first ?? nil })
    var unowned: [[UInt8]] = []
    var filled: [[UInt8]] = []
    var (checked, owners): ([([UInt8], [UInt8])], [[UInt8]: String]) = ([], [:])
    for statement in statements {
      guard DumpVocabulary.has(statement) else { throw notFenced(statement) }
      if let domain = CodeOfOwners.checkedDomain(statement) { checked.append((domain, statement)) }
      if let table = CodeOfOwners.lateCheck(statement) { checked.append((table, statement)) }
      if let table = CodeOfOwners.madeTable(statement) { filled.append(table) }
      if let (table, owner) = CodeOfOwners.tableOwner(statement) { owners[table] = owner }
      if let (domain, owner) = CodeOfOwners.domainOwner(statement) { owners[domain] = owner }
      if CodeOfOwners.makes(statement) {
        unowned.append(statement)
      } else if let owner = CodeOfOwners.owner(statement) {
        guard superusers.contains(owner) else { throw notFenced(statement) }
        if !unowned.isEmpty { unowned.removeLast() }
      }
    }
    for (domain, statement) in checked where !(owners[domain].map(superusers.contains) ?? false) {
      throw notFenced(statement)
    }
    // pg_dump writes the owner behind each; what has none would be filled with our rights.
    for table in filled where owners[table] == nil { throw notFenced(Array("CREATE TABLE ".utf8) + table) }
    if let first = unowned.first { throw notFenced(first) }
  }

  private static func notFenced(_ statement: [UInt8]) -> Failure {
    Failure(
      "owner_not_fenced", exit: .noPermission, what: "restore without trust in the owners",
      why: "trust_owner is false, and a superuser's restore could run this: \(DumpedStatement.line(of: statement))",
      nextStep:
        "restore with a role that is no superuser (docs/roles.md); or, where its owner is trusted, trust_owner: true")
  }
}
