import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import StreamPipeline

/// A folder that pg_restore can read a directory archive from: its tables of contents and its large objects as plain files, without the
/// rows. It goes with its owner.
struct ArchiveFolder {
  private let work: WorkFolder
  var path: String { work.path }

  /// - Parameters:
  ///   - standIn: the text in place of the rows of a table; nil: they have no files.
  ///   - objects: false: large objects are empty.
  /// - Throws: `no_space`, before anything is written; `damaged_stream`.
  init(_ backup: Backup, surroundings: Surroundings, standIn: String? = nil, objects: Bool = true) throws(Failure) {
    work = try WorkFolder()
    let names = backup.manifest.files.filter { $0.path.hasPrefix("data/") }.map { file in
      (file: file, raw: rawName(String(file.path.dropFirst(5))))
    }
    func isEmpty(_ kind: DataFileKind) -> Bool { if case .largeObject = kind { !objects } else { false } }
    let whole = names.filter { DataFileKind(name: $0.raw) != .rows && !isEmpty(DataFileKind(name: $0.raw)) }
    try Self.checkSpace(whole.reduce(0) { $0 + ($1.file.rawBytes ?? $1.file.bytes) }, in: path)
    let (path, cancellation) = (path, surroundings.cancellation)
    _ = try inParallel(whole, threads: surroundings.cores, cancellation: cancellation) { (part) throws(Failure) in
      let output = try FileDescriptor.creating("\(path)/\(part.raw)")
      try DataFilePass.expand(part.file, of: backup.path, cancellation: cancellation) {
        (piece) throws(Failure) in try output.write(piece)
      }
    }
    for name in names.map(\.raw) where name.hasSuffix(".toc") { try Self.checkObjects(name, in: path) }
    try makeStandIns(names.map(\.raw).filter { isEmpty(DataFileKind(name: $0)) }, text: "", in: path)
    guard let standIn else { return }
    try makeStandIns(names.map(\.raw).filter { DataFileKind(name: $0) == .rows }, text: standIn, in: path)
  }

  /// A table of contents of large objects names their files, and an older pg_restore opens whatever it names.
  ///
  /// - Throws: `foreign_file_name`.
  static func checkObjects(_ name: String, in folder: String) throws(Failure) {
    guard let data = try contents("\(folder)/\(name)", atMost: 1024) else { return }
    let isFine = data.split(separator: 0x0A).allSatisfy { line in
      String(decoding: line, as: UTF8.self).wholeMatch(of: #/[0-9]+ blob_[0-9]+\.dat/#) != nil
    }
    guard !isFine else { return }
    throw foreignFileName(name)
  }

  static func foreignFileName(_ place: String) -> Failure {
    Failure(
      "foreign_file_name", exit: .dataDamaged, what: "reading the archive",
      why: "\(place) names a file that pg_dump would not",
      nextStep: "find out who writes to the repository; use another backup")
  }

  private static func checkSpace(_ needed: UInt64, in folder: String) throws(Failure) {
    let free = freeBytes(folder)
    guard free < needed else { return }
    throw Failure(
      "no_space", exit: .cannotWrite, what: "temporary folder \(folder)",
      why: "the large objects need \(sizeText(needed)) there meanwhile, and \(sizeText(free)) are free",
      nextStep: "set TMPDIR to a folder with more room")
  }

  /// What one call of pg_restore restores.
  enum Portion: String {
    /// All but what the others have: sequences, large objects, and everything that is no data.
    case main
    case privileges, refreshes, eventTriggers
    /// Of the main one: they are set again at the end.
    case sequences

    init?(of entry: ArchiveListing.Entry) {
      // Our own sessions load the rows.
      if entry.isRows { return nil }
      self =
        entry.isPrivilege ? .privileges : entry.isRefresh ? .refreshes : entry.isOfEventTrigger ? .eventTriggers : .main
    }
  }

  /// Files for `pg_restore -L`, for the portions that have something in them.
  func lists(_ toolbox: Toolbox, _ surroundings: Surroundings) throws(Failure) -> [Portion: String] {
    var lines: [Portion: [ArraySlice<UInt8>]] = [.main: []]
    for entry in try ArchiveListing(path, toolbox: toolbox, surroundings: surroundings).entries {
      if let portion = Portion(of: entry) { lines[portion, default: []].append(entry.line) }
      if entry.isSequenceSet { lines[.sequences, default: []].append(entry.line) }
    }
    var files: [Portion: String] = [:]
    for (portion, lines) in lines {
      files[portion] = "\(path)/list-\(portion.rawValue)"
      try FileDescriptor.creating("\(path)/list-\(portion.rawValue)").write(Array(lines.joined(separator: [0x0A])))
    }
    return files
  }
}
