import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import PostgresTools

/// A snapshot kept as a database too, so that a rollback is a rename. Until then nobody can connect to it, so that it stays what it was.
struct StandbyDatabase {
  let target: ConnectionTarget
  let maintenance: Session
  let surroundings: Surroundings

  private var swap: DatabaseSwap { DatabaseSwap(session: maintenance, cancellation: surroundings.cancellation) }

  // MARK: Making

  func freeName(for deploy: String) throws(Failure) -> String {
    try swap.freeName(target.database, "__standby_\(deploy.suffix(6))")
  }

  /// Restores the snapshot, and proves it like every restore.
  ///
  /// - Throws: after which `discard` has to follow.
  func restore(_ snapshot: Backup, as name: String, tools: ToolSettings) throws(Failure) {
    let facts = try ServerReader(maintenance).facts()
    let toolbox = try surroundings.toolbox(
      forMajor: max(facts.major, snapshot.manifest.dumpMajor), demanded: tools)
    let database = try NewDatabase(
      target.database, temporaryName: name, like: try snapshot.properties(), session: maintenance)
    let work = try RestoreWork(
      backup: snapshot, target: target.database(name), toolbox: toolbox, surroundings: surroundings)
    try work.fillAndProve(.refuses)
    try finish(database)
  }

  /// Has the server copy the live database.
  ///
  /// The server itself keeps new clients waiting while it copies: they are let in afterwards, and nothing has to be opened again after a
  /// crash. Those that are connected are ended.
  /// - Parameter live: the one session on the live database that stays.
  /// - Returns: `pg_current_snapshot` of the moment that the copy holds.
  /// - Throws: `clone_failed`, after which `discard` has to follow.
  func clone(_ snapshot: Backup, as name: String, by live: Session) throws(Failure) -> String {
    // Taken before: what is written until the server has closed the door counts as lost, though the copy has it.
    let moment = try Row(try live.query("SELECT pg_catalog.pg_current_snapshot()").first).text(0)
    let other = try Connector(cancellation: Cancellation(), log: surroundings.log)
      .maintenanceSession(of: target, renames: true)
    let (database, _) = try surroundings.phase("clone", summary: { _ in "copied by the server" }) {
      () throws(Failure) in
      let ending = SessionEnding(
        of: target.database, sparing: live.process, by: other, surroundings.cancellation)
      defer { ending.stop() }
      return try NewDatabase(
        target.database, temporaryName: name, cloning: live, like: try snapshot.properties(),
        session: maintenance)
    }
    try finish(database)
    return moment
  }

  private func finish(_ database: NewDatabase) throws(Failure) {
    try surroundings.cancellation.check()
    try visit(database.temporaryName)
    try seal(database)
  }

  /// Gives a restored database its properties, and closes it: until it is opened nobody can change what was proven.
  func seal(_ database: NewDatabase) throws(Failure) {
    let name = database.temporaryName
    try maintenance.query("BEGIN")
    try database.giveProperties()
    try close(name)
    try maintenance.query("COMMIT")
    // Our own sessions have to be over, and counted.
    for _ in 0..<100 where try !swap.isDeserted(name) { usleep(20_000) }
  }

  /// A copy that nobody was ever in would look the same after the server has lost its statistics.
  private func visit(_ name: String) throws(Failure) {
    try open(name)
    _ = try surroundings.connector.connect(target.database(name), purpose: "standby")
  }

  /// Drops what was made of one, whole or not.
  func discard(_ name: String) throws(Failure) {
    _ = maintenance.attempt("ROLLBACK")
    try NewDatabase.endMaking(of: name, session: maintenance)
    try NewDatabase.drop(name, session: maintenance)
  }

  // MARK: Using

  /// What a copy is known by: the database itself with its properties, how many sessions it has ever had, and how long they have
  /// worked. Nil: there is none, or its door is open.
  ///
  /// After a crash of the server the sessions are forgotten; then the copy is as good as touched, and the backup serves.
  func identity(_ name: String) throws(Failure) -> String? {
    let rows = try maintenance.query(
      """
      SELECT d.oid || ' ' || pg_catalog.pg_stat_get_db_sessions(d.oid) || ' ' || pg_catalog.pg_stat_get_db_active_time(d.oid)
        || ' ' || pg_catalog.md5(ROW(d.datdba, d.datacl, d.datconnlimit, d.datistemplate, d.dattablespace,
          pg_catalog.shobj_description(d.oid, 'pg_database'),
          ARRAY(SELECT s.setrole || s.setconfig::text FROM pg_catalog.pg_db_role_setting s
            WHERE s.setdatabase = d.oid ORDER BY 1))::text)
      FROM pg_catalog.pg_database d WHERE d.datname = $1 AND NOT d.datallowconn
      """, [name])
    return rows.first?.first ?? nil
  }

  /// Whether it is the one that was made, and nobody has been in it since.
  func isUntouched(_ copy: DeployRecord.StandbyCopy) throws(Failure) -> Bool {
    guard let found = try identity(copy.name) else { return false }
    return found == copy.identity
  }

  func open(_ name: String) throws(Failure) { try swap.openFence(name) }

  func close(_ name: String) throws(Failure) {
    try maintenance.query("ALTER DATABASE \(quoteIdentifier(name)) ALLOW_CONNECTIONS false")
  }

  /// Drops those of other deploys: a newer snapshot makes them stale. One that somebody has opened may be used, and stays.
  ///
  /// - Returns: their names.
  func discardStale(of records: [DeployRecord]) throws(Failure) -> [String] {
    var dropped: [String] = []
    for record in records {
      guard let copy = record.copy, record.isOwn(copy.name, [.standby]), record.database == target.database,
        try isUntouched(copy)
      else { continue }
      try NewDatabase.drop(copy.name, session: maintenance)
      dropped.append(copy.name)
    }
    return dropped
  }
}

/// Ends the sessions on a database over and over: those that come in until the server lets nobody in any more.
private final class SessionEnding {
  private let timer: any DispatchSourceTimer
  private let queue = DispatchQueue(label: "session ending")

  /// - Parameters:
  ///   - session: on another database; used by nobody else until `stop`.
  ///   - process: the server's process of the one session that stays. What it does is broken off when the run is stopped.
  init(of name: String, sparing process: Int, by session: Session, _ cancellation: Cancellation) {
    timer = DispatchSource.makeTimerSource(queue: queue)
    timer.schedule(deadline: .now(), repeating: .milliseconds(50))
    timer.setEventHandler { @Sendable in
      if cancellation.signal != nil { _ = session.attempt("SELECT pg_catalog.pg_cancel_backend(\(process))") }
      // Sessions that this role may not end are named by the failure of the copy.
      _ = session.attempt(
        """
        SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
        WHERE datname = $1 AND pid <> \(process) AND \(DatabaseSwap.isClient)
        """, [name])
    }
    timer.resume()
  }

  /// Returns once nothing is under way.
  func stop() {
    timer.cancel()
    queue.sync {}
  }
}
