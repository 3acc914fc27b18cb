/// An order-independent hash of many items: the sum of their 128-bit hashes, modulo 2^128.
///
/// Rows may come back from a restored database in any order and still give the same digest; one changed, missing or
/// doubled row gives another.
package struct MultisetHash: Sendable, Equatable {
  package private(set) var count: UInt64 = 0
  private var low: UInt64 = 0
  private var high: UInt64 = 0

  package init() {}

  package mutating func insert(low itemLow: UInt64, high itemHigh: UInt64) {
    count &+= 1
    let (sum, carry) = low.addingReportingOverflow(itemLow)
    low = sum
    high = high &+ itemHigh &+ (carry ? 1 : 0)
  }

  /// Takes in every item of another.
  package mutating func merge(_ other: MultisetHash) {
    insert(low: other.low, high: other.high)
    count = count &- 1 &+ other.count
  }

  /// Reads back what `hex` and `count` tell.
  ///
  /// - Returns: nil unless `hex` has 32 hexadecimal digits.
  package init?(count: UInt64, hex: String) {
    guard hex.utf8.count == 32, let high = UInt64(hex.prefix(16), radix: 16),
      let low = UInt64(hex.suffix(16), radix: 16)
    else { return nil }
    (self.count, self.high, self.low) = (count, high, low)
  }

  /// 32 hexadecimal digits.
  package var hex: String { hexadecimal(high) + hexadecimal(low) }

  private func hexadecimal(_ word: UInt64) -> String {
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// The rows of one table, as pg_dump writes them.
package struct TableDigest: Sendable, Equatable, Codable {
  package var schema: String
  package var name: String
  package var rows: UInt64
  package var digest: String
  /// In the order in which a row's values stand.
  package var columns: [String]

  package init(schema: String, name: String, rows: UInt64, digest: String, columns: [String]) {
    self.schema = schema
    self.name = name
    self.rows = rows
    self.digest = digest
    self.columns = columns
  }

  package var qualifiedName: String { "\(schema).\(name)" }
  /// Unlike the qualified name, the same for no other table: a name may have a dot in it. And to Swift, not to PostgreSQL, an é of one
  /// character is equal to one of two.
  package var key: [[UInt8]] { [Array(schema.utf8), Array(name.utf8)] }
}

/// A number of things and one digest over them: sequences, large objects, the statements of the schema.
package struct CountedDigest: Sendable, Equatable, Codable {
  package var count: UInt64
  package var digest: String

  package init(count: UInt64, digest: String) {
    self.count = count
    self.digest = digest
  }

  package init(_ hash: MultisetHash) {
    self.init(count: hash.count, digest: hash.hex)
  }
}

/// Everything that can be compared of a database's content.
package struct DatabaseDigest: Sendable, Equatable, Codable {
  /// Sorted by schema and name.
  package var tables: [TableDigest]
  package var sequences: CountedDigest
  package var largeObjects: CountedDigest
  package var schema: CountedDigest

  package init(
    tables: [TableDigest], sequences: CountedDigest, largeObjects: CountedDigest, schema: CountedDigest
  ) {
    self.tables = Self.merged(tables).sorted { ($0.schema, $0.name) < ($1.schema, $1.name) }
    self.sequences = sequences
    self.largeObjects = largeObjects
    self.schema = schema
  }

  /// pg_dump writes some partitions as rows of their root (those whose place may be another one after a restore): they count as one
  /// table.
  private static func merged(_ tables: [TableDigest]) -> [TableDigest] {
    Dictionary(grouping: tables, by: \.key).values.compactMap { parts in
      guard var whole = parts.first else { return nil }
      var sum = MultisetHash()
      for part in parts {
        guard let hash = MultisetHash(count: part.rows, hex: part.digest) else { return whole }
        sum.merge(hash)
      }
      whole.rows = sum.count
      whole.digest = sum.hex
      return whole
    }
  }

  /// The tables that have rows, and those that the other has, too.
  package func tables(with other: DatabaseDigest) -> [TableDigest] {
    let known = Set(other.tables.map(\.key))
    return tables.filter { $0.rows > 0 || known.contains($0.key) }
  }

  package var rows: UInt64 { tables.reduce(0) { $0 + $1.rows } }

  /// What differs in `other`, a sentence each; empty when nothing does.
  package func differences(from other: DatabaseDigest) -> [Problem] {
    let theirs = Dictionary(other.tables.map { ($0.key, $0) }) { first, _ in first }
    let ours = Set(tables.map(\.key))
    var problems: [Problem] = []
    for table in tables {
      guard let found = theirs[table.key] else {
        problems.append(Problem(table: table.qualifiedName, problem: "is missing (\(table.rows) rows expected)"))
        continue
      }
      if found.rows != table.rows {
        problems.append(
          Problem(table: table.qualifiedName, problem: "has \(found.rows) rows instead of \(table.rows)"))
      } else if found.digest != table.digest {
        problems.append(Problem(table: table.qualifiedName, problem: "has other content in its \(table.rows) rows"))
      }
    }
    for table in other.tables where !ours.contains(table.key) {
      problems.append(Problem(table: table.qualifiedName, problem: "is there but was not expected"))
    }
    for (name, expected, found) in [
      ("sequences", sequences, other.sequences), ("large objects", largeObjects, other.largeObjects),
      ("schema", schema, other.schema),
    ] where expected != found {
      problems.append(
        Problem(
          problem: expected.count == found.count
            ? "\(name) differ in content (\(expected.count) of them)"
            : "\(name): \(found.count) instead of \(expected.count)"))
    }
    return problems
  }
}

/// One thing wrong with a backup or a restored database.
package struct Problem: Sendable, Equatable, Codable {
  /// Path inside the backup's folder.
  package var file: String?
  /// `schema.name`.
  package var table: String?
  package var problem: String

  package init(file: String? = nil, table: String? = nil, problem: String) {
    self.file = file
    self.table = table
    self.problem = problem
  }

  package var sentence: String {
    let subject = [file, table.map { file == nil ? $0 : "(\($0))" }].compactMap { $0 }.joined(separator: " ")
    return subject.isEmpty ? problem : "\(subject): \(problem)"
  }
}
