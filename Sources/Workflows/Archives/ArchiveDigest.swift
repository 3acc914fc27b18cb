import BackupModel
import Diagnostics
import PostgresTools
import StreamPipeline

/// Digests a stored directory archive again, from its files.
struct ArchiveDigest {
  private let backup: Backup
  private let toolbox: Toolbox
  private let surroundings: Surroundings

  init(_ backup: Backup, toolbox: Toolbox, surroundings: Surroundings) {
    self.backup = backup
    self.toolbox = toolbox
    self.surroundings = surroundings
  }

  private enum Part: Sendable {
    case contents
    case data(stored: StoredFile, rawName: String)
  }

  private enum Found: Sendable {
    case contents(ArchiveContents)
    case data(rawName: String, ContentDigest?)
  }

  /// The contents are read beside the data: of many small tables they take as long.
  func compute() throws(Failure) -> DatabaseDigest {
    try toolbox.requireFiles(of: .directory, what: "backup \(backup.id)")
    let files = backup.manifest.dataFiles.sorted { $0.stored.bytes > $1.stored.bytes }
    let names = files.map(\.rawName)
    let parts = [Part.contents] + files.map { .data(stored: $0.stored, rawName: $0.rawName) }
    let (backup, toolbox, surroundings) = (backup, toolbox, surroundings)
    let found = try inParallel(parts, threads: surroundings.cores, cancellation: surroundings.cancellation) {
      (part) throws(Failure) -> Found in
      switch part {
      case .contents:
        return .contents(
          try ArchiveContents.read(
            data: "\(backup.path)/data", sealed: backup, rawNames: names, toolbox: toolbox, surroundings: surroundings))
      case .data(let stored, let rawName):
        defer { surroundings.reporter.advance(bytes: stored.bytes) }
        let digest = try DataFilePass.digest(
          stored, of: backup.path, rawName: rawName, cancellation: surroundings.cancellation)
        return .data(rawName: rawName, digest)
      }
    }
    var digests: [String: ContentDigest] = [:]
    var contents: ArchiveContents?
    for found in found {
      switch found {
      case .contents(let read): contents = read
      case .data(let rawName, let digest): digests[rawName] = digest
      }
    }
    guard let contents else { throw .internalError("the table of contents was not read") }
    let paths = Dictionary(files.map { ($0.rawName, "\(backup.path)/\($0.stored.path)") }) { first, _ in first }
    return try contents.digest(with: digests) { (file, rows) throws(Failure) in
      try ArchiveContents.digest(paths[file] ?? file, rows, surroundings)
    }
  }
}
