/// When a restore runs a statement of a dump.
package enum RestorePhase: Sendable, Equatable {
  /// At once: it sets up the session.
  case session
  /// Around the content of a large object.
  case transaction
  /// At once: a setting that decides how the tables and indexes that follow are made.
  case context(name: String)
  /// The rows of a table follow.
  case rows(CopyTarget)
  case main
  /// At once, in a transaction of the dump's own: the content of a large object.
  case largeObject
  /// A sequence's position: at once, and again when materialized views are filled, whose queries may advance it.
  case sequence
  /// A materialized view is filled after everything that its query may read.
  case refresh
  /// At the very end: it would see the restore's own statements.
  case eventTrigger

  /// - Parameter statement: without its semicolon.
  package init(_ statement: [UInt8]) {
    switch DumpStatement(statement) {
    case .session:
      self = statement.starts(with: "SET ".utf8) || statement.starts(with: "SELECT ".utf8) ? .session : .transaction
    case .context(let name, _): self = .context(name: name)
    case .copy(let target): self = .rows(target)
    case .sequence: self = .sequence
    case .largeObject: self = .largeObject
    case .unreadableCopy, .insert: self = .main
    case .schema: self = Self.schema(statement)
    }
  }

  private static func schema(_ statement: [UInt8]) -> RestorePhase {
    // As SET SESSION AUTHORIZATION, which begins the privileges that another role has given.
    if statement.starts(with: "RESET ".utf8) { return .session }
    if statement.starts(with: "REFRESH MATERIALIZED VIEW ".utf8) { return .refresh }
    let begins = ["CREATE EVENT TRIGGER ", "ALTER EVENT TRIGGER ", "COMMENT ON EVENT TRIGGER "]
    if begins.contains(where: { statement.starts(with: $0.utf8) }) { return .eventTrigger }
    let label = String(decoding: statement.prefix(200), as: UTF8.self)
    return label.prefixMatch(of: #/SECURITY LABEL FOR \S+ ON EVENT TRIGGER /#) == nil ? .main : .eventTrigger
  }
}
