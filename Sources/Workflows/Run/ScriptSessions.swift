import Diagnostics
import PostgresTools

/// The sessions in which Holdfast runs migration scripts on a database. They outlive a run that was killed, until their statement ends.
struct ScriptSessions {
  private let session: Session

  /// - Parameter session: another one on the same database.
  init(_ session: Session) { self.session = session }

  /// - Returns: pid and age of one that runs a statement; nil: there is none.
  func running() throws(Failure) -> String? {
    let found = try session.query(
      """
      SELECT pid, extract(epoch FROM pg_catalog.clock_timestamp() - query_start)::bigint FROM pg_catalog.pg_stat_activity
      WHERE \(Self.isScript) AND state = 'active' ORDER BY 1
      """)
    return try found.first.map { (values) throws(Failure) in
      let row = try Row(values)
      return "pid \(try row.text(0)) (holdfast migration)\(row[1].map { ", for \($0) s" } ?? "")"
    }
  }

  /// Tells each to end.
  ///
  /// - Returns: whether none was left.
  func end() throws(Failure) -> Bool {
    try session.query(
      "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE \(Self.isScript)"
    ).isEmpty
  }

  private static let isScript = "datname = pg_catalog.current_database() AND application_name = 'holdfast migration'"
}
