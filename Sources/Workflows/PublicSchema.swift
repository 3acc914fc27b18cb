import BackupModel
import PostgresTools

/// The schema `public` of a new database, made what the dump takes it for.
///
/// pg_dump 15 and newer says how its privileges differ from those in a database of 15, where PUBLIC may create nothing in it; in
/// one of an older server PUBLIC may, and the dump would leave it so.
struct PublicSchema {
  private let differs: Bool

  init(dumpedBy client: Int, server: Int) {
    let first = PostgreSQLMajor.firstWithClosedPublic
    differs = client >= first && server < first
  }

  /// Only a superuser can; what another role leaves open is found by the proof.
  func prepare(_ session: Session) {
    if differs { _ = session.attempt("REVOKE CREATE ON SCHEMA public FROM PUBLIC") }
  }
}
