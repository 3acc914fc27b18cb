import Foundation

/// Tables with rows, and what was done to them: in SQL, and beside it in a model that knows what a rollback would lose.
struct WriteModel {
  /// How a table names its rows. `v` is there to be changed.
  enum Shape: CaseIterable { case plain, composite, odd, keyless }

  struct Table {
    let shape: Shape
    /// The live rows; true: written since the snapshot.
    var rows: [Int: Bool] = [:]
    /// Those that the snapshot holds.
    var before: Set<Int> = []
    var next = 1
  }

  private(set) var tables = Shape.allCases.map { Table(shape: $0) }
  private var isCounting = false

  /// From now on every write counts as one since the snapshot.
  mutating func takeSnapshot() {
    isCounting = true
    for index in tables.indices { tables[index].before = Set(tables[index].rows.keys) }
  }

  // MARK: What is expected

  struct Expected: Equatable, CustomStringConvertible {
    var changed: Int
    /// Nil: it cannot be told.
    var deleted: Int?
    var description: String { "\(changed) changed, \(deleted.map(String.init) ?? "unknown") deleted" }
  }

  /// By the table's name; tables without writes are not listed.
  func expected() -> [String: Expected] {
    let all = tables.map { table in
      let changed = table.rows.values.count { $0 }
      let deleted = table.before.subtracting(table.rows.keys).count
      let isKnown = table.shape != .keyless || changed == 0
      return (table.shape.name, Expected(changed: changed, deleted: isKnown ? deleted : nil))
    }
    return Dictionary(uniqueKeysWithValues: all.filter { $0.1.changed > 0 || $0.1.deleted ?? 0 > 0 })
  }

  // MARK: Writing

  static let schema = Shape.allCases.map(\.definition).joined(separator: ";\n")

  /// Does something at random to a table.
  ///
  /// - Returns: the SQL that does it.
  mutating func write(using random: inout some RandomNumberGenerator) -> String {
    let index = Int.random(in: tables.indices, using: &random)
    let some = tables[index].rows.keys.sorted().shuffled(using: &random).prefix(Int.random(in: 1...6, using: &random))
    switch Int.random(in: 0..<10, using: &random) {
    case 0...3: return insert(Int.random(in: 1...8, using: &random), index)
    case 4...6: return update(Array(some), index)
    case 7, 8: return delete(Array(some), index)
    default: return rename(Array(some), index)
    }
  }

  mutating func insert(_ count: Int, _ index: Int) -> String {
    let ids = tables[index].next..<(tables[index].next + count)
    tables[index].next = ids.upperBound
    for id in ids { tables[index].rows[id] = isCounting }
    let rows = ids.map { "(\(tables[index].shape.key(of: $0)), 0)" }.joined(separator: ", ")
    return "INSERT INTO \(tables[index].shape.table) VALUES \(rows);"
  }

  private mutating func update(_ ids: [Int], _ index: Int) -> String {
    for id in ids { tables[index].rows[id] = isCounting }
    return each(ids, index) { "UPDATE \($0.table) SET v = v + 1 WHERE \($0.condition($1))" }
  }

  private mutating func delete(_ ids: [Int], _ index: Int) -> String {
    for id in ids { tables[index].rows[id] = nil }
    return each(ids, index) { "DELETE FROM \($0.table) WHERE \($0.condition($1))" }
  }

  /// Gives rows another key: the old one is deleted, and a new one is there.
  private mutating func rename(_ ids: [Int], _ index: Int) -> String {
    let first = tables[index].next
    tables[index].next += ids.count
    for (offset, id) in ids.enumerated() {
      tables[index].rows[id] = nil
      tables[index].rows[first + offset] = isCounting
    }
    return zip(ids, first...).map { old, new in
      let shape = tables[index].shape
      return "UPDATE \(shape.table) SET \(shape.assignment(new)) WHERE \(shape.condition(old));"
    }.joined()
  }

  private func each(_ ids: [Int], _ index: Int, _ statement: (Shape, Int) -> String) -> String {
    ids.map { statement(tables[index].shape, $0) + ";" }.joined()
  }
}

extension WriteModel.Shape {
  var name: String { self == .odd ? "Odd \"Table\"" : "\(self)" }
  var table: String { self == .odd ? "\"S x\".\"Odd \"\"Table\"\"\"" : "\(self)" }

  var definition: String {
    switch self {
    case .plain: "CREATE TABLE plain (id int PRIMARY KEY, v int)"
    case .composite: "CREATE TABLE composite (a int, b text, v int, PRIMARY KEY (b, a))"
    case .odd: "CREATE SCHEMA \"S x\"; CREATE TABLE \(table) (\"the 'key'\" text PRIMARY KEY, v int)"
    case .keyless: "CREATE TABLE keyless (id int, v int)"
    }
  }

  private func columns(_ id: Int) -> [(name: String, value: String)] {
    switch self {
    case .plain, .keyless: [("id", "\(id)")]
    case .composite: [("a", "\(id % 5)"), ("b", "'key, (\(id))'")]
    case .odd: [("\"the 'key'\"", "'it''s \"\(id)\"'")]
    }
  }

  func key(of id: Int) -> String { columns(id).map(\.value).joined(separator: ", ") }
  func condition(_ id: Int) -> String { columns(id).map { "\($0.name) = \($0.value)" }.joined(separator: " AND ") }
  func assignment(_ id: Int) -> String { columns(id).map { "\($0.name) = \($0.value)" }.joined(separator: ", ") }
}
