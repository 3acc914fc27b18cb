import Diagnostics
import Foundation
import PostgresTools

/// Whether the recovery of a standby has ended what we did there. The server counts that, whatever language it speaks.
struct RecoveryConflicts {
  static let code = "recovery_conflict"

  private let source: BackupSource
  private let surroundings: Surroundings
  /// Nil: the server is no standby.
  private let before: Int?

  init(_ source: BackupSource, _ surroundings: Surroundings) throws(Failure) {
    self.source = source
    self.surroundings = surroundings
    before = source.facts.standby ? try Self.count(source.session) : nil
  }

  /// The failure, or what has caused it.
  func explained(_ failure: Failure) throws(Failure) -> Failure {
    guard let before else { return failure }
    try surroundings.cancellation.check()
    // Counted at the end of the session that was ended.
    usleep(500_000)
    do throws(Failure) {
      let session = try surroundings.connector.connect(source.target, purpose: "backup")
      guard try Self.count(session) > before else { return failure }
    } catch {
      try surroundings.cancellation.check()
      return failure
    }
    return Failure(
      Self.code, exit: .failed, what: "backup of \(source.target.database)",
      why: "the standby's recovery has ended the dump, which stood in its way",
      nextStep:
        "raise max_standby_streaming_delay on the standby, or set hot_standby_feedback = on; or back up the primary",
      details: [failure.why])
  }

  private static func count(_ session: Session) throws(Failure) -> Int {
    let rows = try session.query(
      """
      SELECT pg_catalog.pg_stat_get_db_conflict_all(oid) FROM pg_catalog.pg_database
      WHERE datname = pg_catalog.current_database()
      """)
    return Int(try Row(rows.first).text(0)) ?? 0
  }
}
