/// Kinds of what is compared by name between the catalogs and a dump.
package enum ObjectKind: String, Sendable, Hashable {
  /// A partitioned one too.
  case table, view, sequence, publication, subscription
  case materializedView = "materialized_view"
  case foreignTable = "foreign_table"
}

/// An object by its kind and name.
package struct DatabaseObject: Sendable, Hashable {
  package var kind: ObjectKind
  /// Empty for what has none.
  package var schema: String
  package var name: String

  package init(_ kind: ObjectKind, schema: String = "", name: String) {
    self.kind = kind
    self.schema = schema
    self.name = name
  }

  /// As PostgreSQL compares names: to Swift an é of one character is equal to one of two.
  package static func == (left: DatabaseObject, right: DatabaseObject) -> Bool {
    left.kind == right.kind && left.schema.utf8.elementsEqual(right.schema.utf8)
      && left.name.utf8.elementsEqual(right.name.utf8)
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(kind)
    hasher.combine(Array(schema.utf8))
    hasher.combine(Array(name.utf8))
  }

  /// As SQL writes it.
  package var sql: String {
    schema.isEmpty ? quotedWhereNeeded(name) : "\(quotedWhereNeeded(schema)).\(quotedWhereNeeded(name))"
  }
}

/// What the statements of a dump make.
package struct DumpedObjects: Sendable, Equatable {
  package var made: Set<DatabaseObject> = []
  /// Sequences whose position is set.
  package var positions: Set<DatabaseObject> = []

  package init() {}
}

/// What the catalogs say that a dump has to hold.
package struct CatalogObjects: Sendable, Equatable {
  package var objects: Set<DatabaseObject> = []
  /// Sequences whose position belongs to the data.
  package var positions: Set<DatabaseObject> = []
  /// Tables whose rows belong to the data, each with the table that they may be dumped as: a partition's root, or itself.
  package var rows: [DatabaseObject: DatabaseObject] = [:]
  package var largeObjects: UInt64 = 0

  package init() {}
}

private func quotedWhereNeeded(_ name: String) -> String {
  let isPlain = name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
  let first = name.utf8.first ?? 0x30
  return isPlain && !(0x30...0x39).contains(first) ? name : quoteIdentifier(name)
}
