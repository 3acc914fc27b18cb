import BackupModel
import Diagnostics
import Foundation
import PostgresTools

/// Prisma's table `_prisma_migrations`, by a session of its own.
///
/// Found under the search path that Prisma would have, and from then on always named with its schema: a script may change the
/// search path of its own session as it likes.
package final class HistoryTable {
  package let session: Session
  /// Where the table is, or would be made.
  private(set) var schema: String
  private(set) var exists = false
  /// The schema that the connection names.
  private let wanted: String?

  /// Looks for the table.
  ///
  /// - Parameter schema: Prisma's `?schema=`; nil: the role's own search path.
  package init(_ session: Session, schema: String?) throws(Failure) {
    self.session = session
    // Times are read as text, whatever the role is used to.
    try session.query("SET DateStyle = 'ISO'")
    try session.query("SET TimeZone = 'UTC'")
    // A policy runs its owner's code: what it would hide is not read at all.
    try session.query("SET row_security = off")
    // What the journal says about a row is so, also after a crash of the server.
    try session.query(Session.durableCommits(local: false))
    wanted = schema
    self.schema = schema ?? "public"
    try look()
  }

  /// Looks for the table as long as it is not there: another deployer may have made it meanwhile.
  func look() throws(Failure) {
    guard !exists else { return }
    let seen = try session.underOwnSearchPath(wanted) { () throws(Failure) in
      try session.query(
        "SELECT pg_catalog.current_schema(), pg_catalog.to_regclass('_prisma_migrations')::pg_catalog.oid")
    }.first
    schema = wanted ?? (seen?.first ?? nil) ?? "public"
    // A search path passes over a schema that the role may not use. A history in it must not look like none.
    let found = try session.query(
      """
      SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = '_prisma_migrations' AND c.relkind = 'r' AND (n.nspname = $1 OR c.oid = $2::pg_catalog.oid)
      ORDER BY n.nspname = $1 DESC
      """, [schema, seen?.last ?? nil])
    guard let row = found.first else { return }
    schema = try Row(row).text(0)
    exists = true
  }

  var name: String { "\(quoteIdentifier(schema)).\"_prisma_migrations\"" }

  /// Whether the database had a history when the table was last looked for, or read.
  package var isThere: Bool { exists }

  /// The transactions that wrote some rows last, as xmin has them: a migration that ran as one transaction counted itself in the same.
  package func writers(of ids: [String], isPatient: Bool = false) throws(Failure) -> [String] {
    guard exists, !ids.isEmpty else { return [] }
    let list = ids.map(quoteLiteral).joined(separator: ", ")
    return try reading(isPatient: isPatient) { () throws(Failure) in
      try session.query("SELECT DISTINCT xmin FROM ONLY \(name) WHERE id IN (\(list))").compactMap { $0.first ?? nil }
    }
  }

  // MARK: Making it

  /// Makes the table as Prisma makes it; nothing when it is there.
  package func create() throws(Failure) {
    try look()
    guard !exists else { return }
    // IF NOT EXISTS would ask for the right to make schemas even where nothing has to be made.
    if try session.query("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", [schema]).isEmpty {
      try session.query("CREATE SCHEMA \(quoteIdentifier(schema))")
    }
    try session.query(
      """
      CREATE TABLE \(name) (
          id                      VARCHAR(36) PRIMARY KEY NOT NULL,
          checksum                VARCHAR(64) NOT NULL,
          finished_at             TIMESTAMPTZ,
          migration_name          VARCHAR(255) NOT NULL,
          logs                    TEXT,
          rolled_back_at          TIMESTAMPTZ,
          started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
          applied_steps_count     INTEGER NOT NULL DEFAULT 0
      )
      """)
    exists = true
  }

  /// Prisma refuses to begin a history in a schema that has tables already.
  ///
  /// - Throws: `P3005`.
  package func refuseUnmanaged() throws(Failure) {
    try look()
    guard !exists else { return }
    let tables = try session.query(
      """
      SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND n.nspname = $1
        AND c.relname !~* '^(spatial_ref_sys|geometry_columns|geography_columns|raster_columns|raster_overviews)$'
      ORDER BY 1
      """, [schema])
    guard let first = tables.first?.first ?? nil else { return }
    throw Failure(
      "P3005", exit: .failed, what: "history of \(session.target.database)",
      why: "the schema \(schema) is not empty (\(first) is in it) and has no migration history",
      nextStep: "if the database already has what the first migrations make, name the last of them: "
        + "holdfast baseline --to NAME")
  }

  // MARK: Rows

  /// Which transaction wrote each row, by the row's id.
  func writers() throws(Failure) -> [String: String] {
    let rows = try reading { () throws(Failure) in
      try session.query("SELECT id, xmin FROM ONLY \(name)").map { ($0.first ?? nil, $0.last ?? nil) }
    }
    return Dictionary(rows.compactMap { id, writer in id.flatMap { id in writer.map { (id, $0) } } }) { first, _ in
      first
    }
  }

  /// Removes rows; and the table, where none is left and it is ours to drop. Within a transaction of the caller's.
  func remove(_ ids: [String]) throws(Failure) {
    try writing { () throws(Failure) in
      for id in ids { try session.query("DELETE FROM ONLY \(name) WHERE id = $1", [id]) }
    }
    guard try session.query("SELECT 1 FROM ONLY \(name) LIMIT 1").isEmpty else { return }
    try session.query("SAVEPOINT dropping")
    // Another role's table, or one that a view reads, stays, and is empty.
    if case .failure = session.attempt("DROP TABLE \(name)", []) {
      try session.query("ROLLBACK TO dropping")
    } else {
      exists = false
    }
  }

  /// Notes that a migration begins.
  ///
  /// - Returns: the row's id.
  package func begin(_ name: String, checksum: String) throws(Failure) -> String {
    let id = UUID().uuidString.lowercased()
    // Nothing of the migration has run yet.
    try writing(isPatient: false) { () throws(Failure) in
      try session.query(
        """
        INSERT INTO \(self.name) (id, checksum, started_at, migration_name)
        VALUES ($1, $2, pg_catalog.clock_timestamp(), $3)
        """, [id, checksum, name])
    }
    return id
  }

  /// Counts the script as done. Sent in one message with the script, so that both are there or neither: after a crash the count tells
  /// what became of it. A script may have changed the session's role, and its search path is anybody's.
  package func countStep(_ id: String) throws(Failure) -> String {
    """
    ;RESET SESSION AUTHORIZATION;RESET ROLE;
    \(try guarded());
    \(counting(id))
    """
  }

  /// Counts a script that has run.
  package func count(_ id: String) throws(Failure) {
    try writing { () throws(Failure) in try session.query(counting(id)) }
  }

  private func counting(_ id: String) -> String {
    """
    UPDATE ONLY \(name) SET applied_steps_count = applied_steps_count OPERATOR(pg_catalog.+) 1
    WHERE id OPERATOR(pg_catalog.=) \(quoteLiteral(id))
    """
  }

  package func finish(_ id: String) throws(Failure) {
    try writing { () throws(Failure) in
      try session.query("UPDATE ONLY \(name) SET finished_at = pg_catalog.clock_timestamp() WHERE id = $1", [id])
    }
  }

  package func fail(_ id: String, logs: String) throws(Failure) {
    try writing { () throws(Failure) in
      try session.query("UPDATE ONLY \(name) SET logs = $2 WHERE id = $1", [id, logs])
    }
  }

  /// Marks the failed rows of a migration as rolled back.
  package func rollBackFailed(_ name: String) throws(Failure) {
    try writing { () throws(Failure) in
      try session.query(
        """
        UPDATE ONLY \(self.name) SET rolled_back_at = pg_catalog.clock_timestamp()
        WHERE migration_name = $1 AND finished_at IS NULL AND rolled_back_at IS NULL
        """, [name])
    }
  }

  /// The row of an undone migration, as `migrate resolve --rolled-back` would leave it: with a finish it could not be resolved as
  /// applied any more. What it was stands in its logs.
  package func insertRolledBack(_ row: HistoryRow, by rollback: String) throws(Failure) {
    let was = "rolled back by holdfast \(rollback); began \(row.startedAt), finished \(row.finishedAt ?? "never")"
    try writing { () throws(Failure) in
      try session.query(
        """
        INSERT INTO \(name) (id, checksum, logs, started_at, rolled_back_at, migration_name, applied_steps_count)
        VALUES ($1, $2, $3, $4::timestamptz, coalesce($5::timestamptz, pg_catalog.clock_timestamp()), $6, 0)
        """,
        [
          row.id, row.checksum, [was, row.logs].compactMap { $0 }.joined(separator: "\n"), row.startedAt,
          row.rolledBackAt.map { $0 + " UTC" }, row.name,
        ])
    }
  }

  /// The row that `migrate resolve --applied` leaves.
  package func insertApplied(_ name: String, checksum: String) throws(Failure) {
    try writing { () throws(Failure) in
      try session.query(
        """
        INSERT INTO \(self.name) (id, checksum, logs, started_at, finished_at, migration_name)
        SELECT $1, $2, '', t, t, $3 FROM (SELECT pg_catalog.clock_timestamp() AS t) AS moment
        """, [UUID().uuidString.lowercased(), checksum, name])
    }
  }
}
