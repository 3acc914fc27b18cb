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
  ///   - take: may be called on another thread, piece after piece.
  /// - Throws: `unreadable_archive`, `damaged_stream`; what `take` throws.
  func read(
    skipping skips: @escaping @Sendable (_ table: String) -> Bool = { _ in false },
    _ take: @escaping @Sendable (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    switch backup.manifest.format {
    case .plain: try expandFile(take)
    case .custom:
      let exit = try surroundings.runner.run(
        reader(["-Fc", "-f", "-"]),
        feed: { (put) throws(Failure) in try expandFile(put) }, take: take)
      try check(exit)
    case .directory: try readDirectory(skips, take)
    }
  }

  private func reader(_ arguments: [String]) throws(Failure) -> ChildCommand {
    guard let toolbox else { throw .internalError("an archive is to be read, and nobody said by what") }
    return toolbox.command("pg_restore", arguments)
  }

  /// The one file of a streamed format, as pg_dump printed it.
  func expandFile(_ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
    guard let file = backup.manifest.dataFile else {
      throw Failure(
        "unreadable_archive", exit: .dataDamaged, what: "backup \(backup.id)", why: "it has no data file",
        nextStep: "use another backup")
    }
    try DataFilePass.expand("\(backup.path)/\(file.path)", cancellation: surroundings.cancellation, sink: sink)
  }

  /// pg_restore prints a mark in place of each table's rows, and here they are put from the stored file: they need no room in raw form.
  private func readDirectory(
    _ skips: @escaping @Sendable (_ table: String) -> Bool,
    _ take: @escaping @Sendable (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    let mark = "holdfast \(UInt64.random(in: 0...UInt64.max)) \(UInt64.random(in: 0...UInt64.max)) "
    let folder = try ArchiveFolder(backup, surroundings: surroundings, marker: { "\(mark)\($0)\n" })
    let files = Dictionary(backup.manifest.dataFiles.map { ($0.rawName, $0.stored) }) { first, _ in first }
    var text = MarkedText(mark: mark)
    let exit = try surroundings.runner.run(reader(["-Fd", "-f", "-", folder.path])) {
      (piece) throws(Failure) in
      try text.take(piece, pass: take) { (name) throws(Failure) in
        guard let file = files[name] else { throw .internalError("the mark names \(name), which is no file") }
        if let table = file.table, skips(table) { return try noRows(take) }
        try DataFilePass.expand("\(backup.path)/\(file.path)", cancellation: surroundings.cancellation, sink: take)
      }
    }
    try check(exit)
    try text.finish(pass: take)
  }

  private func noRows(_ take: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
    let end: StaticString = "\\.\n\n\n"
    try take(UnsafeRawBufferPointer(start: end.utf8Start, count: end.utf8CodeUnitCount))
  }

  private func check(_ exit: ChildExit) throws(Failure) {
    guard !exit.succeeded else { return }
    throw Failure(
      "unreadable_archive", exit: .dataDamaged, what: "reading backup \(backup.id)",
      why: exit.lastLines.last ?? exit.description, nextStep: "use another backup", details: exit.lastLines.dropLast())
  }
}

/// Text that passes by, but for the lines that begin with a mark.
struct MarkedText {
  private let mark: [UInt8]
  /// The begin of a line that may still become a marked one, or is one without its end.
  private var held: [UInt8] = []
  private var atLineStart = true

  init(mark: String) { self.mark = Array(mark.utf8) }

  /// - Parameters:
  ///   - pass: gets what bears no mark.
  ///   - replace: is told what stands behind a mark, in its place.
  mutating func take(
    _ bytes: UnsafeRawBufferPointer, pass: (UnsafeRawBufferPointer) throws(Failure) -> Void,
    replace: (String) throws(Failure) -> Void
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
        } else if newline != nil, held.count > mark.count {
          try replace(String(decoding: held[mark.count...].dropLast(), as: UTF8.self))
          held = []
        }
      } else {
        try pass(line)
      }
      atLineStart = newline != nil
    }
  }

  /// Passes on what was held back.
  mutating func finish(pass: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
    let outcome: Result<Void, Failure> = held.withUnsafeBytes { buffer in
      do throws(Failure) { return .success(try pass(buffer)) } catch { return .failure(error) }
    }
    held = []
    try outcome.get()
  }
}
