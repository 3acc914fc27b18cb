import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// Filling one new database; its proof is in a file of its own.
struct RestoreWork {
  let backup: Backup
  let target: ConnectionTarget
  let toolbox: Toolbox
  let surroundings: Surroundings
  private let work: WorkFolder
  private let passwordFile: String?
  /// Not the whole backup.
  let tables: TableRestore?
  /// A backup that is being restored is not pruned.
  private let use: BackupUse

  /// - Parameter tables: restores them only.
  init(
    backup: Backup, target: ConnectionTarget, toolbox: Toolbox, surroundings: Surroundings, tables: TableRestore? = nil
  ) throws(Failure) {
    self.tables = tables
    self.backup = backup
    self.target = target
    self.toolbox = toolbox
    self.surroundings = surroundings
    use = try BackupUse.reading(backup)
    work = try WorkFolder()
    passwordFile = try work.passwordFile(for: target)
  }

  var manifest: Manifest { backup.manifest }

  var expected: DatabaseDigest { tables?.expected ?? manifest.digests }
  /// Raw bytes of what is restored; nil where rows are not told apart.
  var dataBytes: UInt64? {
    guard let tables else { return manifest.dataBytes }
    return tables.bytes > 0 ? tables.bytes : nil
  }

  /// Fills a database that is to take the place of the live one, and proves it.
  ///
  /// - Returns: whether the whole content was compared, and is equal.
  /// - Throws: `unrestorable_object`, `restored_differs`, unless that is accepted. Rows that are left out are never accepted.
  @discardableResult
  func fillAndProve(_ accepts: SchemaAcceptance) throws(Failure) -> Bool {
    let result = try fill(isTolerant: accepts.isTolerant)
    let isWhole = try prove(.digest, analyze: true, after: result, accepts: accepts)
    guard let first = result.shortfalls.first(where: \.isOfRows) ?? result.shortfalls.first else { return isWhole }
    let lines = result.shortfalls.map(\.sentence)
    guard !first.isOfRows else {
      throw Failure(
        "unrestorable_object", exit: .dataDamaged, what: "restore of \(backup.id)", why: first.sentence,
        nextStep:
          "fix what the server names; everything else is restored by: holdfast restore \(backup.id) --into NAME",
        details: lines.filter { $0 != first.sentence })
    }
    switch accepts {
    case .accepts: for line in lines { surroundings.log.warning("accepted: \(line)") }
    case .asks(let ask) where try ask(lines): break
    case .asks, .refuses:
      throw Failure(
        "unrestorable_object", exit: .dataDamaged, what: "restore of \(backup.id)", why: first.sentence,
        nextStep: "fix what the server names; or go on without it: the same command with --accept-schema-text",
        details: Array(lines.dropFirst()))
    }
    return false
  }

  /// - Parameter isTolerant: what cannot be restored is left out and named; else it ends the restore.
  func fill(isTolerant: Bool = false) throws(Failure) -> RestoreResult {
    let session = try surroundings.connector.connect(target, purpose: "restore")
    let facts = try ServerReader(session).facts()
    PublicSchema(
      dumpedBy: manifest.dumpMajor, server: facts.major, isAbsent: tables == nil && manifest.lacksPublicSchema
    ).prepare(session, surroundings.log)
    if facts.superuser, !surroundings.trustsOwner {
      let text = try BackupText(backup, toolbox: toolbox, surroundings: surroundings)
      try FencedDefinitions.check(try text.statements(), session)
    }
    let place = try RestorePlace(backup, target, surroundings: surroundings, isTolerant: isTolerant)
    step("fill the database")
    let result = try surroundings.phase(
      "restore", total: dataBytes, summary: { _ in counted(expected.tables.count, "table") }
    ) { () throws(Failure) in
      if let tables { return try tables.fill(place) }
      guard manifest.format == .directory else {
        return try TextRestore(
          place: place, text: try BackupText(backup, toolbox: toolbox, surroundings: surroundings)
        ).run()
      }
      return try fillFromDirectory(place, facts)
    }.value
    try tellChanges(session)
    return result
  }

  /// What is another than it was, whatever a comparison of the content says: versions of extensions, and what no dump carries.
  private func tellChanges(_ session: Session) throws(Failure) {
    for line in try InstalledExtensions(session).unlike(manifest.needs.extensions) { surroundings.log.warning(line) }
    guard tables == nil, let notes = manifest.notes else { return }
    for kind in CensusKind.changedByRestore {
      let entries = notes.of(kind.rawValue)
      guard let first = entries.first else { continue }
      surroundings.log.warning("no dump has the \(entries.summaries.joined()): \(first.why)")
    }
  }

  private func fillFromDirectory(_ place: RestorePlace, _ facts: ServerFacts) throws(Failure) -> RestoreResult {
    try toolbox.requireFiles(of: .directory, what: "restore of \(backup.id)")
    let unknown = UnknownSetting(client: toolbox.installation.version.major, server: facts.major)
    let settings = indexSettings.merging(RestorePlace.quietSettings(facts)) { own, _ in own }
    return try DirectoryRestore(
      place: place,
      pgRestore: { (arguments) throws(Failure) in
        let silence = ServerSilence(
          "restore of \(backup.id)", limit: ServerSilence.statementLimit,
          why: "pg_restore, of which nothing is heard, has not ended within")
        let exit = try surroundings.runner.run(
          filling("pg_restore", arguments, settings), stopping: nil, silence: silence)
        return unknown.isAll(of: exit) ? nil : exit
      }, toolbox: toolbox
    ).run()
  }

  private func filling(_ program: String, _ arguments: [String], _ settings: [String: String]) -> ChildCommand {
    tool(program, arguments, settings: Toolbox.restoreSettings.merging(settings) { _, new in new })
  }

  /// One index on several cores at once is quicker only where there is one large table: elsewhere each core has an index of its own.
  private var indexSettings: [String: String] {
    let largest = manifest.dataFiles.map { $0.stored.rawBytes ?? $0.stored.bytes }.max() ?? 0
    return ["max_parallel_maintenance_workers": largest > manifest.dataBytes / 2 ? "2" : "0"]
  }

  func tool(_ name: String, _ arguments: [String], settings: [String: String]) -> ChildCommand {
    toolbox.command(
      name, arguments, on: target, purpose: "restore", passwordFile: passwordFile, settings: settings)
  }
}

extension Manifest {
  /// The database that was dumped has no schema `public`.
  var lacksPublicSchema: Bool { notes?.of(CensusKind.publicSchema.rawValue).isEmpty == false }

  /// Raw bytes of the data files: what a restore reads and a dump writes.
  var dataBytes: UInt64 {
    let stored = dataFile.map { [$0] } ?? dataFiles.map(\.stored)
    return stored.reduce(0) { $0 + ($1.rawBytes ?? $1.bytes) }
  }
}
