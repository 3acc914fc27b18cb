import CZstd
import Diagnostics

/// zstd, streamed: one object compresses one file after the other.
package final class ZstdCompressor: StreamCompressor {
  private let context: OpaquePointer
  private let buffer: UnsafeMutableRawBufferPointer

  /// - Parameters:
  ///   - level: 1 to 19.
  ///   - workers: threads beside the calling one; 0: it does the work.
  /// - Throws: `internal_error` when zstd has no memory or refuses the level.
  package init(level: Int, workers: Int = 0) throws(Failure) {
    guard let context = ZSTD_createCCtx() else { throw .internalError("zstd gave no compression context") }
    self.context = context
    buffer = .allocate(byteCount: ZSTD_CStreamOutSize(), alignment: 16)
    for (parameter, value) in [
      (ZSTD_c_compressionLevel, Int32(level)), (ZSTD_c_checksumFlag, 1), (ZSTD_c_nbWorkers, Int32(workers)),
    ] {
      guard ZSTD_isError(ZSTD_CCtx_setParameter(context, parameter, value)) == 0 else {
        throw .internalError("zstd refuses level \(level)")
      }
    }
  }

  deinit {
    ZSTD_freeCCtx(context)
    buffer.deallocate()
  }

  /// Compresses a piece and hands what comes out to `sink`; with `last` the frame is finished.
  package func compress(
    _ bytes: UnsafeRawBufferPointer, last: Bool, sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
    while true {
      var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
      let left = ZSTD_compressStream2(context, &output, &input, last ? ZSTD_e_end : ZSTD_e_continue)
      guard ZSTD_isError(left) == 0 else { throw .internalError("zstd: \(String(cString: ZSTD_getErrorName(left)))") }
      if output.pos > 0 { try sink(UnsafeRawBufferPointer(rebasing: buffer[..<output.pos])) }
      if last ? left == 0 : input.pos == input.size { return }
    }
  }

  /// Forgets a frame that was begun.
  package func reset() { ZSTD_CCtx_reset(context, ZSTD_reset_session_only) }
}

/// The inverse.
package final class ZstdDecompressor: StreamDecompressor {
  private let context: OpaquePointer
  private let buffer: UnsafeMutableRawBufferPointer
  /// Whether the bytes so far end with a whole frame.
  package private(set) var frameEnded = false

  package init() throws(Failure) {
    guard let context = ZSTD_createDCtx() else { throw .internalError("zstd gave no decompression context") }
    self.context = context
    buffer = .allocate(byteCount: ZSTD_DStreamOutSize(), alignment: 16)
  }

  deinit {
    ZSTD_freeDCtx(context)
    buffer.deallocate()
  }

  /// - Throws: `damaged_stream` when the bytes are no zstd frame or its checksum is wrong; what `sink` throws.
  package func decompress(
    _ bytes: UnsafeRawBufferPointer, sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
    var outputWasFull = false
    while input.pos < input.size || outputWasFull {
      var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
      let left = ZSTD_decompressStream(context, &output, &input)
      guard ZSTD_isError(left) == 0 else {
        throw damagedStream(String(cString: ZSTD_getErrorName(left)))
      }
      frameEnded = left == 0
      outputWasFull = output.pos == output.size && left != 0
      if output.pos > 0 { try sink(UnsafeRawBufferPointer(rebasing: buffer[..<output.pos])) }
    }
  }
}
