import BackupModel

/// What the items of a dump say, collected without any of the scanner's code.
struct NaiveContents {
  private var tables: [TableDigest] = []
  private var rows: [[[UInt8]]] = []
  private var sequences: [[UInt8]] = []
  private var statements: [String] = []
  /// The last thing that said anything was the end comment.
  private(set) var isWhole = false

  /// Rows of one table that stand in several blocks are one table's.
  var content: Reading.Content {
    let whole = tables.indices.map { index in
      var table = tables[index]
      (table.rows, table.digest) = (UInt64(rows[index].count), naiveDigest(rows[index]))
      return table
    }
    return Reading.Content(
      tables: whole.sorted { ($0.schema, $0.name) < ($1.schema, $1.name) },
      sequences: CountedDigest(count: UInt64(sequences.count), digest: naiveDigest(sequences)), statements: statements)
  }

  private var current = 0

  /// - Returns: the code of the refusal, when the dump has to be refused for it.
  mutating func take(_ item: NaiveDump.Item) -> String? {
    switch item {
    case .comment(let line):
      isWhole = isWhole || line.elementsEqual(" PostgreSQL database dump complete".utf8)
      return nil
    case .metaCommand(let line):
      let command = String(decoding: line, as: UTF8.self)
      let guarding = byScalar(/\\(un)?restrict [A-Za-z0-9]{1,68}/)
      return command.wholeMatch(of: guarding) == nil ? "foreign_meta_command" : nil
    case .copy(let statement):
      isWhole = false
      return open(statement) ? nil : "unreadable_dump"
    case .rows(let block):
      rows[current] += block.rows
      return nil
    case .statement(let bytes):
      isWhole = false
      return take(statement: bytes)
    }
  }

  private mutating func take(statement bytes: [UInt8]) -> String? {
    let statement = String(decoding: bytes, as: UTF8.self)
    if statement.hasPrefix("INSERT INTO ") { return "insert_mode_dump" }
    if statement.hasPrefix("SELECT pg_catalog.setval(") {
      sequences.append(bytes)
    } else if !Self.isOfTheSession(statement) {
      statements.append(statement)
    }
    return nil
  }

  private static func isOfTheSession(_ statement: String) -> Bool {
    statement.hasPrefix("SET ") || statement.hasPrefix("SELECT pg_catalog.set_config(")
      || ["BEGIN", "COMMIT"].contains(statement)
  }

  // MARK: COPY

  private mutating func open(_ statement: [UInt8]) -> Bool {
    let name = #"("(?:[^"]|"")*"|[\w$]+)"#
    let list = #" \((\#(name)(?:, \#(name))*)?\)"#
    guard let pattern = try? Regex(#"COPY \#(name)\.\#(name)(?:\#(list)| ?) FROM stdin"#),
      let found = String(decoding: statement, as: UTF8.self).wholeMatch(of: byScalar(pattern)),
      let schema = found.output[1].substring, let table = found.output[2].substring, let each = try? Regex(name)
    else { return false }
    let columns = (found.output[3].substring ?? "").matches(of: byScalar(each)).map {
      Self.unquoted($0.output[0].substring ?? "")
    }
    let opened = TableDigest(
      schema: Self.unquoted(schema), name: Self.unquoted(table), rows: 0, digest: "", columns: columns)
    if let known = tables.firstIndex(where: { ($0.schema, $0.name) == (opened.schema, opened.name) }) {
      current = known
    } else {
      current = tables.count
      tables.append(opened)
      rows.append([])
    }
    return true
  }

  private static func unquoted(_ name: Substring) -> String {
    guard name.utf8.first == UInt8(ascii: "\"") else { return String(name) }
    let inside = Array(name.utf8.dropFirst().dropLast())
    return String(decoding: inside.replacing(Array("\"\"".utf8), with: Array("\"".utf8)), as: UTF8.self)
  }
}
