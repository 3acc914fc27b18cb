import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// A backup as the SQL text of its dump, whatever its format.
struct BackupText {
  private let backup: Backup
  private let toolbox: Toolbox?
  private let surroundings: Surroundings

  /// - Parameter toolbox: nil will do for a plain dump.
  /// - Throws: `wrapped_directory`.
  init(_ backup: Backup, toolbox: Toolbox?, surroundings: Surroundings) throws(Failure) {
    try toolbox?.requireFiles(of: backup.manifest.format, what: "backup \(backup.id)")
    self.backup = backup
    self.toolbox = toolbox
    self.surroundings = surroundings
  }

  /// - Parameters:
  ///   - skips: the rows of these tables need not be read, where they are files of their own; the text has none then.
  ///   - objects: false: large objects need not be read either, where they are files.
  ///   - take: may be called on another thread, piece after piece.
  /// - Throws: `unreadable_archive`, `damaged_stream`; what `take` throws.
  func read(
    skipping skips: @escaping @Sendable (_ table: String) -> Bool = { _ in false }, objects: Bool = true,
    _ take: @escaping @Sendable (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    switch backup.manifest.format {
    case .plain: try handOver(from: { (put) throws(Failure) in try expandFile(put) }, to: take)
    case .custom:
      let exit = try surroundings.runner.run(
        try reader.command("pg_restore", ["-Fc", "-f", "-"]),
        feed: { (put) throws(Failure) in try expandFile(put) }, take: take)
      try check(exit)
    case .directory: try readDirectory(skips, objects, take)
    }
  }

  /// The statements of the dump in its order, without rows and without the content of large objects.
  func statements() throws(Failure) -> [[UInt8]] {
    let list = StatementList()
    let scanner = SharedScanner(keepStatements: false, telling: list)
    if backup.manifest.format == .custom {
      // The table of contents stands at the beginning of an archive.
      let exit = try surroundings.runner.run(
        try reader.command("pg_restore", ["-Fc", "--schema-only", "-f", "-"]), needsAll: false,
        feed: { (put) throws(Failure) in try expandFile(put) },
        take: { (piece) throws(Failure) in try scanner.scan(piece) })
      try check(exit)
    } else {
      try read(skipping: { _ in true }, objects: false) { (piece) throws(Failure) in try scanner.scan(piece) }
    }
    _ = try scanner.finish()
    return list.all
  }

  private var reader: Toolbox {
    get throws(Failure) {
      guard let toolbox else { throw .internalError("an archive is to be read, and nobody said by what") }
      return toolbox
    }
  }

  /// The one file of a streamed format, as pg_dump printed it.
  func expandFile(_ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
    guard let file = backup.manifest.dataFile else {
      throw Failure(
        "unreadable_archive", exit: .dataDamaged, what: "backup \(backup.id)", why: "it has no data file",
        nextStep: "use another backup")
    }
    try DataFilePass.expand(file, of: backup.path, cancellation: surroundings.cancellation, sink: sink)
  }

  /// pg_restore prints a mark in place of each table's rows, and here they are put from the stored files, in the order of the listing: they
  /// need no room in raw form.
  private func readDirectory(
    _ skips: @escaping @Sendable (_ table: String) -> Bool, _ objects: Bool,
    _ take: @escaping @Sendable (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    let mark = "holdfast \(UInt64.random(in: 0...UInt64.max)) \(UInt64.random(in: 0...UInt64.max))"
    let folder = try ArchiveFolder(backup, surroundings: surroundings, standIn: "\(mark)\n", objects: objects)
    let files = Dictionary(backup.manifest.dataFiles.map { ($0.rawName, $0.stored) }) { first, _ in first }
    let toolbox = try reader
    // Before a file that the table of contents names beyond its own could be read.
    _ = try ArchiveContents.read(
      data: "\(backup.path)/data", sealed: backup, rawNames: backup.manifest.dataFiles.map(\.rawName), toolbox: toolbox,
      surroundings: surroundings)
    var names = try ArchiveListing(folder.path, toolbox: toolbox, surroundings: surroundings).rows.makeIterator()
    var text = MarkedText(mark: mark)
    let exit = try surroundings.runner.run(toolbox.command("pg_restore", ["-Fd", "-f", "-", folder.path])) {
      (piece) throws(Failure) in
      try text.take(piece, pass: take) { () throws(Failure) in
        guard let file = names.next().flatMap({ files[$0.rawFile] }) else {
          throw .internalError("pg_restore renders a table that it does not list")
        }
        if let table = file.table, skips(table) { return try noRows(take) }
        try DataFilePass.expand(file, of: backup.path, cancellation: surroundings.cancellation, sink: take)
      }
    }
    try check(exit)
    guard names.next() == nil else { throw ArchiveContents.incomplete("pg_restore lists other tables than it renders") }
    try text.finish(pass: take)
  }

  private func noRows(_ take: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
    let end: StaticString = "\\.\n\n\n"
    try take(UnsafeRawBufferPointer(start: end.utf8Start, count: end.utf8CodeUnitCount))
  }

  private func check(_ exit: ChildExit) throws(Failure) {
    if !exit.succeeded { throw unreadableArchive("backup \(backup.id)", exit) }
  }
}

/// Text that passes by, but for the lines that are a mark.
struct MarkedText {
  /// With its line end.
  private let mark: [UInt8]
  /// The begin of a line that may still become a marked one, or is one without its end.
  private var held: [UInt8] = []
  private var atLineStart = true

  init(mark: String) { self.mark = Array("\(mark)\n".utf8) }

  /// - Parameters:
  ///   - pass: gets what bears no mark.
  ///   - replace: called in place of a mark.
  mutating func take(
    _ bytes: UnsafeRawBufferPointer, pass: (UnsafeRawBufferPointer) throws(Failure) -> Void,
    replace: () throws(Failure) -> Void
  ) throws(Failure) {
    var start = 0
    while start < bytes.count {
      let newline = bytes[start...].firstIndex(of: 0x0A)
      let end = newline.map { $0 + 1 } ?? bytes.count
      let line = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
      start = end
      if atLineStart || !held.isEmpty {
        held += line
        let compared = min(held.count, mark.count)
        if held[..<compared] != mark[..<compared] {
          try finish(pass: pass)
        } else if held.count >= mark.count {
          held = []
          try replace()
        }
      } else {
        try pass(line)
      }
      atLineStart = newline != nil
    }
  }

  /// Passes on what was held back.
  mutating func finish(pass: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
    defer { held = [] }
    try held.withBytes(pass)
  }
}
