import CZlib
import Diagnostics
import Foundation

/// zlib's own state points back to the stream, so that it must not move.
final class ZlibStream {
  let pointer: UnsafeMutablePointer<z_stream>
  let output: UnsafeMutableRawBufferPointer
  private let end: (UnsafeMutablePointer<z_stream>) -> Int32

  init(
    begin: (UnsafeMutablePointer<z_stream>) -> Int32, end: @escaping (UnsafeMutablePointer<z_stream>) -> Int32
  ) throws(Failure) {
    pointer = .allocate(capacity: 1)
    pointer.initialize(to: z_stream())
    output = .allocate(byteCount: 128 << 10, alignment: 16)
    self.end = end
    guard begin(pointer) == Z_OK else { throw .internalError("zlib gave no context") }
  }

  deinit {
    _ = end(pointer)
    pointer.deallocate()
    output.deallocate()
  }

  func give(_ bytes: UnsafeRawBufferPointer) {
    // zlib only reads from it.
    pointer.pointee.next_in = UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
    pointer.pointee.avail_in = UInt32(bytes.count)
  }

  /// Runs one call on a fresh output buffer.
  ///
  /// - Returns: zlib's answer, and what came out.
  func turn(_ call: (UnsafeMutablePointer<z_stream>) -> Int32) -> (code: Int32, UnsafeRawBufferPointer) {
    pointer.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
    pointer.pointee.avail_out = UInt32(output.count)
    let code = call(pointer)
    return (code, UnsafeRawBufferPointer(rebasing: output[..<(output.count - Int(pointer.pointee.avail_out))]))
  }

  /// Raw deflate below zero, gzip's header and trailer from 16 on (zlib.h).
  static func deflate(level: Int, windowBits: Int32) throws(Failure) -> ZlibStream {
    try ZlibStream(
      begin: {
        deflateInit2_(
          $0, Int32(level), Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
          Int32(MemoryLayout<z_stream>.size))
      }, end: deflateEnd)
  }
}

/// gzip on the calling thread.
package final class GzipCompressor: StreamCompressor {
  private let stream: ZlibStream

  /// - Parameter level: 1 to 9.
  package init(level: Int) throws(Failure) { stream = try .deflate(level: level, windowBits: 15 + 16) }

  package func compress(
    _ bytes: UnsafeRawBufferPointer, last: Bool, sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    stream.give(bytes)
    while true {
      let (code, piece) = stream.turn { deflate($0, last ? Z_FINISH : Z_NO_FLUSH) }
      guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else {
        throw .internalError("zlib failed: \(code)")
      }
      if !piece.isEmpty { try sink(piece) }
      if last ? code == Z_STREAM_END : stream.pointer.pointee.avail_out > 0 { break }
    }
    if last { reset() }
  }

  package func reset() { deflateReset(stream.pointer) }
}

/// Reads gzip, of several members too.
package final class GzipDecompressor: StreamDecompressor {
  private let stream: ZlibStream
  package private(set) var frameEnded = false

  package init() throws(Failure) {
    stream = try ZlibStream(
      begin: { inflateInit2_($0, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) }, end: inflateEnd)
  }

  package func decompress(
    _ bytes: UnsafeRawBufferPointer, sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    stream.give(bytes)
    while true {
      if frameEnded {
        guard stream.pointer.pointee.avail_in > 0 else { return }
        inflateReset(stream.pointer)
      }
      let (code, piece) = stream.turn { inflate($0, Z_NO_FLUSH) }
      guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else {
        throw damagedStream(stream.pointer.pointee.msg.map { String(cString: $0) } ?? "it is no gzip file")
      }
      frameEnded = code == Z_STREAM_END
      if !piece.isEmpty { try sink(piece) }
      if !frameEnded, stream.pointer.pointee.avail_in == 0, stream.pointer.pointee.avail_out > 0 { return }
    }
  }
}
