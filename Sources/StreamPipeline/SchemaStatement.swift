import BackupModel
import Foundation

/// Digests the statements of a schema, in any order.
struct SchemaCollector {
  var keepStatements = false
  /// Settings that decide where and how the next tables are made.
  var context: [String: String] = [:]
  private(set) var multiset = MultisetHash()
  private(set) var owners: Set<String> = []
  private(set) var statements: [String] = []

  mutating func take(_ statement: [UInt8]) {
    let normal = withInheritedColumnsSorted(withRolesSorted(withArrayCastsPushedDown(statement)))
    if let owner = ownerNamed(by: statement) { owners.insert(owner) }
    if keepStatements { statements.append(String(decoding: normal, as: UTF8.self)) }
    let settings = Array(settingsBehind(normal).map { "\($0)=\(context[$0] ?? "");" }.joined().utf8)
    (settings + normal).withUnsafeBytes { multiset.insert($0) }
  }

  /// The settings that a statement takes its tablespace and access method from. Only those that pg_dump sets anew
  /// before such a statement: for others they are left over from whatever came before.
  private func settingsBehind(_ statement: [UInt8]) -> [String] {
    let tables = ["CREATE TABLE ", "CREATE UNLOGGED TABLE ", "CREATE MATERIALIZED VIEW "]
    let indexes = ["CREATE INDEX ", "CREATE UNIQUE INDEX ", "ALTER TABLE ONLY "]
    if tables.contains(where: { statement.starts(with: $0.utf8) }) {
      return ["default_table_access_method", "default_tablespace"]
    }
    return indexes.contains { statement.starts(with: $0.utf8) } ? ["default_tablespace"] : []
  }

  private func ownerNamed(by statement: [UInt8]) -> String? {
    guard statement.starts(with: "ALTER ".utf8) else { return nil }
    let marker = Array(" OWNER TO ".utf8)
    guard let start = lastRange(of: marker, in: statement) else { return nil }
    var parser = NameParser(statement[(start + marker.count)...])
    // The same words within a quoted text do not end the statement.
    guard let owner = parser.identifier(), parser.isAtEnd else { return nil }
    return owner
  }
}

private func lastRange(of pattern: [UInt8], in bytes: [UInt8]) -> Int? {
  guard bytes.count >= pattern.count else { return nil }
  return (0...(bytes.count - pattern.count)).last { bytes[$0..<($0 + pattern.count)].elementsEqual(pattern) }
}

/// `CREATE TABLE … INHERITS (…)` with its columns in order: a restore puts the inherited ones first.
func withInheritedColumnsSorted(_ statement: [UInt8]) -> [UInt8] {
  guard statement.starts(with: "CREATE ".utf8) else { return statement }
  let text = String(decoding: statement, as: UTF8.self)
  guard let end = text.range(of: "\n)\nINHERITS (", options: .backwards), let start = text.range(of: " (\n"),
    start.upperBound < end.lowerBound
  else { return statement }
  let columns = text[start.upperBound..<end.lowerBound].components(separatedBy: ",\n").sorted()
  return Array((text[..<start.upperBound] + columns.joined(separator: ",\n") + text[end.lowerBound...]).utf8)
}

/// `CREATE POLICY … TO b, a` with its roles in order: they come in the order of their numbers, which differ between servers.
func withRolesSorted(_ statement: [UInt8]) -> [UInt8] {
  guard statement.starts(with: "CREATE POLICY ".utf8) else { return statement }
  var parser = NameParser(statement[...])
  guard let list = parser.rolesAfterTo() else { return statement }
  let sorted = list.names.map(quoteIdentifier).sorted().joined(separator: ", ")
  return Array(statement[..<list.range.lowerBound]) + Array(sorted.utf8) + Array(statement[list.range.upperBound...])
}

/// Writes `(ARRAY[a, b])::text[]` as `ARRAY[(a)::text, (b)::text]`.
///
/// A check like `status IN ('new', 'paid')` on a varchar column is dumped in the first form, and in the second after
/// it was restored once, since the parser moves the cast to the elements. Both mean the same.
func withArrayCastsPushedDown(_ statement: [UInt8]) -> [UInt8] {
  let opening = Array("(ARRAY[".utf8)
  var result: [UInt8] = []
  var index = 0
  while index < statement.count {
    if statement[index] == opening[0], statement[index...].starts(with: opening),
      let cast = ArrayCast(statement, elementsAt: index + opening.count)
    {
      result += cast.pushedDown
      index = cast.end
    } else {
      result.append(statement[index])
      index += 1
    }
  }
  return result
}

/// `(ARRAY[…])::type[]`, from the first element on.
private struct ArrayCast {
  let pushedDown: [UInt8]
  /// Index after the cast.
  let end: Int

  init?(_ bytes: [UInt8], elementsAt start: Int) {
    guard let (elements, close) = Self.elements(bytes, start) else { return nil }
    let marker = Array("])::".utf8)
    guard bytes[close...].starts(with: marker) else { return nil }
    let typeStart = close + marker.count
    guard
      let typeEnd = bytes[typeStart...].firstIndex(where: {
        !isIdentifierByte($0) && $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: "\"")
      }), typeEnd > typeStart, bytes[typeEnd...].starts(with: "[]".utf8)
    else { return nil }
    let type = bytes[typeStart..<typeEnd]
    let cast = elements.map { Array("(".utf8) + $0 + Array(")::".utf8) + type }
    pushedDown = Array("ARRAY[".utf8) + cast.joined(separator: Array(", ".utf8)) + Array("]".utf8)
    end = typeEnd + 2
  }

  /// The elements up to the bracket that closes the array, and that bracket's index.
  private static func elements(_ bytes: [UInt8], _ start: Int) -> (elements: [[UInt8]], close: Int)? {
    var elements: [[UInt8]] = []
    var current: [UInt8] = []
    var depth = 0
    var quote: UInt8?
    for index in start..<bytes.count {
      let byte = bytes[index]
      if let open = quote {
        if byte == open { quote = nil }
      } else {
        switch byte {
        case UInt8(ascii: "'"), UInt8(ascii: "\""): quote = byte
        case UInt8(ascii: "("), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "]") where depth == 0: return (elements + [trimmed(current)], index)
        case UInt8(ascii: ")"), UInt8(ascii: "]"): depth -= 1
        case UInt8(ascii: ",") where depth == 0:
          elements.append(trimmed(current))
          current = []
          continue
        default: break
        }
      }
      current.append(byte)
    }
    return nil
  }

  private static func trimmed(_ bytes: [UInt8]) -> [UInt8] { Array(bytes.drop { $0 == 0x20 }) }
}
