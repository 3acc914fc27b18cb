import BackupModel
import Diagnostics
import PostgresTools
import StreamPipeline

/// A session of our own that runs the statements of a dump, one by one.
///
/// Each is run as pg_restore would, under an empty search path; one that fails so is tried under those that the database's own sessions have.
struct DumpSession {
  let session: Session
  let paths: SearchPaths

  /// - Parameter isRepeated: it was run before, perhaps: what is there already is done.
  /// - Returns: nil when it was run; the first error when it fails under every path.
  /// - Throws: what is no error of the statement: a lost connection, a full disk, the wish to stop.
  func run(_ statement: [UInt8], isRepeated: Bool = false) throws(Failure) -> Failure? {
    guard !UnknownSetting.isUnknown(statement, server: session.serverVersion / 10_000) else { return nil }
    guard let failure = try outcome(statement) else { return nil }
    if isRepeated, failure.isAlreadyThere { return nil }
    for path in paths.candidates {
      if try under(path, { () throws(Failure) in try outcome(statement) }) == nil { return nil }
    }
    return failure
  }

  /// Runs `body` under a search path; an empty one is in force again afterwards.
  func under<Result>(_ path: String, _ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    try session.query("SELECT pg_catalog.set_config('search_path', $1, false)", [path])
    let result = try body()
    try session.query("SELECT pg_catalog.set_config('search_path', '', false)")
    return result
  }

  private func outcome(_ statement: [UInt8]) throws(Failure) -> Failure? {
    guard case .failure(let error) = session.attempt(bytes: statement) else { return nil }
    let failure = error.failure.running(statement)
    // In a transaction nothing more can be run.
    guard failure.isOfStatement, !session.isInTransaction else { throw failure }
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
