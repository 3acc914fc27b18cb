import BackupModel
import CXXHash

/// XXH3-128 of byte strings that may come in pieces, collected into a multiset.
struct RowHasher {
  private(set) var multiset = MultisetHash()
  private let stream: StreamingHash

  init() { stream = StreamingHash() }

  /// A whole item at once.
  @inline(__always)
  mutating func insert(_ start: UnsafeRawPointer, _ count: Int) {
    let hash = XXH3_128bits(start, count)
    multiset.insert(low: hash.low64, high: hash.high64)
  }

  /// A part of an item; parts add up until `finishItem`.
  func append(_ start: UnsafeRawPointer, _ count: Int) { stream.append(start, count) }

  mutating func finishItem() {
    let hash = stream.finish()
    multiset.insert(low: hash.low64, high: hash.high64)
  }

  /// Forgets the parts of an item that turned out not to be one.
  func dropItem() { stream.reset() }
}

/// XXH3-128 over parts: the same value as over the whole at once.
final class StreamingHash {
  private let state: OpaquePointer?

  init() {
    state = XXH3_createState()
    reset()
  }

  deinit { XXH3_freeState(state) }

  func append(_ start: UnsafeRawPointer, _ count: Int) {
    XXH3_128bits_update(state, start, count)
  }

  /// The hash of what was appended; starts anew.
  func finish() -> XXH128_hash_t {
    let hash = XXH3_128bits_digest(state)
    reset()
    return hash
  }

  func reset() { XXH3_128bits_reset(state) }
}
