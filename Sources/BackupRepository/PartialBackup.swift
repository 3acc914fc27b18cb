import BackupModel
import CProcess
import Diagnostics
import Foundation
import StreamPipeline

/// A backup being written: `.partial-<id>`, seen by nobody until it is whole.
package final class PartialBackup {
  package let id: String
  /// Absolute path of the partial folder.
  package let path: String
  private let folder: String
  private let identity: FolderIdentity
  private let dataIdentity: FolderIdentity?
  private var committed = false

  /// - Throws: `cannot_write`.
  package init(_ repository: Repository, policy: String, id: String, format: BackupFormat = .directory) throws(Failure)
  {
    self.id = id
    folder = repository.folder(of: policy)
    path = "\(folder)/.partial-\(id)"
    step("make the partial backup")
    guard mkdir(path, 0o700) == 0, format != .directory || mkdir("\(path)/data", 0o700) == 0 else {
      throw cannotWrite(path, errno)
    }
    identity = try FolderIdentity(path)
    dataIdentity = format == .directory ? try FolderIdentity("\(path)/data") : nil
  }

  /// pg_dump, and all that is written, go by the folders' names.
  ///
  /// - Throws: `folder_exchanged`.
  private func refuseExchanged(_ place: String) throws(Failure) {
    try identity.check(place)
    try dataIdentity?.check("\(place)/data")
  }

  /// An unfinished one goes with its object.
  deinit {
    // What cannot be removed now is removed by the next run's sweep.
    if !committed { _ = FolderTree.remove(path) }
  }

  /// An id for something new. It sorts behind that of the last one, also where both began within the same second.
  ///
  /// - Returns: with the moment that it is of.
  package static func makeID(after last: (id: String, at: Date)?, now: () -> Date) -> (id: String, at: Date) {
    while true {
      let moment = now()
      let id = makeID(now: moment)
      guard let last, id < last.id, abs(moment.timeIntervalSince(last.at)) < 1 else { return (id, moment) }
      usleep(1_000)
    }
  }

  /// A name that sorts by time. Nothing is ever parsed out of it.
  package static func makeID(now: Date) -> String {
    let stamp = timestamp(now).filter { $0 != "-" && $0 != ":" }
    let random = String(UInt32.random(in: 0...0xFF_FFFF), radix: 16)
    return "\(stamp)-\(String(repeating: "0", count: 6 - random.count))\(random)"
  }

  /// Writes a small text file.
  ///
  /// - Returns: its entry for the manifest.
  package func write(_ text: String, to name: String) throws(Failure) -> StoredFile {
    try refuseExchanged(path)
    try writeDurably(Array(text.utf8), to: "\(path)/\(name)")
    return StoredFile(path: name, bytes: UInt64(text.utf8.count), sha256: try SHA256.hash(of: text))
  }

  /// Takes out what a dump has left that did not come to its end. Another can be made in its place.
  ///
  /// - Throws: `cannot_write`.
  package func discardData() throws(Failure) {
    for name in try folderNames(path) where name.hasPrefix("data.") {
      guard unlink("\(path)/\(name)") == 0 else { throw cannotWrite("\(path)/\(name)", errno) }
    }
    let data = "\(path)/data"
    guard fileKind(data) == .folder else { return }
    for name in try folderNames(data) {
      guard unlink("\(data)/\(name)") == 0 else { throw cannotWrite("\(data)/\(name)", errno) }
    }
  }

  /// Marks the backup as held before anyone can see it.
  package func place(_ hold: Hold) throws(Failure) {
    try refuseExchanged(path)
    try writeDurably(try SealedLine.seal(hold, of: id), to: "\(path)/hold.json")
  }

  /// Makes every data file durable. With many files one flush of the file system is quicker than one for each.
  package func synchronizeData() throws(Failure) {
    for name in try folderNames(path) where name.hasPrefix("data.") {
      step("make the data durable")
      try FileDescriptor.reading("\(path)/\(name)").synchronize()
    }
    let data = "\(path)/data"
    guard fileKind(data) == .folder else { return }
    step("make the data durable")
    let names = try folderNames(data)
    if names.count > 200 {
      let directory = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      defer { close(directory) }
      let result = cprocess_sync_file_system(directory)
      guard directory >= 0, result == 0 else { throw cannotWrite(data, -result) }
    } else {
      for name in names { try FileDescriptor.reading("\(data)/\(name)").synchronize() }
    }
    try synchronizeFolder(data)
  }

  /// Makes the backup visible: sums, manifest, folder, rename, parent folder, in this order. Call it under the policy's lock.
  ///
  /// - Parameter rename: renames to a name that is free, or returns -errno.
  /// - Returns: the backup's final path.
  package func commit(
    _ manifest: Manifest, rename: (_ from: String, _ to: String) -> Int32 = { cprocess_rename_new($0, $1) }
  ) throws(Failure) -> String {
    guard let data = try? Manifest.encoder().encode(manifest) else {
      throw .internalError("the manifest cannot be encoded")
    }
    let encoded = Array(data) + [0x0A]
    guard encoded.count <= Manifest.mostMegabytes << 20 else {
      throw Failure(
        "manifest_too_large", exit: .failed, what: "backup \(id)",
        why: "its manifest would have more than \(Manifest.mostMegabytes) MiB, for \(manifest.files.count) files",
        nextStep: "write backup.format: custom, which keeps everything in one file")
    }
    try refuseExchanged(path)
    try writeDurably(try checksumList(of: manifest, encoded: encoded), to: "\(path)/SHA256SUMS")
    try writeDurably(encoded, to: "\(path)/manifest.json")
    try synchronizeFolder(path)
    let final = "\(folder)/\(id)"
    step("rename the backup")
    try renameToFreeName(path, final, rename: rename)
    committed = true
    try refuseExchanged(final)
    step("make the name durable")
    try synchronizeFolder(folder)
    return final
  }
}
