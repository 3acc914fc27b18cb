import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// What a directory archive's table of contents says, read without its data.
struct ArchiveContents {
  /// The tables with their data files' raw names.
  var tables: [Entry]
  var schema: CountedDigest
  var definitions: CountedDigest
  var sequences: CountedDigest
  var owners: Set<String>
  /// What its statements make.
  var objects: DumpedObjects
  /// Only when asked for.
  var statements: [SchemaStatement]

  struct Entry {
    /// Its rows and digest are those of the stand-in.
    var table: TableDigest
    var target: CopyTarget
    var file: String
  }

  /// Has pg_restore render the table of contents with an empty file in place of each data file, and list it. The listing has the names
  /// of the files, the rendered COPY statements those of the tables, quoted by pg_dump itself; both are in the same order.
  ///
  /// - Parameters:
  ///   - data: the `data` folder of a backup.
  ///   - sealed: the backup, whose files are compared with its manifest when they are read; nil: it is being written.
  ///   - rawNames: names of its data files before compression.
  static func read(
    data: String, sealed: Backup? = nil, rawNames: [String], toolbox: Toolbox, surroundings: Surroundings,
    keepStatements: Bool = false
  ) throws(Failure) -> ArchiveContents {
    let work = try WorkFolder()
    try copyContents(data, sealed, to: work.path)
    for name in try folderNames(work.path) where name.hasSuffix(".toc") {
      try ArchiveFolder.checkObjects(name, in: work.path)
    }
    try makeStandIns(rawNames.filter { DataFileKind(name: $0) == .rows }, text: "\\.\n\n\n", in: work.path)
    try makeStandIns(rawNames.filter { DataFileKind(name: $0) != .rows }, text: "", in: work.path)
    let listing = try ArchiveListing(work.path, toolbox: toolbox, surroundings: surroundings).rows
    let scanner = DumpScanner(keepStatements: keepStatements)
    let command = toolbox.command("pg_restore", ["-Fd", "-f", "-", work.path])
    var isEmpty = true
    let exit = try surroundings.runner.run(command) { (piece) throws(Failure) in
      isEmpty = isEmpty && piece.isEmpty
      try scanner.scan(piece)
    }
    guard exit.succeeded else { throw unreadableArchive("toc.dat", exit) }
    // No archive reads so: it is no pg_restore, or nothing of it was read.
    if isEmpty {
      throw Failure(
        "child_failed", exit: .failed, what: "pg_restore", why: "it ended well and printed nothing",
        nextStep: "look at \(toolbox.path("pg_restore")), then run the same command again")
    }
    let digest = try scanner.finish()
    // The stand-ins have no rows: these come from another file.
    guard scanner.copied.allSatisfy({ $0.table.rows == 0 }) else { throw ArchiveFolder.foreignFileName("toc.dat") }
    return ArchiveContents(
      tables: try entries(scanner.copied, listing, owners: scanner.owners), schema: digest.schema,
      definitions: scanner.definitions,
      sequences: digest.sequences,
      owners: scanner.owners, objects: scanner.objects, statements: scanner.statements)
  }

  /// The rows of some partitions are copied into the root, which has none of its own: no line is left over that would be the root's.
  private static func entries(
    _ copied: [(table: TableDigest, target: CopyTarget)], _ listing: [ArchiveListing.Entry], owners: Set<String>
  ) throws(Failure) -> [Entry] {
    var owners = Set(owners.map { Array($0.utf8) })
    var others: [(target: CopyTarget, entry: ArchiveListing.Entry)] = []
    for (copy, entry) in zip(copied, listing) {
      if ListedTables.isRows(entry, of: copy.target) {
        owners.insert(ListedTables.owner(entry, of: copy.target))
      } else {
        others.append((copy.target, entry))
      }
    }
    let left = ListedTables(others.map(\.entry))
    guard copied.count == listing.count, !others.contains(where: { left.contains($0.target, owners: owners) }) else {
      throw incomplete("pg_restore lists other tables than it renders")
    }
    return zip(copied, listing).map { Entry(table: $0.table, target: $0.target, file: $1.rawFile) }
  }

  private static func copyContents(_ data: String, _ sealed: Backup?, to folder: String) throws(Failure) {
    func isMeant(_ name: String) -> Bool { name == "toc.dat" || name.hasSuffix(".toc") }
    if let sealed {
      for file in sealed.manifest.files where file.path.hasPrefix("data/") && isMeant(String(file.path.dropFirst(5))) {
        let copy = try FileDescriptor.creating("\(folder)/\(file.path.dropFirst(5))")
        try DataFilePass.expand(file, of: sealed.path) { (piece) throws(Failure) in try copy.write(piece) }
      }
      return
    }
    for name in try folderNames(data) where isMeant(name) {
      let copy = try FileDescriptor.creating("\(folder)/\(name)")
      try DataFilePass.expand("\(data)/\(name)") { (piece) throws(Failure) in try copy.write(piece) }
    }
  }

  /// Joins what the table of contents says with what the data files hold.
  ///
  /// - Parameter reordered: digests a data file once more, with the values of its rows in another order. pg_dump writes some partitions as rows
  ///   of their root, each in an order of its own.
  /// - Throws: `archive_incomplete` when a table has no data file or a data file no table.
  func digest(
    with contents: [String: ContentDigest], reordered: (_ file: String, ReorderedRows) throws(Failure) -> String
  ) throws(Failure) -> DatabaseDigest {
    var objects: [UInt32: String] = [:]
    var rows: [String: (count: UInt64, digest: String)] = [:]
    for (name, content) in contents {
      switch content {
      case .rows(let count, let digest): rows[name] = (count, digest)
      case .largeObject(let oid, let fingerprint): objects[oid] = fingerprint
      }
    }
    var columns: [[[UInt8]]: [String]] = [:]
    let digests = try tables.map { (table) throws(Failure) in
      guard let found = rows.removeValue(forKey: table.file) else {
        throw Self.incomplete("table \(table.table.qualifiedName) has no data file")
      }
      let (own, first) = (table.target.columns, columns[table.table.key] ?? table.target.columns)
      columns[table.table.key] = first
      let order = own == first ? nil : ReorderedRows(from: own, to: first)
      return TableDigest(
        schema: table.table.schema, name: table.table.name, rows: found.count,
        digest: try order.map { (order) throws(Failure) in try reordered(table.file, order) } ?? found.digest,
        columns: first)
    }
    if let stray = rows.keys.min() { throw Self.incomplete("data file \(stray) belongs to no table") }
    return DatabaseDigest(
      tables: digests, sequences: sequences, largeObjects: largeObjectDigest(objects), schema: schema)
  }

  /// For `digest(with:reordered:)`: reads a stored data file.
  static func digest(
    _ path: String, _ rows: ReorderedRows, _ surroundings: Surroundings
  ) throws(Failure) -> String {
    var rows = rows
    try DataFilePass.expand(path, cancellation: surroundings.cancellation) { rows.take($0) }
    return rows.digest
  }

  static func incomplete(_ why: String) -> Failure {
    Failure(
      "archive_incomplete", exit: .dataDamaged, what: "reading the archive", why: why, nextStep: "take another backup")
  }
}
