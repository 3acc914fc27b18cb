import BackupModel
import Diagnostics
import Foundation
import StreamPipeline

/// Checks a backup's files against its manifest: every size, every SHA-256, nothing missing, nothing foreign that a restore would read.
///
/// The manifest itself was checked against SHA256SUMS when the backup was read.
package struct ChecksumCheck: Sendable {
  private let path: String
  private let files: [StoredFile]

  package init(_ backup: Backup) {
    path = backup.path
    files = backup.manifest.files
  }

  /// - Throws: failures to look: a file that may not be read is not damaged by that.
  /// - Parameters:
  ///   - isHashed: by the path within the backup; of the others only the place and the size are looked at.
  ///   - threads: files hashed at once.
  ///   - progress: told of the bytes of each file done.
  package func problems(
    hashing isHashed: @escaping @Sendable (_ path: String) -> Bool = { _ in true }, threads: Int,
    cancellation: Cancellation, progress: @escaping @Sendable (UInt64) -> Void
  ) throws(Failure) -> [Problem] {
    let files = files
    // The large ones first, so that no core is left with one at the end.
    let order = files.indices.sorted { files[$0].bytes > files[$1].bytes }
    let found = try inParallel(order, threads: threads, cancellation: cancellation) { (index) throws(Failure) in
      let file = files[index]
      let hashes = isHashed(file.path)
      defer { if hashes { progress(file.bytes) } }
      do throws(Failure) { return Found(problem: try check(file, hashes: hashes, cancellation)) } catch {
        return Found(failure: error)
      }
    }
    let problems = try namesProblems() + zip(order, found).sorted { $0.0 < $1.0 }.compactMap(\.1.problem)
    // Damage that was found is damage, whatever could not be looked at besides.
    if problems.isEmpty, let failure = found.lazy.compactMap(\.failure).first { throw failure }
    return problems
  }

  /// Whether some of the files are as the manifest has them.
  package func areWhole(
    _ isMeant: (_ path: String) -> Bool, _ cancellation: Cancellation
  ) throws(Failure) -> Bool {
    for file in files where isMeant(file.path) {
      guard try check(file, hashes: true, cancellation) == nil else { return false }
    }
    return true
  }

  private struct Found: Sendable {
    var problem: Problem?
    var failure: Failure?
  }

  private func check(
    _ file: StoredFile, hashes: Bool, _ cancellation: Cancellation
  ) throws(Failure) -> Problem? {
    guard isInside(file.path) else {
      return Problem(file: file.path, problem: "the manifest names a path outside the backup")
    }
    // A link in its place would lead outside as well.
    guard !file.path.hasPrefix("data/") || fileKind("\(path)/data") == .folder else {
      return Problem(file: file.path, table: file.table, problem: "is missing: data is no folder")
    }
    let full = "\(path)/\(file.path)"
    switch fileKind(full) {
    case .missing: return Problem(file: file.path, table: file.table, problem: "is missing")
    case .file: break
    case .unreadable(let number):
      let failure = cannotRead(full, number)
      guard failure.exit == .dataDamaged else { throw failure }
      return Problem(file: file.path, table: file.table, problem: "cannot be read: \(failure.why)")
    case .link, .folder, .other:
      return Problem(file: file.path, table: file.table, problem: "is no plain file")
    }
    func isOther(_ bytes: UInt64) -> Problem {
      Problem(file: file.path, table: file.table, problem: "has \(bytes) bytes instead of \(file.bytes)")
    }
    guard hashes else {
      let size = fileSize(full)
      return size == file.bytes ? nil : isOther(size)
    }
    do throws(Failure) {
      let (bytes, sha) = try hashFile(full, cancellation: cancellation)
      if bytes != file.bytes { return isOther(bytes) }
      return sha == file.sha256
        ? nil : Problem(file: file.path, table: file.table, problem: "SHA-256 differs from the manifest")
    } catch {
      guard error.exit == .dataDamaged else { throw error }
      return Problem(file: file.path, table: file.table, problem: "cannot be read: \(error.why)")
    }
  }

  private func isInside(_ path: String) -> Bool {
    !path.hasPrefix("/") && !path.split(separator: "/").contains("..")
  }

  /// A folder that is none is damage too.
  private func namesProblems() throws(Failure) -> [Problem] {
    do throws(Failure) {
      return try foreignNames().filter(isRead).map { Problem(file: $0, problem: "does not belong to the backup") }
    } catch {
      guard error.exit == .dataDamaged else { throw error }
      return [Problem(problem: "\(error.what): \(error.why)")]
    }
  }

  /// Files that no restore reads and the manifest does not name: notes, what a file manager or a network's file system left.
  package func strays() throws(Failure) -> [String] { try foreignNames().filter { !isRead($0) } }

  private func foreignNames() throws(Failure) -> [String] {
    let expected = Set(files.map(\.path)).union(recordNames).union(["data"])
    func isExpected(_ name: String) -> Bool { expected.contains(name) || isUnfinishedHold(name) }
    var names: [String] = []
    for folder in ["", "data/"] {
      names += try folderNames("\(path)/\(folder)").map { folder + $0 }.filter { !isExpected($0) }
    }
    return names
  }

  /// pg_restore takes `1.dat` before `1.dat.gz`; and a restore by hand begins with `globals.sql` and `database.sql`, and expands `*.zst`.
  private func isRead(_ name: String) -> Bool {
    let parts = name.split(separator: "/")
    guard parts.first == "data", parts.count == 2, var file = parts.last.map(String.init) else {
      return ["globals.sql", "database.sql"].contains(name)
    }
    if file.hasSuffix(".zst") { return true }
    for ending in [".gz", ".lz4"] where file.hasSuffix(ending) { file.removeLast(ending.count) }
    return file.hasSuffix(".dat") || file.hasSuffix(".toc")
  }
}
