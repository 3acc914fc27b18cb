import BackupModel
import BackupRepository
import Diagnostics
import PostgresTools
import StreamPipeline

/// Proving what was restored, and giving it statistics.
extension RestoreWork {
  /// Compares what was restored with the backup, and gives it statistics meanwhile: neither keeps every core busy by itself.
  ///
  /// - Parameters:
  ///   - result: what the restore could not bring back.
  ///   - accepts: a schema that differs in its wording.
  /// - Returns: whether the whole content was compared, and is equal.
  /// - Throws: `restored_differs`.
  @discardableResult
  func prove(
    _ proof: RestoreProof, analyze: Bool, after result: RestoreResult, accepts: SchemaAcceptance = .refuses
  ) throws(Failure) -> Bool {
    guard proof != .none || analyze else { return false }
    step("prove the database")
    let compared = try surroundings.phase(
      proof == .none ? "analyze" : "compare", total: proof == .digest ? dataBytes : nil,
      summary: { $0.words.joined(separator: "; ") }
    ) { () throws(Failure) -> (words: [String], isWhole: Bool) in
      let statistics = try statistics()
      var portions = analyze ? try statistics.portions() : []
      var failures: [String] = []
      let session = try surroundings.connector.connect(target, purpose: "restore")
      if !portions.isEmpty, !result.sequences.isEmpty, try RestoreEnding.callsFunctions(session) {
        // Such a function may call nextval(): then the sequences are set again before they are compared.
        for portion in portions { failures += try statistics.run(portion) }
        for statement in result.sequences { _ = session.attempt(bytes: statement) }
        portions = []
      }
      let tasks = (proof == .none ? [] : [Task.compare(proof)]) + portions.map(Task.run)
      let done = try inParallel(tasks, threads: surroundings.cores, cancellation: surroundings.cancellation) {
        (task) throws(Failure) -> Done in
        switch task {
        case .compare(.rows):
          .compared(.inPart("rows per table are equal (\(counted(try compareRows(after: result), "table")))"))
        case .compare: .compared(try compareDigests(result, accepts))
        case .run(let portion): .analyzed(failures: try statistics.run(portion))
        }
      }
      return summary(done + [.analyzed(failures: failures)], proof, analyze: analyze)
    }
    return compared.value.isWhole
  }

  /// What a comparison has shown, in words.
  enum Compared: Sendable {
    case whole(String)
    /// Something was not compared, or was accepted.
    case inPart(String)

    func adding(_ more: String) -> Self {
      switch self {
      case .whole(let text): .whole(text + more)
      case .inPart(let text): .inPart(text + more)
      }
    }

    var text: String {
      switch self {
      case .whole(let text), .inPart(let text): text
      }
    }
  }

  private func statistics() throws(Failure) -> StatisticsUpdate {
    let session = try surroundings.connector.connect(target, purpose: "restore")
    return StatisticsUpdate(
      SessionPool(surroundings.connector, target, purpose: "restore"),
      paths: try SearchPaths(try backup.properties(), schema: target.schema, session))
  }

  private enum Task: Sendable {
    case compare(RestoreProof)
    case run([String])
  }

  private enum Done: Sendable {
    case compared(Compared)
    case analyzed(failures: [String])
  }

  private func summary(
    _ done: [Done], _ proof: RestoreProof, analyze: Bool
  ) -> (words: [String], isWhole: Bool) {
    var parts: [String] = []
    var isWhole = false
    var failures: [String] = []
    for part in done {
      switch part {
      case .compared(.whole(let text)):
        parts.append(text)
        isWhole = true
      case .compared(.inPart(let text)): parts.append(text)
      case .analyzed(let more): failures += more
      }
    }
    for failure in failures { surroundings.log.warning("not analyzed, the rows are whole: \(failure)") }
    guard analyze else { return (parts, isWhole) }
    let all = proof == .none ? "statistics are up to date" : "analyzed"
    return (parts + [failures.isEmpty ? all : "analyzed in part"], isWhole)
  }

  private func serverMajor() throws(Failure) -> Int {
    try surroundings.connector.connect(target, purpose: "restore").serverVersion / 10_000
  }

  private func compareRows(after result: RestoreResult) throws(Failure) -> Int {
    let reads = TableReads(surroundings.connector, target, purpose: "restore")
    let largestFirst = expected.tables.filter { !result.leftOut.contains($0.key) }.sorted { $0.rows > $1.rows }
    let problems = try inParallel(largestFirst, threads: surroundings.cores, cancellation: surroundings.cancellation) {
      (table) throws(Failure) in
      do throws(Failure) { return try Self.difference(in: table, reads) } catch {
        guard error.isOfStatement else { throw error }
        surroundings.log.warning("rows of \(table.qualifiedName) were not counted, as its owner: \(error.why)")
        return nil
      }
    }
    try refuse(problems.compactMap { $0 })
    return largestFirst.count
  }

  private static func difference(in table: TableDigest, _ reads: TableReads) throws(Failure) -> Problem? {
    guard let found = try reads.table(QualifiedName(schema: table.schema, name: table.name)) else {
      return Problem(table: table.qualifiedName, problem: "is missing (\(table.rows) rows expected)")
    }
    // Some partitions are dumped, and counted, as rows of their root.
    let only = found.isPartitioned ? "" : "ONLY "
    // What partitions have on other servers is no part of a backup.
    let local =
      found.isPartitioned
      ? " WHERE tableoid::pg_catalog.oid NOT IN (SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relkind = 'f')" : ""
    switch try reads.query(
      "SELECT pg_catalog.count(*) FROM \(only)\(found.qualifiedName)\(local)", columns: 1, of: found)
    {
    case .success(let rows):
      let count = try Row(rows.first).text(0)
      guard UInt64(count) != table.rows else { return nil }
      return Problem(table: table.qualifiedName, problem: "has \(count) rows instead of \(table.rows)")
    case .failure(let error): throw error.failure
    }
  }

  /// Dumps the new database through the scanner and compares every digest with the manifest's.
  private func compareDigests(_ result: RestoreResult, _ accepts: SchemaAcceptance) throws(Failure) -> Compared {
    var found = try content(leavingOut: manifest.excludeQualified ?? manifest.excludeTableData)
    var problems = try contentProblems(found.digest, result)
    if !problems.isEmpty, !manifest.excludeTableData.isEmpty {
      // Of a table that is partitioned by a hash, rows may have come into a partition that was left out. Of sequences that were left out
      // it is only known that they were.
      found.digest.tables = try content(leavingOut: []).digest.tables(with: expected)
      problems = try contentProblems(found.digest, result)
    }
    try refuse(problems)
    if let unlike = try schemaWriters() {
      return .inPart(
        "rows, sequences and large objects equal the backup's; the schema's text is not compared between \(unlike)")
    }
    let proof = SchemaProof(
      backup: backup, target: target, toolbox: toolbox, surroundings: surroundings, tables: tables, result: result,
      accepts: accepts)
    let isEqual = found.digest.schema == expected.schema && tables == nil && result.shortfalls.isEmpty
    let compared = isEqual ? .whole("every digest equals the backup's") : try proof.compare(found.statements)
    return try proof.compareUses(compared.adding(computedAgain))
  }

  /// A dump has no values of generated columns.
  private var computedAgain: String {
    let isNoted = manifest.notes?.contains { $0.kind == CensusKind.generatedValues.rawValue } ?? false
    return isNoted ? "; generated columns were computed again" : ""
  }

  private func contentProblems(_ found: DatabaseDigest, _ result: RestoreResult) throws(Failure) -> [Problem] {
    var (found, expected) = (found, try expectedDigests(in: found))
    // It is compared by its statements.
    found.schema = expected.schema
    found.tables.removeAll { result.leftOut.contains($0.key) }
    expected.tables.removeAll { result.leftOut.contains($0.key) }
    if !result.shortfalls.isEmpty {
      // One without rows that could not be made is named by its statement.
      let there = Set(found.tables.map(\.key))
      expected.tables.removeAll { $0.rows == 0 && !there.contains($0.key) }
    }
    return expected.differences(from: found)
  }

  private typealias Content = (digest: DatabaseDigest, statements: [SchemaStatement])

  /// - Parameter patterns: of tables and sequences whose content is not looked at.
  private func content(leavingOut patterns: [String]) throws(Failure) -> Content {
    let session = try surroundings.connector.connect(target, purpose: "restore")
    let dump = try ComparisonDump(manifest) { (table) throws(Failure) in try ComparisonDump.isOrdinary(table, session) }
    let read = try inParallel(dump.calls, threads: 2, cancellation: surroundings.cancellation) {
      (more) throws(Failure) in try self.dump(patterns.map { "--exclude-table-data=\($0)" } + more)
    }
    guard let digest = dump.joined(read.map(\.digest)) else {
      throw .internalError("a part of the comparison is missing")
    }
    return (digest, read.first?.statements ?? [])
  }

  /// - Parameter more: what pg_dump has to be told besides.
  private func dump(_ more: [String]) throws(Failure) -> Content {
    let scanner = DumpScanner(keepStatements: true)
    let reporter = surroundings.reporter
    let facts = try ServerReader(try surroundings.connector.connect(target, purpose: "restore")).facts()
    let command = tool(
      "pg_dump", ["-Fp"] + manifest.source.properties.withoutSettings.dumpEncoding + more,
      settings: Toolbox.dumpSettings.merging(facts.loginSettings) { own, _ in own })
    let exit = try surroundings.runner.run(command, silence: ServerSilence("restore of \(backup.id)")) {
      (piece) throws(Failure) in
      try scanner.scan(piece)
      reporter.advance(bytes: UInt64(piece.count))
    }
    try exit.check("pg_dump")
    return (try scanner.finish(), scanner.statements)
  }

  /// Who wrote the two schemas' texts, when they are not alike: pg_dump words most of it, and the server the rest, views for one.
  private func schemaWriters() throws(Failure) -> String? {
    let (dumped, dumps) = (manifest.dumpMajor, toolbox.installation.version.major)
    if dumped != dumps { return "pg_dump \(dumped) and \(dumps)" }
    let (source, server) = (manifest.sourceMajor, try serverMajor())
    return source == server ? nil : "servers \(source) and \(server)"
  }

  /// The manifest's digests, with those of tables whose columns came back in another order computed again for that order.
  private func expectedDigests(in found: DatabaseDigest) throws(Failure) -> DatabaseDigest {
    var expected = expected
    let columns = Dictionary(found.tables.map { ($0.key, $0.columns) }) { first, _ in first }
    for (index, table) in expected.tables.enumerated() {
      guard let new = columns[table.key], !new.elementsEqual(table.columns, by: { $0.utf8.elementsEqual($1.utf8) }),
        ReorderedRows(from: table.columns, to: new) != nil
      else { continue }
      expected.tables[index].digest = try parts.digest(of: table, inOrder: new)
    }
    return expected
  }

  private var parts: BackupParts { BackupParts(backup: backup, toolbox: toolbox, surroundings: surroundings) }

  private func refuse(_ problems: [Problem]) throws(Failure) {
    guard let first = problems.first else { return }
    throw Failure(
      "restored_differs", exit: .dataDamaged, what: "restore of \(backup.id)",
      why: "the restored database differs from the backup: \(first.sentence)",
      nextStep: "holdfast verify \(backup.id) --level archive tells whether the backup or the restore is at fault",
      details: problems.dropFirst().prefix(20).map(\.sentence))
  }
}
