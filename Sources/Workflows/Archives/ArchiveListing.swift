import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// The table of contents of a directory archive as `pg_restore -l` prints it: in the order in which pg_restore renders it.
struct ArchiveListing {
  let entries: [Entry]

  /// A line such as `3412; 0 16397 TABLE DATA public orders app`, in the bytes of the database's encoding.
  struct Entry: Sendable {
    let line: ArraySlice<UInt8>
    /// The dump id: pg_dump names the file of the entry's data after it.
    let number: UInt32
    /// The system catalog that the entry is an object of; 0: it is none, as the rows of a table.
    let catalog: UInt32
    /// Kind, schema, name and owner, with spaces between them and in place of line ends.
    let what: ArraySlice<UInt8>

    init?(_ line: ArraySlice<UInt8>) {
      let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
      guard parts.count == 4, parts[0].last == UInt8(ascii: ";"), let number = Self.number(parts[0].dropLast()),
        let catalog = Self.number(parts[1])
      else { return nil }
      (self.line, self.number, self.catalog, what) = (line, number, catalog, parts[3])
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt32? {
      UInt32(String(decoding: digits, as: UTF8.self))
    }

    /// A table of a schema "DATA" reads as one that is rows; so the catalog is looked at, too.
    private func isData(_ kind: String) -> Bool { catalog == 0 && what.starts(with: "\(kind) ".utf8) }

    var isRows: Bool { isData("TABLE DATA") }
    var isRefresh: Bool { isData("MATERIALIZED VIEW DATA") }
    var isSequenceSet: Bool { isData("SEQUENCE SET") }
    var isPrivilege: Bool {
      isData("ACL") || catalog == Self.defaultPrivileges && what.starts(with: "DEFAULT ACL ".utf8)
    }
    /// The trigger itself, or what is said of it.
    var isOfEventTrigger: Bool {
      if what.starts(with: "EVENT TRIGGER ".utf8) { return true }
      guard isData("COMMENT") || isData("SECURITY LABEL") else { return false }
      return String(decoding: what, as: UTF8.self).prefixMatch(of: #/(COMMENT|SECURITY LABEL) \S+ EVENT TRIGGER /#)
        != nil
    }

    /// pg_default_acl, as its number has been since there is one.
    private static let defaultPrivileges: UInt32 = 826

    /// The name that pg_dump gave the file of its rows.
    var rawFile: String { "\(number).dat" }
  }

  /// - Parameter folder: with the archive's tables of contents; none of its data is read.
  /// - Throws: `unreadable_archive`.
  init(_ folder: String, toolbox: Toolbox, surroundings: Surroundings) throws(Failure) {
    var bytes: [UInt8] = []
    let exit = try surroundings.runner.run(toolbox.command("pg_restore", ["-l", "-Fd", folder])) {
      (piece) throws(Failure) in bytes += piece
    }
    guard exit.succeeded else { throw unreadableArchive("toc.dat", exit) }
    entries = bytes.split(separator: 0x0A).compactMap { Entry($0) }
  }

  /// The rows of tables, in the order of their COPY statements.
  var rows: [Entry] { entries.filter(\.isRows) }
}

/// The tables whose rows an archive lists, by the names of COPY statements.
struct ListedTables {
  /// Of each table `schema name owner`, in order.
  private let names: [ArraySlice<UInt8>]

  init(_ rows: [ArchiveListing.Entry]) {
    names = rows.map { $0.what.dropFirst("TABLE DATA ".utf8.count) }.sorted { $0.lexicographicallyPrecedes($1) }
  }

  /// Whether the entry is the rows of this table, as far as a line can tell.
  static func isRows(_ entry: ArchiveListing.Entry, of target: CopyTarget) -> Bool {
    entry.isRows && entry.what.dropFirst("TABLE DATA ".utf8.count).starts(with: beginning(target))
  }

  /// - Parameter owners: roles that own something: with them the name `h` is told from one that begins with `h ` and goes on.
  func contains(_ target: CopyTarget, owners: Set<[UInt8]>) -> Bool {
    let beginning = Self.beginning(target)
    var (low, high) = (0, names.count)
    while low < high {
      let middle = (low + high) / 2
      if names[middle].lexicographicallyPrecedes(beginning) { low = middle + 1 } else { high = middle }
    }
    return names[low...].prefix { $0.starts(with: beginning) }.contains {
      owners.contains(Array($0.dropFirst(beginning.count)))
    }
  }

  /// Who owns the table of an entry that `isRows` of it.
  static func owner(_ entry: ArchiveListing.Entry, of target: CopyTarget) -> [UInt8] {
    Array(entry.what.dropFirst("TABLE DATA ".utf8.count + beginning(target).count))
  }

  private static func beginning(_ target: CopyTarget) -> [UInt8] {
    (target.bareName + [UInt8(ascii: " ")]).map { $0 == 0x0A || $0 == 0x0D ? UInt8(ascii: " ") : $0 }
  }
}

/// pg_restore could not read it.
func unreadableArchive(_ what: String, _ exit: ChildExit) -> Failure {
  guard isAboutTheArchive(exit) else { return exit.failure(of: "pg_restore") }
  return Failure(
    "unreadable_archive", exit: .dataDamaged, what: "reading \(what)", why: exit.lastLines.last ?? exit.description,
    nextStep: "use another backup", details: exit.lastLines.dropLast())
}

/// Only what pg_restore says itself, by exit 1 and under its name, is about the archive, or that it crashes on it. One that was killed, did
/// not start, or had no means left, or a wrapper that failed in its place, says nothing of it.
private func isAboutTheArchive(_ exit: ChildExit) -> Bool {
  switch exit.status {
  case .signalled(let signal): return [SIGSEGV, SIGABRT, SIGFPE].contains(signal)
  case .exited(1):
    let lacksMeans = exit.lastLines.contains { line in
      [EMFILE, ENFILE, ENOMEM, ENOSPC, EACCES, EPERM].contains { line.hasSuffix(": " + systemError($0)) }
    }
    return !lacksMeans && exit.lastLines.contains { $0.hasPrefix("pg_restore: ") }
  case .exited: return false
  }
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
