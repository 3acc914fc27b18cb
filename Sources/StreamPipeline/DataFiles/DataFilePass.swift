import BackupModel
import Diagnostics
import Foundation

/// The one pass over a data file of a directory archive: read, digest, compress, hash, write; and its inverse.
///
/// One object serves one thread, file after file.
package final class DataFilePass {
  /// What the pass found and left.
  package struct Result: Sendable {
    package var stored: StoredFile
    package var content: ContentDigest?
    /// How much of the raw file was given back while it was read.
    package var givenBack: UInt64 = 0
  }

  /// Whether the file system takes back what was read; true until it refused.
  package private(set) var canGiveBack = true
  private let compressor: (any StreamCompressor)?
  private let ending: String

  package init(compression: Compression) throws(Failure) {
    compressor = try compression.compressor(threads: 1)
    ending = compression.ending
  }

  /// Follows a raw file that pg_dump is still writing, to its end, and stores it beside.
  ///
  /// What was read is given back to the file system at once where that can do it, so that a table needs no room for its
  /// raw form; at the end the raw file is removed, or, when it is small, has become the stored one. Without compression it is that anyway.
  /// - Parameters:
  ///   - name: the raw file, in `folder`.
  ///   - waitForMore: called at the end of the file; false once the writer has closed it.
  ///   - progress: told of each piece's bytes; what it throws ends the pass.
  package func follow(
    _ name: String, in folder: String, waitForMore: () throws(Failure) -> Bool, progress: (Int) throws(Failure) -> Void
  ) throws(Failure) -> Result {
    let raw = "\(folder)/\(name)"
    let storedName = name + ending
    let input = try FileDescriptor.reading(raw, givingBack: compressor != nil)
    let writer = try StoredFileWriter(
      path: compressor == nil ? nil : "\(folder)/\(storedName)", compressor: compressor)
    var scanner = ContentScanner(DataFileKind(name: name))
    var puncher = compressor == nil ? nil : HolePuncher(input)
    try withDataBuffer { (buffer) throws(Failure) in
      var closed = false
      while true {
        let count = try input.read(into: buffer)
        if count == 0 {
          if closed { return }
          // Once more after the close: for what was written between the last read and it.
          closed = try !waitForMore()
          continue
        }
        let piece = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])
        scanner.scan(piece)
        try writer.write(piece)
        puncher?.consumed(count)
        canGiveBack = puncher?.works ?? false
        try progress(count)
      }
    }
    let content = try scanner.finish(name: name)
    let sha = try writer.finish(insteadOf: raw)
    return Result(
      stored: StoredFile(path: storedName, bytes: writer.storedBytes, sha256: sha, rawBytes: writer.rawBytes),
      content: content, givenBack: puncher?.punched ?? 0)
  }

  /// Reads a stored file of a backup back, and looks meanwhile whether it is what the backup's manifest says: what was verified a moment ago may be
  /// another file by now.
  ///
  /// - Parameter backup: the backup's folder.
  /// - Throws: as the other one; `file_changed`, at the end, or as soon as it has more raw bytes than it should.
  package static func expand(
    _ file: StoredFile, of backup: String, cancellation: Cancellation = Cancellation(),
    sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    let path = "\(backup)/\(file.path)"
    let sha = try SHA256()
    var (stored, raw): (UInt64, UInt64) = (0, 0)
    let isCompressed = try Compression.decompressor(of: path) != nil
    let most = file.rawBytes ?? (isCompressed ? .max : file.bytes)
    let changed = Failure(
      "file_changed", exit: .dataDamaged, what: "reading \(path)", why: "it is not the file that the manifest names",
      nextStep: "find out who writes to the repository, and use another backup")
    try expand(path, cancellation: cancellation) { (piece) in
      sha.update(piece)
      stored += UInt64(piece.count)
    } sink: { (piece) throws(Failure) in
      raw += UInt64(piece.count)
      guard raw <= most else { throw changed }
      try sink(piece)
    }
    guard stored == file.bytes, sha.finish() == file.sha256 else { throw changed }
  }

  /// Reads a stored file back: its raw bytes go to `sink`.
  ///
  /// - Parameter seen: is told the bytes as they are stored.
  /// - Throws: `damaged_stream` when it cannot be decompressed to a whole frame's end; `Failure.stopped`; what `sink` throws.
  package static func expand(
    _ path: String, cancellation: Cancellation = Cancellation(), seen: (UnsafeRawBufferPointer) -> Void = { _ in },
    sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    let input = try FileDescriptor.reading(path)
    let decompressor = try Compression.decompressor(of: path)
    try withDataBuffer { (buffer) throws(Failure) in
      while true {
        let count = try input.read(into: buffer)
        if count == 0 { break }
        let piece = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])
        seen(piece)
        guard let decompressor else {
          try cancellation.check()
          try sink(piece)
          continue
        }
        // Few stored bytes may be a great many raw ones.
        try decompressor.decompress(piece) { (raw) throws(Failure) in
          try cancellation.check()
          try sink(raw)
        }
      }
    }
    guard decompressor?.frameEnded ?? true else {
      throw Failure(
        "damaged_stream", exit: .dataDamaged, what: "decompressing \(path)", why: "it ends within a frame",
        nextStep: "use another backup")
    }
  }

  /// Reads a stored data file of a backup to its end and digests its content.
  package static func digest(
    _ file: StoredFile, of backup: String, rawName: String, cancellation: Cancellation = Cancellation()
  ) throws(Failure) -> ContentDigest? {
    var scanner = ContentScanner(DataFileKind(name: rawName))
    try expand(file, of: backup, cancellation: cancellation) { scanner.scan($0) }
    return try scanner.finish(name: rawName)
  }
}
