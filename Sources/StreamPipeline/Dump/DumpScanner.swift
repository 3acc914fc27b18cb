import BackupModel
import Diagnostics
import Foundation

/// Reads the SQL text of a dump (`pg_dump`, `pg_restore -f -`) and computes every digest from it.
///
/// Pieces may be split at any byte. Rows are never held; of the schema one statement at a time is, and of a long comment its beginning,
/// unless somebody asks for statements.
/// What is left out of the schema's digest, because it differs between two dumps of equal databases: comments, psql's
/// `\restrict` keys, session settings, and two spellings of one array cast (`SchemaStatement`).
package final class DumpScanner {
  private var lexer: StatementLexer
  private var copy: OpenCopy?
  private var largeObjects = LargeObjectCollector()
  private var sequences = MultisetHash()
  private var schema = SchemaCollector()
  private var sawBegin = false
  private var sawStatement = false
  private var sawEnd = false

  /// Names of the roles that own something, as the statements say.
  package var owners: Set<String> { schema.owners }
  /// What the statements make.
  package private(set) var objects = DumpedObjects()
  /// The schema's statements as they were digested; empty unless asked for at `init`.
  package var statements: [SchemaStatement] { schema.statements }
  /// The statements that a dump of the schema alone has, too.
  package var definitions: CountedDigest { CountedDigest(schema.definitions) }
  /// The tables so far, with what their COPY statements say, in the order of the dump.
  package private(set) var copied: [(table: TableDigest, target: CopyTarget)] = []
  /// The order of the values of a table's first rows. pg_dump writes some partitions as rows of their root, each in an order of its own.
  private var columns: [[[UInt8]]: [String]] = [:]
  private let observer: ((DumpEvent) throws(Failure) -> Void)?

  /// - Parameter keepStatements: keep the schema's statements, to show what differs.
  package init(keepStatements: Bool = false) {
    schema.keepStatements = keepStatements
    observer = nil
    lexer = StatementLexer(hashingLongComments: !keepStatements)
  }

  /// Tells everything that passes to `observer`.
  package init(keepStatements: Bool = false, observer: @escaping (DumpEvent) throws(Failure) -> Void) {
    schema.keepStatements = keepStatements
    self.observer = observer
    lexer = StatementLexer()
  }

  /// - Throws: `insert_mode_dump`, `foreign_meta_command`, `unreadable_dump`.
  package func scan(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    var rest = bytes
    while !rest.isEmpty {
      let taken = copy == nil || lexer.isBeforeData ? try scanStatements(rest) : try scanRows(rest)
      rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
    }
  }

  package func scan(_ bytes: [UInt8]) throws(Failure) {
    try bytes.withBytes { (buffer) throws(Failure) in try scan(buffer) }
  }

  /// The digests of everything scanned.
  ///
  /// - Throws: `foreign_beginning`, `dump_cut_short` unless the dump has its beginning and came to its end.
  package func finish() throws(Failure) -> DatabaseDigest {
    guard copy == nil, lexer.isBetweenStatements, sawEnd else {
      throw Failure(
        "dump_cut_short", exit: .dataDamaged, what: "reading the dump",
        why: copy.map { "it ends within the rows of \($0.target.schema).\($0.target.name)" }
          ?? "its last line, \"PostgreSQL database dump complete\", is missing",
        nextStep: "the dump is not whole: take another backup")
    }
    guard sawBegin else {
      throw Failure(
        "foreign_beginning", exit: .dataDamaged, what: "reading the dump",
        why: "something else stands where a dump begins with \"PostgreSQL database dump\"",
        nextStep: "find out what printed it (tools.wrapper?), and take another backup")
    }
    return DatabaseDigest(
      tables: copied.map(\.table), sequences: CountedDigest(sequences),
      largeObjects: CountedDigest(largeObjects.multiset),
      schema: CountedDigest(schema.multiset))
  }

  // MARK: Statements

  private func scanStatements(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> Int {
    let (taken, event) = try lexer.take(bytes)
    switch event {
    case .none: break
    case .comment(let text):
      // Something in front of it has become the beginning of a statement.
      if text == " PostgreSQL database dump", lexer.isBetweenStatements { sawBegin = sawBegin || !sawStatement }
      if text == " PostgreSQL database dump complete" { sawEnd = true }
    case .metaCommand(let line): try check(metaCommand: line)
    case .statement(let text): try take(statement: text)
    case .longComment(let beginning, let hash):
      sawEnd = false
      sawStatement = true
      schema.take(comment: beginning, hash)
    }
    return taken
  }

  /// `\restrict` and `\unrestrict` guard a dump; any other command in it was planted, or the dump is not one database's.
  /// Nothing may follow their keys, and no key is so long that the lexer would have cut the line.
  private func check(metaCommand line: String) throws(Failure) {
    guard line.wholeMatch(of: /\\(un)?restrict [A-Za-z0-9]{1,68}/) != nil else {
      throw Failure(
        "foreign_meta_command", exit: .dataDamaged, what: "reading the dump",
        why: "it has the psql command \(line.prefix(40)), which pg_dump does not write",
        nextStep: "do not run this dump: find out where it came from")
    }
  }

  private func take(statement: [UInt8]) throws(Failure) {
    sawEnd = false
    sawStatement = true
    try observer?(.statement(statement))
    switch DumpStatement(statement) {
    case .copy(let target):
      let first = columns[target.key] ?? target.columns
      columns[target.key] = first
      copy = OpenCopy(
        target: target, columns: first,
        reordered: first == target.columns ? nil : ReorderedRows(from: target.columns, to: first))
      lexer.expectData()
    case .unreadableCopy:
      throw Failure(
        "unreadable_dump", exit: .dataDamaged, what: "reading the dump", why: "a COPY statement names no table",
        nextStep: "take another backup")
    case .insert:
      throw Failure(
        "insert_mode_dump", exit: .dataDamaged, what: "reading the dump",
        why: "its rows are INSERT statements, which cannot be digested",
        nextStep: "dump without --inserts, --column-inserts and --rows-per-insert")
    case .sequence:
      statement.withUnsafeBytes { sequences.insert($0) }
      objects.take(position: statement)
    case .largeObject(let call): try largeObjects.take(call)
    case .session: break
    case .context(let name, let value): schema.context[name] = value
    case .schema:
      schema.take(statement)
      objects.take(schema: statement)
    }
  }

  // MARK: Rows

  private struct OpenCopy {
    let target: CopyTarget
    /// In the order that the digest is of.
    let columns: [String]
    var rows = CopyRows()
    /// Nil where that is the rows' own order.
    var reordered: ReorderedRows?
  }

  private func scanRows(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> Int {
    guard var open = copy else { return 0 }
    copy = nil  // so that `open` is the only reference to its hash state
    let taken = open.rows.take(bytes)
    open.reordered?.take(UnsafeRawBufferPointer(rebasing: bytes[..<taken]))
    if let observer {
      let rows = UnsafeRawBufferPointer(rebasing: bytes[..<taken])
      try observer(.rows(open.target, rows, areLast: open.rows.finished))
    }
    if open.rows.finished {
      let table = TableDigest(
        schema: open.target.schema, name: open.target.name, rows: open.rows.rows,
        digest: open.reordered?.digest ?? open.rows.digest, columns: open.columns)
      copied.append((table, open.target))
    } else {
      copy = open
    }
    return taken
  }
}

/// What a scanner tells of a dump that passes.
package enum DumpEvent {
  /// Without its semicolon.
  case statement([UInt8])
  /// A piece of a table's rows; the last one holds the line that ends them.
  case rows(CopyTarget, UnsafeRawBufferPointer, areLast: Bool)
}

extension MultisetHash {
  /// Adds the hash of some bytes.
  package mutating func insert(_ bytes: UnsafeRawBufferPointer) {
    var hasher = RowHasher()
    if let base = bytes.baseAddress { hasher.append(base, bytes.count) }
    hasher.finishItem()
    merge(hasher.multiset)
  }
}
