import BackupModel
import Diagnostics
import Foundation

/// Writes one file of a backup: compresses it, and hashes what is stored.
final class StoredFileWriter {
  /// Nil when the raw file stays as it is: then only its hash is wanted.
  private let file: FileDescriptor?
  private let compressor: ZstdCompressor?
  private let sha: SHA256
  private(set) var storedBytes: UInt64 = 0
  private(set) var rawBytes: UInt64 = 0

  init(path: String?, compressor: ZstdCompressor?) throws(Failure) {
    file = if let path { try .creating(path) } else { nil }
    self.compressor = compressor
    sha = try SHA256()
    compressor?.reset()
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
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
