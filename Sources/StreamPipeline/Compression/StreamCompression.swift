import BackupModel
import Diagnostics

/// Compresses one stream after the other. Pieces may be split anywhere.
package protocol StreamCompressor: AnyObject {
  /// Compresses a piece and hands what comes out to `sink`; with `last` the stream is finished.
  func compress(
    _ bytes: UnsafeRawBufferPointer, last: Bool, sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure)
  /// Forgets a stream that was begun.
  func reset()
}

/// The inverse.
package protocol StreamDecompressor: AnyObject {
  /// Whether the bytes so far end with a whole stream.
  var frameEnded: Bool { get }
  /// - Throws: `damaged_stream`; what `sink` throws.
  func decompress(
    _ bytes: UnsafeRawBufferPointer, sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure)
}

extension Compression {
  /// - Parameter threads: for one stream; 1 where several streams are compressed at once.
  /// - Returns: nil for no compression.
  package func compressor(threads: Int) throws(Failure) -> (any StreamCompressor)? {
    switch self {
    case .none: nil
    case .zstd(let level): try ZstdCompressor(level: level, workers: threads > 1 ? threads : 0)
    case .gzip(let level):
      threads > 1
        ? ParallelGzipCompressor(level: level, threads: threads) : try GzipCompressor(level: level)
    }
  }

  /// By the ending of a stored file's name; nil when it is stored raw.
  package static func decompressor(of name: String) throws(Failure) -> (any StreamDecompressor)? {
    if name.hasSuffix(".zst") { return try ZstdDecompressor() }
    return name.hasSuffix(".gz") ? try GzipDecompressor() : nil
  }
}

/// A stored file's name without what its compression added.
package func rawName(_ name: String) -> String {
  for ending in [".zst", ".gz"] where name.hasSuffix(ending) { return String(name.dropLast(ending.count)) }
  return name
}

func damagedStream(_ why: String) -> Failure {
  Failure("damaged_stream", exit: .dataDamaged, what: "decompressing", why: why, nextStep: "use another backup")
}
