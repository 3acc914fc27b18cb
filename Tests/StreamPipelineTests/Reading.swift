import BackupModel
import Diagnostics
import StreamPipeline

/// What a reader made of a dump.
enum Reading: Equatable {
  case refused(String)
  case read(Content)

  struct Content: Equatable {
    var tables: [TableDigest] = []
    var sequences = CountedDigest(count: 0, digest: naiveDigest([]))
    var statements: [String] = []
  }

  /// By the scanner, piece by piece.
  init(scanning pieces: [ArraySlice<UInt8>]) {
    let scanner = DumpScanner(keepStatements: true)
    do {
      for piece in pieces { try piece.withUnsafeBytes { try scanner.scan($0) } }
      let digest = try scanner.finish()
      // The naive reader does not look at the columns.
      let tables = digest.tables.map {
        TableDigest(schema: $0.schema, name: $0.name, rows: $0.rows, digest: $0.digest, columns: [])
      }
      self = .read(Content(tables: tables, sequences: digest.sequences, statements: scanner.statements))
    } catch {
      self = .refused((error as? Failure)?.code ?? "\(error)")
    }
  }

  /// By the naive reader.
  init(naively text: [UInt8]) {
    let dump = NaiveDump(text)
    var content = Content()
    var sequences: [[UInt8]] = []
    var table = (schema: "", name: "")
    var isWhole = false
    for item in dump.items {
      if case .comment = item {} else if case .metaCommand = item {} else { isWhole = false }
      switch item {
      case .comment(let line): isWhole = isWhole || line.elementsEqual(" PostgreSQL database dump complete".utf8)
      case .metaCommand(let line):
        guard String(decoding: line, as: UTF8.self).wholeMatch(of: byScalar(/\\(un)?restrict [A-Za-z0-9]{1,68}/)) != nil
        else {
          self = .refused("foreign_meta_command")
          return
        }
      case .copy(let statement):
        guard let name = Self.name(statement) else {
          self = .refused("unreadable_dump")
          return
        }
        table = name
      case .rows(let rows):
        content.tables.append(
          TableDigest(
            schema: table.schema, name: table.name, rows: UInt64(rows.rows.count), digest: rows.digest, columns: []))
      case .statement(let bytes):
        let statement = String(decoding: bytes, as: UTF8.self)
        if statement.hasPrefix("INSERT INTO ") {
          self = .refused("insert_mode_dump")
          return
        }
        if statement.hasPrefix("SELECT pg_catalog.setval(") {
          sequences.append(bytes)
        } else if !Self.isOfTheSession(statement) {
          content.statements.append(statement)
        }
      }
    }
    guard isWhole, dump.endsBetweenStatements else {
      self = .refused("dump_cut_short")
      return
    }
    content.tables.sort { ($0.schema, $0.name) < ($1.schema, $1.name) }
    content.sequences = CountedDigest(count: UInt64(sequences.count), digest: naiveDigest(sequences))
    self = .read(content)
  }

  private static func isOfTheSession(_ statement: String) -> Bool {
    statement.hasPrefix("SET ") || statement.hasPrefix("SELECT pg_catalog.set_config(")
      || ["BEGIN", "COMMIT"].contains(statement)
  }

  private static func name(_ copy: [UInt8]) -> (schema: String, name: String)? {
    let pattern = /COPY ("(?:[^"]|"")*"|[\w$]+)\.("(?:[^"]|"")*"|[\w$]+)[\s\S]*/
    guard let match = String(decoding: copy, as: UTF8.self).wholeMatch(of: byScalar(pattern)) else { return nil }
    return (unquoted(match.1), unquoted(match.2))
  }

  private static func unquoted(_ name: Substring) -> String {
    guard name.utf8.first == UInt8(ascii: "\"") else { return String(name) }
    let inside = Array(name.utf8.dropFirst().dropLast())
    return String(decoding: inside.replacing(Array("\"\"".utf8), with: Array("\"".utf8)), as: UTF8.self)
  }
}

/// A body between the comments that every dump begins and ends with.
func dump(_ body: String) -> [UInt8] {
  Array(
    """
    --
    -- PostgreSQL database dump
    --

    \\restrict Zo5Y

    SET client_encoding = 'UTF8';
    SELECT pg_catalog.set_config('search_path', '', false);

    \(body)

    --
    -- PostgreSQL database dump complete
    --

    \\unrestrict Zo5Y

    """.utf8)
}
