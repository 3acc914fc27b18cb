import BackupModel
import Foundation

/// A statement of a schema, as it is digested and compared: by its bytes.
package struct SchemaStatement: Hashable, Sendable {
  /// Settings that it takes its tablespace and access method from: `default_tablespace=fast;`.
  package let settings: [UInt8]
  package let bytes: [UInt8]

  package init(_ bytes: [UInt8], settings: [UInt8] = []) {
    self.bytes = bytes
    self.settings = settings
  }

  package var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// Digests the statements of a schema, in any order.
struct SchemaCollector {
  var keepStatements = false
  /// Settings that decide where and how the next tables are made.
  var context: [String: String] = [:]
  private(set) var multiset = MultisetHash()
  private(set) var definitions = MultisetHash()
  private(set) var owners: Set<String> = []
  private(set) var statements: [SchemaStatement] = []

  mutating func take(_ statement: [UInt8]) {
    // A comment has one wording, and may be large: it is not copied.
    let normal = statement.starts(with: "COMMENT ".utf8) ? statement : normalized(schemaStatement: statement)
    guard !normal.isEmpty else { return }
    if let owner = ownerNamed(by: statement) { owners.insert(owner) }
    let settings = Array(settingsBehind(normal).map { "\($0)=\(context[$0] ?? "");" }.joined().utf8)
    if SchemaStatement(normal).isDefinition { normal.withUnsafeBytes { definitions.insert($0) } }
    if keepStatements { statements.append(SchemaStatement(normal, settings: settings)) }
    (settings.isEmpty ? normal : settings + normal).withUnsafeBytes { multiset.insert($0) }
  }

  /// A comment that was not kept.
  mutating func take(comment beginning: [UInt8], _ hash: MultisetHash) {
    if SchemaStatement(beginning).isDefinition { definitions.merge(hash) }
    multiset.merge(hash)
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

/// A statement in the one wording that is digested, where several mean the same; nothing, where it defines nothing.
func normalized(schemaStatement statement: [UInt8]) -> [UInt8] {
  withInheritedColumnsSorted(withRolesSorted(withArrayCastsPushedDown(ServersOwnOptions.removed(from: statement))))
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
  let columns = text[start.upperBound..<end.lowerBound].components(separatedBy: ",\n")
    .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
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
