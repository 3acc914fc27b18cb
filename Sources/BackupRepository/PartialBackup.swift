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
  /// The policy's folder.
  private let shelf: OpenFolder
  private let folder: OpenFolder
  private let data: OpenFolder?
  private var committed = false

  /// - Throws: `cannot_write`.
  package init(_ repository: Repository, policy: String, id: String, format: BackupFormat = .directory) throws(Failure)
  {
    self.id = id
    shelf = try OpenFolder(repository.folder(of: policy), depth: 1)
    step("make the partial backup")
    folder = try shelf.makeFolder(".partial-\(id)")
    path = folder.path
    data = format == .directory ? try folder.makeFolder("data") : nil
  }

  /// pg_dump, and what compresses behind it, go by the folders' names.
  ///
  /// - Throws: `folder_exchanged`.
  private func refuseExchanged(_ place: String) throws(Failure) {
    try folder.check(place)
    try data?.check("\(place)/data")
  }

  /// An unfinished one goes with its object.
  deinit {
    // What cannot be removed now is removed by the next run's sweep.
    if !committed { try? shelf.removeTree(lastName(of: path)) }
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
    try folder.write(Array(text.utf8), to: name)
    return StoredFile(path: name, bytes: UInt64(text.utf8.count), sha256: try SHA256.hash(of: text))
  }

  /// Takes out what a dump has left that did not come to its end. Another can be made in its place.
  ///
  /// - Throws: `cannot_write`.
  package func discardData() throws(Failure) {
    for name in try folderNames(path) where name.hasPrefix("data.") {
      try folder.remove(name)
    }
    guard let data else { return }
    for name in try folderNames(data.path) { try data.remove(name) }
  }

  /// Marks the backup as held before anyone can see it.
  package func place(_ hold: Hold) throws(Failure) {
    try refuseExchanged(path)
    try folder.write(try SealedLine.seal(hold, of: id), to: "hold.json")
  }

  /// Makes every data file durable. With many files one flush of the file system is quicker than one for each.
  package func synchronizeData() throws(Failure) {
    for name in try folderNames(path) where name.hasPrefix("data.") {
      step("make the data durable")
      try folder.file(name, O_RDONLY | O_NONBLOCK).synchronize()
    }
    guard let data else { return }
    step("make the data durable")
    let names = try folderNames(data.path)
    if names.count > 200 {
      try data.synchronizeFileSystem()
    } else {
      for name in names { try data.file(name, O_RDONLY | O_NONBLOCK).synchronize() }
    }
    try data.synchronize()
  }

  /// Makes the backup visible: sums, manifest, folder, rename, parent folder, in this order. Call it under the policy's lock.
  ///
  /// - Parameter rename: renames to a name that is free, or returns -errno.
  /// - Returns: the backup's final path.
  package func commit(
    _ manifest: Manifest,
    rename: (_ folder: Int32, _ from: String, _ to: String) -> Int32 = { cprocess_rename_new($0, $1, $2) }
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
    try folder.write(try checksumList(of: manifest, encoded: encoded), to: "SHA256SUMS")
    try folder.write(encoded, to: "manifest.json")
    try folder.synchronize()
    let final = "\(shelf.path)/\(id)"
    step("rename the backup")
    try shelf.rename(lastName(of: path), toFree: id, by: rename)
    committed = true
    try refuseExchanged(final)
    step("make the name durable")
    try shelf.synchronize()
    return final
  }
}
