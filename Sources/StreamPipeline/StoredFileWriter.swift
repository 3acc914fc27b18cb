import BackupModel
import Diagnostics
import Foundation

/// Writes one file of a backup: compresses it, and hashes what is stored.
package final class StoredFileWriter {
  /// Nil when the raw file stays as it is: then only its hash is wanted.
  private let file: FileDescriptor?
  private let compressor: (any StreamCompressor)?
  private let sha: SHA256
  private var name = ""
  private(set) var storedBytes: UInt64 = 0
  private(set) var rawBytes: UInt64 = 0

  init(path: String?, compressor: (any StreamCompressor)?) throws(Failure) {
    file = if let path { try .creating(path) } else { nil }
    self.compressor = compressor
    sha = try SHA256()
    compressor?.reset()
  }

  /// Creates the file of a dump that is a stream.
  ///
  /// - Parameter threads: that compress it.
  package convenience init(creating path: String, compression: Compression, threads: Int) throws(Failure) {
    try self.init(path: path, compressor: try compression.compressor(threads: threads))
    name = (path as NSString).lastPathComponent
  }

  package func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    rawBytes += UInt64(bytes.count)
    try pass(bytes, last: false)
  }

  /// Ends the file.
  ///
  /// - Returns: the SHA-256 of the stored bytes.
  func finish() throws(Failure) -> String {
    if compressor != nil { try pass(UnsafeRawBufferPointer(start: nil, count: 0), last: true) }
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
    try file?.write(bytes)
  }
}
