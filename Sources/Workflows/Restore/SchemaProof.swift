import BackupModel
import BackupRepository
import Diagnostics
import PostgresTools
import StreamPipeline

/// What becomes of a restored schema that differs from its backup in words only.
package enum SchemaAcceptance: Sendable {
  case refuses, accepts
  /// The answer of whoever is shown the differences.
  case asks(@Sendable (_ differences: [String]) throws(Failure) -> Bool)

  /// Whether a restore goes on without what cannot be restored, until somebody is asked.
  var isTolerant: Bool { if case .refuses = self { false } else { true } }
}

/// Compares the schema of a restored database with its backup's, where their texts differ.
struct SchemaProof {
  let backup: Backup
  let target: ConnectionTarget
  let toolbox: Toolbox
  let surroundings: Surroundings
  /// Not the whole backup.
  let tables: TableRestore?
  let result: RestoreResult
  let accepts: SchemaAcceptance

  /// - Parameter found: the statements of the restored database.
  /// - Returns: how they are equal, in words; and whether the whole schema is.
  /// - Throws: `restored_differs`.
  func compare(_ found: [SchemaStatement]) throws(Failure) -> RestoreWork.Compared {
    let restored = comparable(found)
    let all = SchemaDifference.between(comparable(try backedUp()), restored)
    for difference in all where difference.isOfStorage {
      surroundings.log.warning("a column is stored in another way than before: \(difference.lines.first ?? "")")
    }
    let differences = all.filter { !isKnown($0) }
    // A missing statement may be missing in every database that is made of the backup. Where the restore has named what it could not do,
    // the replica below tells what is missing besides.
    if result.shortfalls.isEmpty { try refuse(differences.filter { !$0.isWording }, isWording: false) }
    guard !differences.isEmpty || !result.shortfalls.isEmpty else { return .whole("every digest equals the backup's") }
    let remade = SchemaDifference.between(try remade(), restored.filter(\.isDefinition))
    try refuse(remade, isWording: remade.allSatisfy(\.isWording))
    let contents = "\(result.leftOut.isEmpty ? "" : "all other ")rows, sequences and large objects equal the backup's"
    guard remade.isEmpty else { return .inPart("\(contents); the schema's wording was accepted") }
    guard result.shortfalls.isEmpty else { return .inPart("\(contents); of the schema all but what is named") }
    let words = counted(differences.count, "statement")
    return .whole("\(contents), and so does the schema; the server words \(words) in another way")
  }

  /// Compares which functions and operators the definitions use: their text does not tell all of them.
  ///
  /// - Parameter compared: what else was compared.
  /// - Throws: `restored_differs`.
  func compareUses(_ compared: RestoreWork.Compared) throws(Failure) -> RestoreWork.Compared {
    guard tables == nil, result.shortfalls.isEmpty, let expected = backup.manifest.resolvedUses else { return compared }
    let found = try ResolvedUses.digest(try surroundings.connector.connect(target, purpose: "restore"))
    guard found != expected else { return compared }
    let line =
      "its definitions use other functions or operators than the backup's: "
      + "\(found.count) uses, and \(expected.count) in the backup"
    guard try isAccepted([line]) else {
      throw Failure(
        "restored_differs", exit: .dataDamaged, what: "restore of \(backup.id)",
        why: "the texts of the schemas are equal, but \(line)",
        nextStep: "\(ResolvedUses.remedy); where both give the same results: the same command with --accept-schema-text"
      )
    }
    return .inPart("\(compared.text); other functions or operators were accepted")
  }

  /// Under which settings a partitioned table is made depends on what was dumped before it: of single tables only the statements count.
  private func comparable(_ statements: [SchemaStatement]) -> [SchemaStatement] {
    tables == nil ? statements : statements.map { SchemaStatement($0.bytes) }
  }

  private func backedUp() throws(Failure) -> [SchemaStatement] {
    if let tables { return tables.schemaStatements }
    return try BackupParts(backup: backup, toolbox: toolbox, surroundings: surroundings).schemaStatements()
  }

  /// What the restore itself has told, and what every new database has by itself.
  private func isKnown(_ difference: SchemaDifference) -> Bool {
    // Told, and no difference of what the database holds.
    if difference.isOfStorage { return true }
    let left = result.unfilled + result.shortfalls.map(\.statement)
    if let expected = difference.expected {
      if left.contains(where: { SchemaStatement(dumped: $0).bytes == expected.bytes }) { return true }
      return difference.found == nil && expected.isOfBuiltInLanguage
    }
    let isWeakened = result.shortfalls.contains { !$0.replacements.isEmpty }
    return isWeakened && difference.found.map { $0.bytes.ends(with: " NOT VALID") } ?? false
  }

  /// What the server makes of the same statements in an empty database.
  private func remade() throws(Failure) -> [SchemaStatement] {
    let left = Set(result.shortfalls.map(\.statement))
    let schema = try statements().filter { !left.contains($0) }
    let made = try SchemaReplica(
      target: target, toolbox: toolbox, surroundings: surroundings, lacksPublicSchema: backup.manifest.lacksPublicSchema
    )
    .make(schema, like: try backup.properties(), changes: result.shortfalls.flatMap(\.replacements))
    for one in made.failed { surroundings.log.info("the schema for comparison lacks something: \(one.failure.why)") }
    if let first = made.failed.first, !result.shortfalls.isEmpty {
      // What it lacks, the restored database may lack too, and nobody has named it.
      throw Failure(
        "restored_differs", exit: .dataDamaged, what: "restore of \(backup.id)",
        why: "the schema could not be made once more for the comparison: \(DumpedStatement.line(of: first.statement)): "
          + first.failure.why,
        nextStep: "fix what the server names, then run the same command again",
        details: result.shortfalls.map(\.sentence))
    }
    return comparable(made.statements)
  }

  private func statements() throws(Failure) -> [[UInt8]] {
    if let tables { return tables.statements }
    return try BackupText(backup, toolbox: toolbox, surroundings: surroundings).statements()
  }

  private func refuse(_ differences: [SchemaDifference], isWording: Bool) throws(Failure) {
    guard let first = differences.first else { return }
    let lines = differences.prefix(Self.mostShown).flatMap(\.lines)
    if isWording, try isAccepted(lines) { return }
    let subject = first.expected ?? first.found
    throw Failure(
      "restored_differs", exit: .dataDamaged, what: "restore of \(backup.id)",
      why:
        "the schema of the restored database differs from the backup's in \(counted(differences.count, "statement")); "
        + "rows, sequences and large objects are equal",
      nextStep: isWording
        ? "compare both texts; where they mean the same: the same command with --accept-schema-text"
        : "holdfast verify \(backup.id) --level archive tells whether the backup or the restore is at fault",
      details: subject == nil ? [] : lines)
  }

  private func isAccepted(_ differences: [String]) throws(Failure) -> Bool {
    switch accepts {
    case .refuses: return false
    case .accepts:
      for line in differences { surroundings.log.warning("accepted, the schema differs in words: \(line)") }
      return true
    case .asks(let ask): return try ask(differences)
    }
  }

  private static let mostShown = 10
}

extension SchemaStatement {
  /// A new database has PL/pgSQL already; one where it was dropped and created again has it dumped.
  var isOfBuiltInLanguage: Bool {
    [
      "CREATE EXTENSION IF NOT EXISTS plpgsql WITH SCHEMA pg_catalog",
      "COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL procedural language'",
    ].contains { bytes.elementsEqual($0.utf8) }
  }
}

extension ResolvedUses {
  static func digest(_ session: Session) throws(Failure) -> CountedDigest {
    var sum = MultisetHash()
    try each(session) { line in Array(line.utf8).withUnsafeBytes { sum.insert($0) } }
    return CountedDigest(sum)
  }

  /// What keeps a definition from meaning another operator once it is restored.
  static let remedy =
    "write the comparison with an operator (=, IN) instead of IS DISTINCT FROM, NULLIF, CASE x WHEN or USING"
}

extension [UInt8] {
  fileprivate func ends(with text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}
