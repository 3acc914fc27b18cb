import BackupModel
import Diagnostics
import Foundation

/// Writes one file of a backup: compresses it, and hashes what is stored.
package final class StoredFileWriter {
  /// Nil when the raw file stays as it is: then only its hash is wanted.
  private let path: String?
  /// Nil as long as everything is held.
  private var file: FileDescriptor?
  /// What is stored so far, if that is little.
  private var held: [UInt8] = []
  private let compressor: (any StreamCompressor)?
  private let sha: SHA256
  private var name = ""
  private(set) var storedBytes: UInt64 = 0
  private(set) var rawBytes: UInt64 = 0

  private static let mostHeld = 256 << 10

  init(path: String?, compressor: (any StreamCompressor)?) throws(Failure) {
    self.path = path
    self.compressor = compressor
    sha = try SHA256()
    compressor?.reset()
  }

  /// The file of a dump that is a stream; it is made when there is something to write.
  ///
  /// - Parameter threads: that compress it.
  package convenience init(creating path: String, compression: Compression, threads: Int) throws(Failure) {
    try self.init(path: path, compressor: try compression.compressor(threads: threads))
    name = lastName(of: path)
  }

  package func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    rawBytes += UInt64(bytes.count)
    try pass(bytes, last: false)
  }

  /// Ends the file.
  ///
  /// - Parameter raw: a file that is no longer wanted. One that is small becomes the stored file: to make a new one and remove the old
  ///   takes long where it is done for thousands (ext4 searches for an inode that was not in use a moment ago).
  /// - Returns: the SHA-256 of the stored bytes.
  func finish(insteadOf raw: String? = nil) throws(Failure) -> String {
    if compressor != nil { try pass(UnsafeRawBufferPointer(start: nil, count: 0), last: true) }
    if let path {
      if file == nil, let raw {
        try renameToFreeName(raw, path)
        try FileDescriptor.replaceContent(of: path, by: held)
      } else {
        try openFile(path)
        if let raw, unlink(raw) != 0 { throw cannotWrite(raw, errno) }
      }
    }
    return sha.finish()
  }

  /// Ends the file of a stream.
  package func stored() throws(Failure) -> StoredFile {
    let sha = try finish()
    return StoredFile(path: name, bytes: storedBytes, sha256: sha, rawBytes: rawBytes)
  }

  private func pass(_ bytes: UnsafeRawBufferPointer, last: Bool) throws(Failure) {
    guard let compressor else { return try store(bytes) }
    try compressor.compress(bytes, last: last) { (piece) throws(Failure) in try store(piece) }
  }

  private func store(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    sha.update(bytes)
    storedBytes += UInt64(bytes.count)
    guard let path else { return }
    if file == nil, held.count + bytes.count <= Self.mostHeld { return held += bytes }
    try openFile(path).write(bytes)
  }

  /// The file, with what was held.
  @discardableResult private func openFile(_ path: String) throws(Failure) -> FileDescriptor {
    if let file { return file }
    let file = try FileDescriptor.creating(path)
    try file.write(held)
    self.file = file
    held = []
    return file
  }
}
