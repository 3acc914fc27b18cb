import BackupModel
import Diagnostics
import PostgresTools

/// Locks on a database itself, which keep everybody from renaming, changing or dropping it. Any role may take one for as long as it likes, from
/// any database: `ALTER ROLE me IN DATABASE app SET …` in a transaction that stays open.
enum DatabaseLocks {
  static func holders(of name: String) -> LockHolders {
    LockHolders(
      where: """
        l.locktype = 'object' AND l.granted AND l.classid = 'pg_catalog.pg_database'::pg_catalog.regclass
          AND l.objid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = $1)
        """, of: name)
  }

  /// Runs what needs the databases for itself. When a lock keeps it from its end, the sessions of strangers that have one are ended, and it
  /// is run once more.
  ///
  /// - Parameter body: after a failure everything is as before, and no transaction is open.
  static func attempt<Value>(
    on names: [String], _ session: Session, _ body: () -> Result<Value, ServerError>
  ) -> Result<Value, ServerError> {
    for _ in 0..<3 {
      let outcome = body()
      guard case .failure(let error) = outcome, error.sqlState == "55P03", endStrangers(on: names, session) else {
        return outcome
      }
    }
    return body()
  }

  /// - Returns: whether there were any.
  static func endStrangers(on names: [String], _ session: Session) -> Bool {
    var ended = false
    for name in names {
      do throws(Failure) {
        for holder in try holders(of: name).endStrangers(session) {
          session.log.warning("ended \(holder.text): it kept \(name) locked and is no run of Holdfast's")
          ended = true
        }
      } catch { session.log.info("who has \(name) locked is not known: \(error.why)") }
    }
    return ended
  }

  /// Runs one of a database's properties' statements. Any role may change its own settings in the database at the same time: what fails for that
  /// is tried again, and such a setting left out in the end. A failure ends the transaction.
  static func give(_ statement: String, to name: String, _ session: Session) throws(Failure) {
    let isInTransaction = session.isInTransaction
    func attempt() throws(Failure) -> ServerError? {
      if isInTransaction { try session.query("SAVEPOINT property") }
      guard case .failure(let error) = session.attempt(statement) else { return nil }
      if isInTransaction { try session.query("ROLLBACK TO SAVEPOINT property") }
      return error
    }
    for number in 1... {
      guard let error = try attempt() else { return }
      // lock_not_available; unique_violation; internal_error: "tuple concurrently updated".
      let isOfAnother = ["55P03", "23505", "XX000"].contains(error.sqlState)
      if isOfAnother, number < 5, error.sqlState != "55P03" || endStrangers(on: [name], session) { continue }
      if isOfAnother, error.sqlState != "55P03", statement.hasPrefix("ALTER ROLE ") {
        return session.log.warning(
          "\(DatabaseProperties.shown(statement)): left out, since it was changed meanwhile (\(error.message))")
      }
      // It ends here: as long as it is open, its locks keep the database from being dropped.
      if isInTransaction { _ = session.attempt("ROLLBACK") }
      var failure = error.failure
      failure.details.append("while running: \(DatabaseProperties.shown(statement))")
      throw failure
    }
  }
}
