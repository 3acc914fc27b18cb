import BackupModel
import Diagnostics
import PostgresTools
import StreamPipeline

/// Fills a new database from the SQL text of a backup, by a session of our own: the formats of one file, and single tables of any format.
struct TextRestore {
  let place: RestorePlace
  let text: BackupText
  /// Which statements of the dump, by their place in it, are run.
  var includes: @Sendable (Int) -> Bool = { _ in true }
  /// Tables whose rows need not be read.
  var skips: @Sendable (_ table: String) -> Bool = { _ in false }
  var hasObjects = true

  func run() throws(Failure) -> RestoreResult {
    try place.rows.ending { () throws(Failure) in
      try place.pool.with { (session) throws(Failure) in
        let load = TextLoad(place.dumpSession(session), place, includes: includes)
        try read { (event) throws(Failure) in try load.take(event) }
        func bringForward(for states: Set<String>) throws(Failure) -> Bool {
          let (waiting, refreshes) = (load.replay.failed.map(\.statement), load.replay.held.refreshes)
          return try place.bringForward(for: states, session, grants: { waiting }, refreshes: { refreshes })
        }
        _ = try bringForward(for: load.failedStates)
        step("fill the tables again")
        var shortfalls = try rescue(load.failed, session)
        try load.replay.settle()
        if try bringForward(for: load.replay.failedStates) { try load.replay.settle() }
        shortfalls += try load.replay.giveUp(isTolerant: place.isTolerant)
        return try place.finish(load.replay.held, after: shortfalls)
      }
    }
  }

  private func read(_ take: @escaping (DumpEvent) throws(Failure) -> Void) throws(Failure) {
    let scanner = SharedScanner(observer: take)
    try text.read(skipping: skips, objects: hasObjects) { (piece) throws(Failure) in try scanner.scan(piece) }
    _ = try scanner.finish()
  }

  /// Their rows are read once more.
  private func rescue(_ failed: [RowRescue.Piece], _ session: Session) throws(Failure) -> [Shortfall] {
    guard !failed.isEmpty else { return [] }
    let rescue = RowRescue(session: session, paths: place.paths, isTolerant: place.isTolerant)
    func load(_ piece: RowRescue.Piece, under path: String) throws(Failure) {
      let rows = RowsOfPiece(piece, place, under: path)
      try read { (event) throws(Failure) in try rows.take(event) }
    }
    let stillFailed = try rescue.retry(failed, load)
    try place.rows.refuse(stillFailed.map(\.failure))
    return try rescue.relax(stillFailed, load)
  }
}

/// Runs a dump that passes. Used by one thread at a time.
private final class TextLoad: @unchecked Sendable {
  let replay: DumpReplay
  /// Rows that could not be loaded.
  private(set) var failed: [RowRescue.Piece] = []
  private(set) var failedStates: Set<String> = []
  private var pieces = 0
  private let rows: RowLoading
  private let includes: (Int) -> Bool
  private var next = 0

  init(_ dump: DumpSession, _ place: RestorePlace, includes: @escaping (Int) -> Bool) {
    replay = DumpReplay(dump)
    rows = RowLoading(place, under: place.paths.own)
    self.includes = includes
  }

  func take(_ event: DumpEvent) throws(Failure) {
    switch event {
    case .statement(let statement):
      defer { next += 1 }
      let isRows = if case .rows = RestorePhase(statement) { true } else { false }
      if isRows { pieces += 1 }
      guard includes(next) else { return }
      guard case .rows(let target) = RestorePhase(statement) else {
        // Triggers, keys and indexes are made once all rows are there.
        return try failed.isEmpty ? replay.take(statement) : replay.postpone(statement)
      }
      // What failed before may be what the rows need.
      if failed.isEmpty { try replay.settle() }
      if let failure = try rows.begin(target) { keep(target, failure) }
    case .rows(let target, let bytes, let areLast):
      if let failure = try rows.put(bytes, areLast: areLast) { keep(target, failure) }
    }
  }

  private func keep(_ target: CopyTarget, _ failure: Failure) {
    failed.append(RowRescue.Piece(table: target, place: pieces))
    if let state = failure.server?.sqlState { failedStates.insert(state) }
  }
}

/// Loads one piece of rows from a dump that passes, whatever else it has. Used by one thread at a time.
private final class RowsOfPiece: @unchecked Sendable {
  private let piece: RowRescue.Piece
  private let rows: RowLoading
  private var pieces = 0

  init(_ piece: RowRescue.Piece, _ place: RestorePlace, under path: String) {
    self.piece = piece
    rows = RowLoading(place, under: path)
  }

  func take(_ event: DumpEvent) throws(Failure) {
    switch event {
    case .statement(let statement):
      guard case .rows(let target) = RestorePhase(statement) else { return }
      pieces += 1
      guard pieces == piece.place, let failure = try rows.begin(target) else { return }
      throw failure
    case .rows(_, let bytes, let areLast):
      if let failure = try rows.put(bytes, areLast: areLast) { throw failure }
    }
  }
}

/// Loads rows that pass, each table's in a transaction of its own.
private final class RowLoading {
  private let place: RestorePlace
  private let path: String
  /// The rows that come are wanted, and go there.
  private var loan: RowSessions.Loan?

  init(_ place: RestorePlace, under path: String) {
    self.place = place
    self.path = path
  }

  /// - Returns: an error of the server's about the rows.
  func begin(_ table: CopyTarget) throws(Failure) -> Failure? {
    try outcome { () throws(Failure) in
      let loan = try place.rows.take(for: table)
      try loan.session.beginCopy(
        try RowLoad.begin(table, bytes: place.bytes(of: table), under: path, loan.session))
      self.loan = loan
    }
  }

  /// - Returns: an error of the server's about the rows.
  func put(_ bytes: UnsafeRawBufferPointer, areLast: Bool) throws(Failure) -> Failure? {
    place.surroundings.reporter.advance(bytes: UInt64(bytes.count))
    guard let loan else { return nil }
    try place.surroundings.cancellation.check()
    return try outcome { () throws(Failure) in
      try loan.session.putRows(bytes)
      guard areLast else { return }
      self.loan = nil
      try loan.session.endCopy()
      // As long as the rows take to come to the disk.
      try loan.session.query("COMMIT", [], .unlimited)
      place.rows.give(back: loan)
    }
  }

  /// After an error the session is used no more.
  private func outcome(_ body: () throws(Failure) -> Void) throws(Failure) -> Failure? {
    do throws(Failure) {
      try body()
      return nil
    } catch {
      loan = nil
      guard error.isOfStatement else { throw error }
      return error
    }
  }
}

extension RestorePlace {
  /// Raw bytes of a table's rows, by estimate where they are no file of their own.
  func bytes(of table: CopyTarget) -> UInt64 {
    let name = "\(table.schema).\(table.name)"
    if let file = backup.manifest.files.first(where: { $0.table == name }) { return file.rawBytes ?? file.bytes }
    return (backup.manifest.digests.tables.first { $0.key == table.key }?.rows ?? 0) << 6
  }
}
