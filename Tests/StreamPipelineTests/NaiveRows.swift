import CXXHash

/// The rows of a block of COPY text, cut out of the whole text at once.
struct NaiveRows: Equatable {
  var rows: [[UInt8]] = []
  /// Bytes after the end line; nil when there is none.
  var rest: ArraySlice<UInt8>?

  init(_ text: ArraySlice<UInt8>) {
    var lines = text[...]
    while let newline = lines.firstIndex(of: 0x0A) {
      let line = lines[..<newline]
      lines = lines[(newline + 1)...]
      if line.elementsEqual(#"\."#.utf8) {
        rest = lines
        return
      }
      rows.append(Array(line))
    }
  }

  var digest: String { naiveDigest(rows) }
}

/// The sum of the items' hashes, in arithmetic of its own.
func naiveDigest(_ items: [[UInt8]]) -> String {
  let sum = items.reduce(UInt128(0)) { sum, item in
    let hash = item.withUnsafeBytes { XXH3_128bits($0.baseAddress, $0.count) }
    return sum &+ (UInt128(hash.high64) << 64 | UInt128(hash.low64))
  }
  let digits = String(sum, radix: 16)
  return String(repeating: "0", count: 32 - digits.count) + digits
}
