import BackupModel

/// The bytes of a statement while it is read; of one that is hashed only its beginning and its end are kept.
struct StatementText {
  /// Kept of the beginning, in bytes: no name of what a comment is on is longer.
  private static let beginning = 64 << 10
  /// Kept of the end, in bytes.
  private static let end = 1 << 10

  private var bytes: [UInt8] = []
  private var hashed: (beginning: [UInt8], hasher: RowHasher, count: Int)?

  var isEmpty: Bool { count == 0 }
  /// In bytes, the hashed ones too.
  var count: Int { (hashed?.count ?? 0) + bytes.count }
  var last: UInt8? { bytes.last }

  mutating func append(_ byte: UInt8) { bytes.append(byte) }
  mutating func append(contentsOf more: some Collection<UInt8>) { bytes.append(contentsOf: more) }

  func ends(with end: [UInt8]) -> Bool { bytes.suffix(end.count).elementsEqual(end) }

  func starts(with words: String) -> Bool { (hashed?.beginning ?? bytes).starts(with: words.utf8) }

  /// Hashes what there is but for its end, once there is more than a MiB of it.
  mutating func hashWhatIsLong() {
    guard bytes.count > 1 << 20 else { return }
    var hashing = hashed ?? (Array(bytes.prefix(Self.beginning)), RowHasher(), 0)
    let length = bytes.count - Self.end
    bytes.withUnsafeBytes { if let base = $0.baseAddress { hashing.hasher.append(base, length) } }
    bytes.removeFirst(length)
    hashing.count += length
    hashed = hashing
  }

  /// The statement without the white space at its end; then it is empty.
  mutating func finish() -> Finished {
    while let last = bytes.last, last == 0x20 || last == 0x0A || last == 0x09 || last == 0x0D { bytes.removeLast() }
    defer {
      hashed = nil
      bytes.removeAll(keepingCapacity: bytes.count < 1 << 20)
    }
    guard var hashing = hashed else { return .whole(bytes) }
    bytes.withUnsafeBytes { if let base = $0.baseAddress { hashing.hasher.append(base, $0.count) } }
    hashing.hasher.finishItem()
    return .hashed(beginning: hashing.beginning, hashing.hasher.multiset)
  }

  enum Finished {
    case whole([UInt8])
    /// - Parameter hash: the statement's, as a multiset of one.
    case hashed(beginning: [UInt8], MultisetHash)
  }
}
