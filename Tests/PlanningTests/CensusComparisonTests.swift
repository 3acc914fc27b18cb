import BackupModel
import Planning
import Testing

@Suite struct CensusComparisonTests {
  private let table = DatabaseObject(.table, schema: "s", name: "t")
  private let sequence = DatabaseObject(.sequence, schema: "s", name: "n")
  private let view = DatabaseObject(.view, schema: "s", name: "Ä view")

  private func digests(_ tables: [String] = ["t"], largeObjects: UInt64 = 2) -> DatabaseDigest {
    let none = CountedDigest(count: 0, digest: "")
    return DatabaseDigest(
      tables: tables.map { TableDigest(schema: "s", name: $0, rows: 1, digest: "", columns: []) }, sequences: none,
      largeObjects: CountedDigest(count: largeObjects, digest: ""), schema: none)
  }

  private var catalogs: CatalogObjects {
    var catalogs = CatalogObjects()
    catalogs.objects = [table, sequence, view, DatabaseObject(.subscription, name: "sub")]
    catalogs.positions = [sequence]
    catalogs.rows = [table: table]
    catalogs.largeObjects = 2
    return catalogs
  }

  private var dumped: DumpedObjects {
    var dumped = DumpedObjects()
    dumped.made = catalogs.objects
    dumped.positions = catalogs.positions
    return dumped
  }

  @Test func `a dump that has everything lacks nothing`() {
    #expect(lacking(dumped, digests(), of: catalogs, comparesNames: true) == [])
    #expect(lacking(dumped, digests(), of: catalogs, comparesNames: false) == [])
  }

  @Test func `each object that the dump does not make is missing by its kind and name`() {
    for object in catalogs.objects {
      var less = dumped
      less.made.remove(object)
      let entries = lacking(less, digests(), of: catalogs, comparesNames: true)
      #expect(entries.map(\.kind) == [object.kind.rawValue])
      #expect(entries.map(\.name) == [object == view ? "s.\"Ä view\"" : object.schema.isEmpty ? "sub" : object.sql])
      // Where names cannot be compared they are counted.
      let counted = lacking(less, digests(), of: catalogs, comparesNames: false)
      #expect(counted.map(\.kind) == [object.kind.rawValue])
    }
  }

  @Test func `positions, rows and large objects are looked for, too`() {
    var less = dumped
    less.positions = []
    #expect(lacking(less, digests(), of: catalogs, comparesNames: true).map(\.kind) == ["sequence"])
    #expect(lacking(dumped, digests([]), of: catalogs, comparesNames: true).map(\.kind) == ["table_rows"])
    let objects = lacking(dumped, digests(largeObjects: 1), of: catalogs, comparesNames: true)
    #expect(objects == [CensusEntry(kind: .largeObjects, name: "1 of 2", why: "the dump has 1")])
  }

  @Test func `rows of a partition may be those of its root`() {
    var partitioned = catalogs
    partitioned.rows = [table: DatabaseObject(.table, schema: "s", name: "root")]
    #expect(lacking(dumped, digests(["root"]), of: partitioned, comparesNames: true) == [])
    #expect(lacking(dumped, digests(["other"]), of: partitioned, comparesNames: true).count == 1)
  }

  @Test func `of very many a hundred are named, and the others counted`() {
    var many = catalogs
    many.objects = Set((1...250).map { DatabaseObject(.table, schema: "s", name: "t\($0)") })
    let entries = lacking(DumpedObjects(), digests(), of: many, comparesNames: true).of("table")
    #expect(entries.count == 100)
    #expect(entries.compactMap(\.more) == [150])
    #expect(entries.summaries == ["table s.t1, s.t10, s.t100 and 247 more"])
  }

  @Test func `what a policy accepts is not lacking`() {
    let entries = [
      CensusEntry(kind: .subscription, name: "a", why: ""), CensusEntry(kind: .userMapping, name: "b", why: ""),
    ]
    #expect(entries.beyond(["subscription"]).map(\.name) == ["b"])
    #expect(entries.beyond([]) == entries)
    #expect(!CensusKind.acceptable.contains(CensusKind.rowTypeOrder.rawValue))
  }

  /// The numbers are a manifest's, and may be anybody's.
  @Test(arguments: [.max, .max - 1, 1 << 63] as [UInt64]) func `numbers that are too large have a sum`(more: UInt64) {
    let entries = (0..<5).map { CensusEntry(kind: .table, name: "t\($0)", why: "x", more: more) }
    #expect(entries.summaries == ["table t0, t1, t2 and \(UInt64.max) more"])
  }
}
