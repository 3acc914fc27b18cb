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
  var sequences: CountedDigest
  var owners: Set<String>
  /// Only when asked for.
  var statements: [String]

  struct Entry {
    /// Its rows and digest are those of the marker.
    var table: TableDigest
    var target: CopyTarget
    var file: String
  }

  /// Has pg_restore render the table of contents with a marker in place of each data file: one row that names the file.
  /// So the rendered COPY statements tell which table each file belongs to, in names quoted by pg_dump itself.
  ///
  /// - Parameters:
  ///   - data: the `data` folder of a backup.
  ///   - rawNames: names of its data files before compression.
  static func read(
    data: String, rawNames: [String], toolbox: Toolbox, surroundings: Surroundings, keepStatements: Bool = false
  ) throws(Failure) -> ArchiveContents {
    let work = try WorkFolder()
    try makeMarkers(rawNames, data: data, folder: work.path)
    let scanner = DumpScanner(keepStatements: keepStatements, keepFirstRows: true)
    let command = toolbox.command("pg_restore", ["-Fd", "-f", "-", work.path])
    let exit = try surroundings.runner.run(command) { (piece) throws(Failure) in try scanner.scan(piece) }
    guard exit.succeeded else {
      throw Failure(
        "unreadable_archive", exit: .dataDamaged, what: "reading toc.dat", why: exit.lastLines.last ?? exit.description,
        nextStep: "take another backup", details: exit.lastLines.dropLast())
    }
    let digest = try scanner.finish()
    return ArchiveContents(
      tables: scanner.firstRows.map { Entry(table: $0.table, target: $0.target, file: $0.row) }, schema: digest.schema,
      sequences: digest.sequences, owners: scanner.owners, statements: scanner.statements)
  }

  private static func makeMarkers(_ rawNames: [String], data: String, folder: String) throws(Failure) {
    for name in try folderNames(data) where name == "toc.dat" || name.hasSuffix(".toc") {
      do { try FileManager.default.copyItem(atPath: "\(data)/\(name)", toPath: "\(folder)/\(name)") } catch {
        throw cannotWrite("\(folder)/\(name)", errno)
      }
    }
    for name in rawNames {
      let marker = DataFileKind(name: name) == .rows ? "\(name)\n\\.\n\n\n" : ""
      try FileDescriptor.creating("\(folder)/\(name)").write(Array(marker.utf8))
    }
  }

  /// Joins what the table of contents says with what the data files hold.
  ///
  /// - Throws: `archive_incomplete` when a table has no data file or a data file no table.
  func digest(with contents: [String: ContentDigest]) throws(Failure) -> DatabaseDigest {
    var objects: [UInt32: String] = [:]
    var rows: [String: (count: UInt64, digest: String)] = [:]
    for (name, content) in contents {
      switch content {
      case .rows(let count, let digest): rows[name] = (count, digest)
      case .largeObject(let oid, let fingerprint): objects[oid] = fingerprint
      }
    }
    let digests = try tables.map { (table) throws(Failure) in
      guard let found = rows.removeValue(forKey: table.file) else {
        throw incomplete("table \(table.table.qualifiedName) has no data file")
      }
      return TableDigest(
        schema: table.table.schema, name: table.table.name, rows: found.count, digest: found.digest,
        columns: table.table.columns)
    }
    if let stray = rows.keys.min() { throw incomplete("data file \(stray) belongs to no table") }
    return DatabaseDigest(
      tables: digests, sequences: sequences, largeObjects: largeObjectDigest(objects), schema: schema)
  }

  private func incomplete(_ why: String) -> Failure {
    Failure(
      "archive_incomplete", exit: .dataDamaged, what: "reading the archive", why: why, nextStep: "take another backup")
  }
}
