import BackupModel
import CXXHash
import Diagnostics
import Foundation

/// A call by which a dump writes large objects.
enum LargeObjectCall {
  case open(oid: UInt32)
  case write([UInt8])
  case close

  /// - Parameter call: the statement after `SELECT pg_catalog.`.
  init?(_ call: ArraySlice<UInt8>) {
    if call.starts(with: "lo_open('".utf8) {
      let digits = call.dropFirst("lo_open('".utf8.count).prefix { $0 != UInt8(ascii: "'") }
      guard let oid = UInt32(String(decoding: digits, as: UTF8.self)) else { return nil }
      self = .open(oid: oid)
    } else if call.starts(with: "lowrite(0, '\\x".utf8) {
      guard let bytes = decodeHexadecimal(call.dropFirst("lowrite(0, '\\x".utf8.count).dropLast(2)) else { return nil }
      self = .write(bytes)
    } else if call.starts(with: "lo_close(".utf8) {
      self = .close
    } else {
      return nil
    }
  }
}

private func decodeHexadecimal(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
  guard digits.count.isMultiple(of: 2) else { return nil }
  var bytes: [UInt8] = []
  bytes.reserveCapacity(digits.count / 2)
  var high: UInt8?
  for digit in digits {
    let value: UInt8
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
    default: return nil
    }
    if let upper = high {
      bytes.append(upper << 4 | value)
      high = nil
    } else {
      high = value
    }
  }
  return bytes
}

/// Digests large objects: for each its number, length and content.
struct LargeObjectCollector {
  private(set) var multiset = MultisetHash()
  private var open: (oid: UInt32, content: ObjectContent)?

  mutating func take(_ call: LargeObjectCall) throws(Failure) {
    switch call {
    case .open(let oid): open = (oid, ObjectContent())
    case .write(let bytes):
      guard let open else {
        throw Failure(
          "unreadable_dump", exit: .dataDamaged, what: "reading the dump",
          why: "it writes into a large object that it did not open", nextStep: "take another backup")
      }
      bytes.withUnsafeBytes { open.content.append($0) }
    case .close:
      if let open { insert(oid: open.oid, open.content.fingerprint()) }
      open = nil
    }
  }

  mutating func insert(oid: UInt32, _ fingerprint: String) {
    Array("\(oid) \(fingerprint)".utf8).withUnsafeBytes { multiset.insert($0) }
  }
}

/// Length and hash of one large object, from its parts.
package final class ObjectContent {
  private let hash = StreamingHash()
  private var length: UInt64 = 0

  package init() {}

  package func append(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress else { return }
    hash.append(base, bytes.count)
    length += UInt64(bytes.count)
  }

  /// Length and hash as text; starts anew.
  package func fingerprint() -> String {
    let value = hash.finish()
    defer { length = 0 }
    return "\(length) \(String(value.high64, radix: 16)) \(String(value.low64, radix: 16))"
  }
}

/// Digest of large objects whose fingerprints were taken one by one.
package func largeObjectDigest(_ fingerprints: [UInt32: String]) -> CountedDigest {
  var collector = LargeObjectCollector()
  for (oid, fingerprint) in fingerprints { collector.insert(oid: oid, fingerprint) }
  return CountedDigest(collector.multiset)
}
