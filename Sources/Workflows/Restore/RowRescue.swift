import BackupModel
import Diagnostics
import PostgresTools
import StreamPipeline

/// Loads the rows of tables whose first load has failed: under the search paths that the database's own sessions have, and at last without
/// the checks that the rows break.
struct RowRescue {
  /// For the checks that are taken away.
  let session: Session
  let paths: SearchPaths
  let isTolerant: Bool

  /// Rows that are loaded at once. Those of some partitions come in several pieces of their root's.
  struct Piece: Sendable, Equatable {
    var table: CopyTarget
    /// Its place among all pieces of the dump.
    var place: Int
  }

  /// Loads a piece in a transaction of its own, under a search path.
  typealias Load = (Piece, _ path: String) throws(Failure) -> Void

  /// - Returns: the pieces that still fail, with the first error of each.
  /// - Throws: what is no error of a statement.
  func retry(_ pieces: [Piece], _ load: Load) throws(Failure) -> [(piece: Piece, failure: Failure)] {
    var failed: [(piece: Piece, failure: Failure)] = []
    for piece in pieces { if let failure = try outcome(piece, load) { failed.append((piece, failure)) } }
    for path in paths.candidates where !failed.isEmpty && path != paths.own {
      var left: [(piece: Piece, failure: Failure)] = []
      for one in failed where try outcome(one.piece, load, under: path) != nil { left.append(one) }
      failed = left
    }
    return failed
  }

  /// Loads the rows without the checks that they break, and adds those again without a look at the rows. Rows that fail for another reason
  /// (a generated column's function has changed, or a partition key's) are left out.
  ///
  /// - Throws: the first error, unless a restore goes on with what there is.
  func relax(
    _ failed: [(piece: Piece, failure: Failure)], _ load: Load
  ) throws(Failure) -> [Shortfall] {
    guard let first = failed.first else { return [] }
    guard isTolerant else { throw first.failure.ofUnrestorableObject }
    var shortfalls: [Shortfall] = []
    for one in failed { shortfalls += try relax(one.piece, one.failure, load) }
    return shortfalls
  }

  private func relax(_ piece: Piece, _ first: Failure, _ load: Load) throws(Failure) -> [Shortfall] {
    var (failure, checks): (Failure, [BrokenCheck]) = (first, [])
    var lost: [Shortfall] = []
    while true {
      let broken = try BrokenCheck.all(failure, session)
      guard !broken.isEmpty else {
        lost = [
          Shortfall(
            statement: piece.table.copyStatement, replacements: [], why: failure.reason, table: piece.table,
            sqlState: failure.server?.sqlState)
        ]
        break
      }
      var isDropped = true
      for check in broken where isDropped {
        if case .success = session.attempt(check.drop) { checks.append(check) } else { isDropped = false }
      }
      // Not every server lets go of what a table has from its parent.
      guard isDropped else {
        lost = [
          Shortfall(
            statement: piece.table.copyStatement, replacements: [], why: failure.reason, table: piece.table,
            sqlState: failure.server?.sqlState)
        ]
        break
      }
      guard let next = try outcome(piece, load) else { break }
      failure = next
    }
    // One that a child has by itself before that of its parent, which takes it in.
    for check in checks.reversed() { for statement in check.addAgain { try session.query(statement) } }
    return lost
      + checks.map { check in
        Shortfall(
          statement: Array(check.definition.utf8), replacements: ([check.drop] + check.addAgain).map { Array($0.utf8) },
          why: check.why)
      }
  }

  private func outcome(_ piece: Piece, _ load: Load, under path: String? = nil) throws(Failure) -> Failure? {
    do throws(Failure) {
      try load(piece, path ?? paths.own)
      return nil
    } catch {
      guard error.isOfStatement else { throw error }
      return error
    }
  }
}

extension CopyTarget {
  /// As a dump has it.
  fileprivate var copyStatement: [UInt8] { Array("COPY ".utf8) + source + Array(" FROM stdin".utf8) }
}

/// A check that rows of a backup break: it was added without a look at them, or its function has changed since.
private struct BrokenCheck {
  /// `ALTER TABLE t DROP CONSTRAINT c`
  let drop: String
  /// As it was.
  let definition: String
  /// The same check, NOT VALID, with its comment; nothing for a NOT NULL that a table has only from its parent.
  let addAgain: [String]
  let why: String

  /// - Returns: none for an error that is not about such a check; several where a table has it from several others.
  static func all(_ failure: Failure, _ session: Session) throws(Failure) -> [BrokenCheck] {
    switch failure.server?.sqlState {
    case "23514": return try constraints(failure, session)
    case "23502": return try notNull(failure, session)
    default: return []
    }
  }

  private static func constraints(_ failure: Failure, _ session: Session) throws(Failure) -> [BrokenCheck] {
    guard let report = failure.server, let constraint = report.constraint else { return [] }
    let rows: [[String?]]
    if let type = report.dataType {
      // It may be one of a domain below.
      rows = try session.query(
        """
        WITH RECURSIVE down (id) AS (
          SELECT t.oid FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
          WHERE t.typname = $2 AND n.nspname = $3
          UNION SELECT t.typbasetype FROM pg_catalog.pg_type t JOIN down ON down.id = t.oid WHERE t.typtype = 'd')
        SELECT pg_catalog.format('DOMAIN %I.%I', n.nspname, t.typname), pg_catalog.pg_get_constraintdef(c.oid),
          pg_catalog.obj_description(c.oid, 'pg_constraint')
        FROM down JOIN pg_catalog.pg_constraint c ON c.contypid = down.id AND c.conname = $1
        JOIN pg_catalog.pg_type t ON t.oid = c.contypid JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
        """, [constraint, type, report.schema])
    } else {
      // An inherited one is dropped where it was made.
      rows = try session.query(
        """
        WITH RECURSIVE up (id) AS (
          SELECT r.oid FROM pg_catalog.pg_class r JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
          WHERE r.relname = $2 AND n.nspname = $3
          UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN up ON up.id = i.inhrelid)
        SELECT pg_catalog.format('TABLE %I.%I', n.nspname, r.relname), pg_catalog.pg_get_constraintdef(c.oid),
          pg_catalog.obj_description(c.oid, 'pg_constraint')
        FROM up JOIN pg_catalog.pg_constraint c ON c.conrelid = up.id AND c.conname = $1 AND c.coninhcount = 0
        JOIN pg_catalog.pg_class r ON r.oid = up.id JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
        """, [constraint, report.table, report.schema])
    }
    return rows.compactMap { row in
      guard let subject = row[0], let definition = row[1] else { return nil }
      return BrokenCheck(constraint, on: subject, definition, comment: row[2], why: failure.why)
    }
  }

  private init(_ constraint: String, on subject: String, _ definition: String, comment: String?, why: String) {
    let name = quoteIdentifier(constraint)
    drop = "ALTER \(subject) DROP CONSTRAINT \(name)"
    self.definition = "ALTER \(subject) ADD CONSTRAINT \(name) \(definition)"
    // It may have been so already: rows that are loaded are looked at all the same.
    let ending = definition.hasSuffix(" NOT VALID") ? "" : " NOT VALID"
    let target = subject.hasPrefix("DOMAIN ") ? subject : String(subject.dropFirst("TABLE ".count))
    addAgain =
      [self.definition + ending]
      + (comment.map { ["COMMENT ON CONSTRAINT \(name) ON \(target) IS \(quoteLiteral($0))"] } ?? [])
    self.why = why
  }

  /// Of a table that has the column from a parent, where the parent alone was made NOT NULL: a dump does not tell them apart.
  private static func notNull(_ failure: Failure, _ session: Session) throws(Failure) -> [BrokenCheck] {
    guard let report = failure.server, let table = report.table, let schema = report.schema, let column = report.column
    else { return [] }
    let inherited = try session.query(
      """
      SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3 AND a.attnotnull AND a.attinhcount > 0
        AND NOT c.relispartition
      """, [schema, table, column])
    guard !inherited.isEmpty else { return [] }
    let subject =
      "ALTER TABLE ONLY \(quoteIdentifier(schema)).\(quoteIdentifier(table)) ALTER COLUMN \(quoteIdentifier(column))"
    return [BrokenCheck(notNullOf: subject, why: failure.why)]
  }

  private init(notNullOf column: String, why: String) {
    drop = "\(column) DROP NOT NULL"
    definition = "\(column) SET NOT NULL"
    addAgain = []
    self.why = why
  }
}
