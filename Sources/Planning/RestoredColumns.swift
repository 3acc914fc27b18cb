/// The order of a table's columns once a dump of it is restored: pg_dump writes the columns of an inheritance child as its own ones and
/// the parents', and the server puts the parents' first. Partitions and everything else keep their order.
package struct RestoredColumns {
  /// Of each child its parents, in their order.
  private let parents: [UInt32: [UInt32]]
  /// Of each of these tables the columns, in their order.
  private let columns: [UInt32: [[UInt8]]]
  private var known: [UInt32: [[UInt8]]] = [:]

  package init(parents: [UInt32: [UInt32]], columns: [UInt32: [[UInt8]]]) {
    self.parents = parents
    self.columns = columns
  }

  /// Children whose columns come back in another order.
  package mutating func changed() -> [UInt32] {
    parents.keys.sorted().filter { order(of: $0) != columns[$0] ?? [] }
  }

  package mutating func order(of table: UInt32) -> [[UInt8]] {
    if let order = known[table] { return order }
    let own = columns[table] ?? []
    // Catalogs have no circle; damaged ones must not lead round in one.
    known[table] = own
    var order: [[UInt8]] = []
    var seen: Set<[UInt8]> = []
    for parent in parents[table] ?? [] {
      for column in self.order(of: parent) where seen.insert(column).inserted { order.append(column) }
    }
    order += own.filter { seen.insert($0).inserted }
    known[table] = order
    return order
  }
}
