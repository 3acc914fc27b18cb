import BackupModel

/// Compares what the catalogs have with what a dump holds.
///
/// - Parameters:
///   - comparesNames: the dump's names are in the same encoding as the catalogs'; else they are only counted.
package func lacking(
  _ dumped: DumpedObjects, _ digests: DatabaseDigest, of catalogs: CatalogObjects, comparesNames: Bool
) -> [CensusEntry] {
  var entries: [CensusEntry] = []
  for (kind, objects) in Dictionary(grouping: catalogs.objects, by: \.kind).sorted(by: {
    $0.key.rawValue < $1.key.rawValue
  }) {
    let made = dumped.made.filter { $0.kind == kind }
    entries += difference(
      Set(objects), made, kind.census, comparesNames,
      why: kind == .subscription
        ? "the dump does not make it: pg_dump leaves subscriptions out unless a superuser takes it"
        : "the catalogs have it, and the dump does not make it")
  }
  entries += difference(
    catalogs.positions, dumped.positions, .sequence, comparesNames, why: "the dump does not set it")
  let withRows = Set(digests.tables.map { DatabaseObject(.table, schema: $0.schema, name: $0.name) })
  let rowless = catalogs.rows.filter { table, root in
    !withRows.contains(table) && !withRows.contains(root)
  }
  if comparesNames {
    entries += capped(.tableRows, rowless.keys.map(\.sql), why: "the dump has no rows of it, not even none")
  }
  let (found, expected) = (digests.largeObjects.count, catalogs.largeObjects)
  if found < expected {
    entries.append(
      CensusEntry(kind: .largeObjects, name: "\(expected - found) of \(expected)", why: "the dump has \(found)"))
  }
  return entries
}

private func difference(
  _ expected: Set<DatabaseObject>, _ found: Set<DatabaseObject>, _ kind: CensusKind, _ comparesNames: Bool, why: String
) -> [CensusEntry] {
  guard comparesNames else {
    let count = expected.count - found.count
    return count > 0 ? [CensusEntry(kind: kind, name: "\(count) of \(expected.count)", why: why)] : []
  }
  return capped(kind, expected.subtracting(found).map(\.sql), why: why)
}

/// So many are named of each kind.
package let namedOfEachKind = 100

private func capped(_ kind: CensusKind, _ names: [String], why: String) -> [CensusEntry] {
  var entries = names.sorted().prefix(namedOfEachKind).map { CensusEntry(kind: kind, name: $0, why: why) }
  if names.count > entries.count, let last = entries.indices.last {
    entries[last].more = UInt64(names.count - entries.count)
  }
  return entries
}

extension ObjectKind {
  fileprivate var census: CensusKind {
    switch self {
    case .table: .table
    case .view: .view
    case .sequence: .sequence
    case .publication: .publication
    case .subscription: .subscription
    case .materializedView: .materializedView
    case .foreignTable: .foreignTable
    }
  }
}
