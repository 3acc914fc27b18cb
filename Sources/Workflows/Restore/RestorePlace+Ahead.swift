import Diagnostics
import PostgresTools

/// What comes at the end of a dump, and what stands before it may need: the dump does not say so.
extension RestorePlace {
  /// insufficient_privilege: a table goes to an owner who may create in the schema by a grant alone; a function behind a check or an index
  /// reads what its owner was granted.
  private static let lacksPrivilege = "42501"
  /// object_not_in_prerequisite_state: a function behind a check or an index reads a materialized view that is not filled yet.
  private static let lacksRows = "55000"

  /// Gives privileges and fills materialized views ahead, where something failed for want of them. Both are done once more at the end.
  ///
  /// - Parameters:
  ///   - states: of the errors.
  ///   - grants: statements among which those are that give privileges. What is revoked waits, and so does what others have given on.
  ///   - refreshes: of all materialized views.
  /// - Returns: whether anything was done.
  func bringForward(
    for states: Set<String>, _ session: Session, grants: () throws(Failure) -> [[UInt8]],
    refreshes: () throws(Failure) -> [[UInt8]]
  ) throws(Failure) -> Bool {
    if states.contains(Self.lacksPrivilege) {
      let dump = dumpSession(session)
      var isOfOther = false
      for statement in try grants() {
        if statement.starts(with: "SET SESSION AUTHORIZATION ".utf8) { isOfOther = true }
        if statement.starts(with: "RESET SESSION AUTHORIZATION".utf8) { isOfOther = false }
        if !isOfOther, statement.starts(with: "GRANT ".utf8) { _ = try dump.run(statement) }
      }
    }
    if states.contains(Self.lacksRows) {
      _ = try RestoreEnding(pool: pool, builds: builds, surroundings: surroundings).fill(try refreshes())
    }
    return !states.isDisjoint(with: [Self.lacksPrivilege, Self.lacksRows])
  }
}
