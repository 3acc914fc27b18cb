import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// The table of contents of a directory archive as `pg_restore -l` prints it: in the order in which pg_restore renders it.
struct ArchiveListing {
  let entries: [Entry]

  /// A line such as `3412; 0 16397 TABLE DATA public orders app`.
  struct Entry {
    let line: Substring
    /// The dump id: pg_dump names the file of the entry's data after it.
    let number: Substring
    /// Kind, schema, name and owner, with spaces between them and in place of line ends.
    let what: Substring

    init?(_ line: Substring) {
      let parts = line.utf8.split(separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
      guard parts.count == 4, parts[0].last == UInt8(ascii: ";"), let number = UInt32(Substring(parts[0].dropLast()))
      else { return nil }
      self.line = line
      self.number = Substring("\(number)")
      what = Substring(parts[3])
    }

    func isOne(of kinds: String...) -> Bool { kinds.contains { what.utf8.starts(with: "\($0) ".utf8) } }

    /// Whether the entry is the rows of this table, as far as a line can tell.
    func isRows(of schema: String, _ name: String) -> Bool {
      let oneLine = "TABLE DATA \(schema) \(name) ".replacing(/[\r\n]/, with: " ")
      return what.utf8.starts(with: oneLine.utf8)
    }
  }

  /// - Parameter folder: with the archive's tables of contents; none of its data is read.
  /// - Throws: `unreadable_archive`.
  init(_ folder: String, toolbox: Toolbox, surroundings: Surroundings) throws(Failure) {
    var bytes: [UInt8] = []
    let exit = try surroundings.runner.run(toolbox.command("pg_restore", ["-l", "-Fd", folder])) {
      (piece) throws(Failure) in bytes += piece
    }
    guard exit.succeeded else { throw unreadableArchive("toc.dat", exit) }
    entries = String(decoding: bytes, as: UTF8.self).utf8.split(separator: 0x0A).compactMap { Entry(Substring($0)) }
  }

  /// The rows of tables, in the order of their COPY statements.
  var rows: [Entry] { entries.filter { $0.isOne(of: "TABLE DATA") } }
}

extension ArchiveListing.Entry {
  /// The name that pg_dump gave the file of its rows.
  var rawFile: String { "\(number).dat" }
}

/// pg_restore could not read it.
func unreadableArchive(_ what: String, _ exit: ChildExit) -> Failure {
  Failure(
    "unreadable_archive", exit: .dataDamaged, what: "reading \(what)", why: exit.lastLines.last ?? exit.description,
    nextStep: "use another backup", details: exit.lastLines.dropLast())
}

/// Makes files of one text in place of an archive's data files.
///
/// They are names of one file where that can be had. A new file for each takes long where many were just removed, as behind a dump of
/// many tables: ext4 searches for an inode that was not in use a moment ago.
func makeStandIns(_ rawNames: some Sequence<String>, text: String, in folder: String) throws(Failure) {
  var last: String?
  for name in rawNames {
    let path = "\(folder)/\(name)"
    if let last, link(last, path) == 0 { continue }
    try FileDescriptor.creating(path).write(Array(text.utf8))
    last = path
  }
}
