import BackupModel
import Diagnostics
import PostgresTools
import StreamPipeline

/// Calls pg_restore on the new database, which goes on after errors; nil: it did everything.
typealias PgRestore = @Sendable (_ arguments: [String]) throws(Failure) -> ChildExit?

/// Restores sections of a directory archive: by pg_restore, and what it could not do by a session of our own.
struct ArchiveSections: Sendable {
  let place: RestorePlace
  let folder: ArchiveFolder
  let lists: [ArchiveFolder.Portion: String]
  let toolbox: Toolbox
  let pgRestore: PgRestore

  /// - Parameter section: of pg_restore; nil: all that the list has.
  /// - Returns: what was left out.
  func restore(
    _ portion: ArchiveFolder.Portion, _ section: String?, _ options: [String] = []
  ) throws(Failure) -> [Shortfall] {
    guard let list = lists[portion] else { return [] }
    let selection = (section.map { ["--section=\($0)"] } ?? []) + ["-L", list, "-Fd"]
    guard let exit = try pgRestore(options + selection + [folder.path]) else { return [] }
    // One that was killed says nothing of the statements.
    guard exit.status == .exited(1) else { throw exit.failure(of: "pg_restore") }
    place.surroundings.log.info(
      "what pg_restore could not run is run again: \(exit.failure(of: "pg_restore").why)")
    return try replay(selection)
  }

  /// Runs every statement of the selection once more: what was done already is told by the server.
  private func replay(_ selection: [String]) throws(Failure) -> [Shortfall] {
    try place.pool.with { (session) throws(Failure) in
      // A server that is gone says nothing of the statements either.
      try session.query("SELECT")
      let replay = DumpReplay(place.dumpSession(session), isRepeated: true)
      for statement in try statements(selection) { try replay.take(statement) }
      try replay.settle()
      if try bringForward(for: replay.failedStates, session) { try replay.settle() }
      return try replay.giveUp(isTolerant: place.isTolerant)
    }
  }

  /// Does ahead what comes at the end, and what has failed may need.
  ///
  /// - Returns: whether anything was done.
  func bringForward(for states: Set<String>, _ session: Session) throws(Failure) -> Bool {
    try place.bringForward(
      for: states, session,
      grants: { () throws(Failure) in
        try lists[.privileges].map { (list) throws(Failure) in try statements(["-L", list, "-Fd"]) } ?? []
      },
      refreshes: { () throws(Failure) in try held().refreshes })
  }

  /// What comes at the end of the restore.
  func held() throws(Failure) -> HeldStatements {
    func read(_ portion: ArchiveFolder.Portion, _ more: [String] = []) throws(Failure) -> [[UInt8]] {
      guard let list = lists[portion] else { return [] }
      return try statements(more + ["-L", list, "-Fd"])
    }
    let refreshes = try read(.refreshes).filter { RestorePhase($0) == .refresh }
    var held = HeldStatements(
      refreshes: refreshes, eventTriggers: try read(.eventTriggers).filter { RestorePhase($0) == .eventTrigger })
    held.sequences = try read(.sequences).filter { RestorePhase($0) == .sequence }
    return held
  }

  /// The statements of a selection, without rows.
  private func statements(_ selection: [String]) throws(Failure) -> [[UInt8]] {
    let list = StatementList()
    let scanner = SharedScanner { event in if case .statement(let bytes) = event { list.append(bytes) } }
    let exit = try place.surroundings.runner.run(
      toolbox.command("pg_restore", selection + ["-f", "-", folder.path])
    ) { (piece) throws(Failure) in try scanner.scan(piece) }
    guard exit.succeeded else { throw unreadableArchive("toc.dat", exit) }
    _ = try scanner.finish()
    return list.all
  }
}
