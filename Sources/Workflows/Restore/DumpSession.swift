import BackupModel
import Diagnostics
import PostgresTools
import StreamPipeline

/// A session of our own that runs the statements of a dump, one by one, under an empty search path, as pg_restore would.
///
/// What fails so is tried again as far as that is safe. What it makes is made in this session; what is built of the rows is built in sessions
/// of their own, under the paths that the database's own sessions have.
struct DumpSession {
  let session: Session
  let builds: PathBuilds

  /// - Parameter isRepeated: it was run before, perhaps: what is there already is done.
  /// - Returns: nil when it was run; its first error otherwise.
  /// - Throws: what is no error of the statement: a lost connection, a full disk, the wish to stop.
  func run(_ statement: [UInt8], isRepeated: Bool = false) throws(Failure) -> Failure? {
    guard !UnknownSetting.isUnknown(statement, server: session.serverVersion / 10_000) else { return nil }
    let statement = ServersOwnOptions.removed(from: statement)
    guard !statement.isEmpty else { return nil }
    guard let failure = try session.outcome(ofDumped: statement) else { return nil }
    if isRepeated, failure.isAlreadyThere { return nil }
    return try runOtherwise(statement) ? nil : failure
  }

  private func runOtherwise(_ statement: [UInt8]) throws(Failure) -> Bool {
    // The server builds it with the rights of the owner.
    if BuildSteps.isKey(statement) { return try builds.run(statement) == nil }
    if let steps = BuildSteps(statement), try runInSteps(steps) { return true }
    guard RestorePhase(statement) == .main, let path = try SearchPaths.ofExtensions(session) else { return false }
    try session.setSearchPath(path)
    let failure = try session.outcome(ofDumped: statement)
    try session.setSearchPath("")
    return failure == nil
  }

  private func runInSteps(_ steps: BuildSteps) throws(Failure) -> Bool {
    // An index fails here once more, and is left to be built.
    _ = try session.outcome(ofDumped: steps.make)
    if try builds.run(steps.build) == nil { return true }
    _ = try session.outcome(ofDumped: steps.undo)
    return false
  }
}

/// Builds what is defined already under the search paths that a database's own sessions have, each time in a session that does nothing else:
/// functions of the database's owners run in it.
struct PathBuilds: Sendable {
  let pool: SessionPool
  let paths: SearchPaths

  /// - Parameter statement: names what it builds, and holds no expression.
  /// - Returns: nil when it was done under one of the paths; else the error under the likeliest.
  /// - Throws: what is no error of the statement.
  func run(_ statement: [UInt8]) throws(Failure) -> Failure? {
    try firstFailure { (session) throws(Failure) in try session.outcome(ofDumped: statement) }
  }

  /// The same for what a restore can do without: no error but the end of the session, or a stop, is thrown.
  ///
  /// - Returns: nil when it was done.
  func runOptional(_ statement: String) throws(Failure) -> ServerError? {
    try firstFailure { (session) throws(Failure) in try session.outcome(ofOptional: statement) }
  }

  private func firstFailure<Problem>(
    _ body: (Session) throws(Failure) -> Problem?
  ) throws(Failure) -> Problem? {
    var first: Problem?
    for path in paths.candidates {
      let problem = try pool.once { (session) throws(Failure) -> Problem? in
        try session.setSearchPath(path)
        // A materialized view is filled as its owner, whose own policies a query without them would be refused for.
        try session.query("SET row_security = on")
        try session.query("RESET jit")
        return try body(session)
      }
      guard let problem else { return nil }
      first = first ?? problem
    }
    return first
  }
}

extension Session {
  func setSearchPath(_ path: String) throws(Failure) {
    try query("SELECT pg_catalog.set_config('search_path', $1, false)", [path])
  }

  /// - Returns: the server's error, whatever it is about.
  /// - Throws: what ends the session too, or is a stop.
  func outcome(ofOptional statement: String) throws(Failure) -> ServerError? {
    guard case .failure(let error) = attempt(statement, [], .unlimited) else { return nil }
    guard error.sqlState != nil, error.stopFailure == nil, isIdle else { throw error.failure }
    return error
  }

  /// Runs a statement of a dump.
  ///
  /// - Returns: the server's error about it.
  /// - Throws: what is no error of the statement.
  fileprivate func outcome(ofDumped statement: [UInt8]) throws(Failure) -> Failure? {
    guard case .failure(let error) = attempt(bytes: statement) else { return nil }
    let failure = error.failure.running(statement)
    // In a transaction nothing more can be run.
    guard failure.isOfStatement, !isInTransaction else { throw failure }
    return failure
  }
}

extension Failure {
  /// With the statement of a dump that it is about.
  func running(_ statement: [UInt8]) -> Failure {
    var failure = self
    failure.details.append("while running: \(DumpedStatement.line(of: statement))")
    return failure
  }

  /// What a statement makes is there already.
  var isAlreadyThere: Bool {
    // duplicate_table, _object, _function, _schema, _column; invalid_table_definition: a second primary key; wrong_object_type: already a
    // partition.
    // Large objects and text search have no check of their own: a catalog's index refuses the second one.
    guard let server else { return false }
    return ["42P07", "42710", "42723", "42P06", "42701", "42P16", "42809"].contains(server.sqlState)
      || server.sqlState == "23505" && server.schema == "pg_catalog"
  }
}
