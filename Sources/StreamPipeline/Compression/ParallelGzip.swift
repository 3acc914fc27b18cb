import CZlib
import Diagnostics
import Foundation

/// gzip on several cores, as one member that every reader knows: blocks are deflated beside each other, each with the end of the one before
/// as its dictionary, and put together in order.
package final class ParallelGzipCompressor: StreamCompressor {
  private let level: Int
  private let threads: Int
  private let workers: DeflateWorkers
  private var block: [UInt8] = []
  /// The end of what came before the block.
  private var dictionary: ArraySlice<UInt8> = []
  private var begun = false
  private var checksum: UInt = 0
  private var length: UInt64 = 0
  /// In the order of their blocks.
  private var underWay: [DeflateJob] = []

  private static let blockSize = 256 << 10
  /// As far back as deflate looks.
  private static let window = 32 << 10

  /// - Parameter level: 1 to 9.
  package init(level: Int, threads: Int) {
    self.level = level
    self.threads = threads
    workers = DeflateWorkers(level: level, threads: threads)
  }

  deinit { workers.end() }

  package func compress(
    _ bytes: UnsafeRawBufferPointer, last: Bool, sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    if !begun {
      begun = true
      // RFC 1952: deflate, no name, no time, from a Unix.
      try ([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3] as [UInt8]).withBytes(sink)
    }
    var rest = bytes
    while !rest.isEmpty {
      let taken = min(rest.count, Self.blockSize - block.count)
      block.append(contentsOf: rest[..<taken])
      rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
      if block.count == Self.blockSize { try start(last: false, sink) }
    }
    guard last else { return }
    try start(last: true, sink)
    while !underWay.isEmpty { try take(sink) }
    try (littleEndian(UInt32(checksum)) + littleEndian(UInt32(truncatingIfNeeded: length))).withBytes(sink)
    reset()
  }

  package func reset() {
    for job in underWay { _ = job.wait() }
    (underWay, block, dictionary, begun, checksum, length) = ([], [], [], false, 0, 0)
  }

  private func start(last: Bool, _ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
    let job = DeflateJob(input: block, dictionary: dictionary, isLast: last)
    dictionary = block.suffix(Self.window)
    block = []
    block.reserveCapacity(Self.blockSize)
    workers.begin(job)
    underWay.append(job)
    // No more than keep every thread busy while the first result is written.
    if underWay.count > 2 * threads { try take(sink) }
  }

  /// The first result.
  private func take(_ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
    let job = underWay.removeFirst()
    guard let result = job.wait() else { throw .internalError("zlib failed") }
    checksum = crc32_combine(checksum, result.checksum, job.input.count)
    length += UInt64(job.input.count)
    try result.bytes.withBytes(sink)
  }

  private func littleEndian(_ number: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
  }
}

/// One block, and later what became of it.
private final class DeflateJob: @unchecked Sendable {
  let input: [UInt8]
  let dictionary: ArraySlice<UInt8>
  let isLast: Bool
  private let done = DispatchSemaphore(value: 0)
  private var result: (bytes: [UInt8], checksum: UInt)?

  init(input: [UInt8], dictionary: ArraySlice<UInt8>, isLast: Bool) {
    self.input = input
    self.dictionary = dictionary
    self.isLast = isLast
  }

  func finish(_ result: (bytes: [UInt8], checksum: UInt)?) {
    self.result = result
    done.signal()
  }

  /// Call it once.
  func wait() -> (bytes: [UInt8], checksum: UInt)? {
    done.wait()
    return result
  }
}

/// Threads that deflate blocks until they are told to end.
private final class DeflateWorkers: @unchecked Sendable {
  private let level: Int
  private let condition = NSCondition()
  // Guarded by `condition`.
  private var jobs: [DeflateJob] = []
  private var ended = false
  /// Threads that there are.
  private var workers = 0

  init(level: Int, threads: Int) {
    self.level = level
    for _ in 0..<threads where startThread({ [self] in work() }) { workers += 1 }
  }

  func begin(_ job: DeflateJob) {
    // Without a thread nobody would do it. It counts as failed.
    guard workers > 0 else { return job.finish(nil) }
    condition.withLock {
      jobs.append(job)
      condition.signal()
    }
  }

  func end() {
    condition.withLock {
      ended = true
      condition.broadcast()
    }
  }

  private func work() {
    let stream = try? ZlibStream.deflate(level: level, windowBits: -15)
    while let job = next() { job.finish(stream.flatMap { Self.deflated(job, $0) }) }
  }

  private func next() -> DeflateJob? {
    condition.lock()
    defer { condition.unlock() }
    while jobs.isEmpty {
      if ended { return nil }
      condition.wait()
    }
    return jobs.removeFirst()
  }

  private static func deflated(_ job: DeflateJob, _ stream: ZlibStream) -> (bytes: [UInt8], checksum: UInt)? {
    deflateReset(stream.pointer)
    if !job.dictionary.isEmpty {
      job.dictionary.withUnsafeBufferPointer {
        _ = deflateSetDictionary(stream.pointer, $0.baseAddress, UInt32($0.count))
      }
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(job.input.count / 2)
    var checksum: UInt = crc32(0, nil, 0)
    let isWhole = job.input.withUnsafeBytes { input in
      checksum = crc32(checksum, input.bindMemory(to: UInt8.self).baseAddress, UInt32(input.count))
      stream.give(input)
      while true {
        let (code, piece) = stream.turn { deflate($0, job.isLast ? Z_FINISH : Z_SYNC_FLUSH) }
        guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else { return false }
        bytes.append(contentsOf: piece)
        if job.isLast ? code == Z_STREAM_END : stream.pointer.pointee.avail_out > 0 { return true }
      }
    }
    return isWhole ? (bytes, checksum) : nil
  }
}
