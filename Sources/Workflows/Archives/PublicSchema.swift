import BackupModel
import Diagnostics
import PostgresTools

/// The schema `public` of a new database, made what the dump takes it for.
///
/// pg_dump 15 and newer says how its privileges differ from those in a database of 15, where PUBLIC may create nothing in it; in
/// one of an older server PUBLIC may, and the dump would leave it so.
///
/// A database that has none is dumped as one that has it.
struct PublicSchema {
  private let differs: Bool
  private let isAbsent: Bool

  /// - Parameter isAbsent: the database that was dumped has none.
  init(dumpedBy client: Int, server: Int, isAbsent: Bool) {
    let first = PostgreSQLMajor.firstWithClosedPublic
    differs = client >= first && server < first
    self.isAbsent = isAbsent
  }

  /// Only a superuser can revoke; what another role leaves open is found by the proof.
  func prepare(_ session: Session, _ log: Log) {
    guard !isAbsent else {
      guard case .failure(let error) = session.attempt("DROP SCHEMA public") else { return }
      return log.warning("there was no schema public, and the new one stays: \(error.message)")
    }
    if differs { _ = session.attempt("REVOKE CREATE ON SCHEMA public FROM PUBLIC") }
  }
}
