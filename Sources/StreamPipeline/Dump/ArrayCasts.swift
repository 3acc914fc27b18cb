/// Writes `(ARRAY[a, b])::text[]` as `ARRAY[(a)::text, (b)::text]`.
///
/// A check like `status IN ('new', 'paid')` on a varchar column is dumped in the first form, and in the second after
/// it was restored once, since the parser moves the cast to the elements. Both mean the same. What is quoted is no expression and stays.
///
/// In two walks, so that its time grows with the statement's length and not with its square, whatever brackets an owner writes into it.
func withArrayCastsPushedDown(_ statement: [UInt8]) -> [UInt8] {
  let arrays = parenthesizedArrays(statement)
  guard !arrays.isEmpty else { return statement }
  var result: [UInt8] = []
  result.reserveCapacity(statement.count)
  var index = 0
  while index < statement.count {
    if let array = arrays[index], let (cast, end) = array.pushedDown(statement) {
      result += cast
      index = end
    } else {
      result.append(statement[index])
      index += 1
    }
  }
  return result
}

/// `(ARRAY[…])::type[]` in a statement.
private struct ParenthesizedArray {
  /// Index of the first element's first byte.
  var start: Int
  /// Of the commas between the elements.
  var commas: [Int] = []
  /// Of the bracket that closes the array.
  var close = 0

  /// - Returns: the rewritten text and the index after the cast; nil when no cast to an array type follows.
  func pushedDown(_ bytes: [UInt8]) -> (text: [UInt8], end: Int)? {
    let marker = Array("])::".utf8)
    guard bytes[close...].starts(with: marker) else { return nil }
    let typeStart = close + marker.count
    guard let typeEnd = bytes[typeStart...].firstIndex(where: { !isTypeByte($0) }), typeEnd > typeStart,
      bytes[typeEnd...].starts(with: "[]".utf8)
    else { return nil }
    let type = bytes[typeStart..<typeEnd]
    let starts = [start] + commas.map { $0 + 1 }
    let elements = zip(starts, commas + [close]).map { bytes[$0..<$1].drop { $0 == 0x20 } }
    let cast = elements.map { Array("(".utf8) + $0 + Array(")::".utf8) + type }
    return (Array("ARRAY[".utf8) + cast.joined(separator: Array(", ".utf8)) + Array("]".utf8), typeEnd + 2)
  }

  private func isTypeByte(_ byte: UInt8) -> Bool {
    isIdentifierByte(byte) || [UInt8(ascii: " "), UInt8(ascii: "."), UInt8(ascii: "\"")].contains(byte)
  }
}

/// Every `(ARRAY[…]` outside of quotes, by the index of its parenthesis.
private func parenthesizedArrays(_ bytes: [UInt8]) -> [Int: ParenthesizedArray] {
  let opening = Array("(ARRAY[".utf8)
  var found: [Int: ParenthesizedArray] = [:]
  // Brackets that are open; those of such an array carry it.
  var open: [(place: Int, array: ParenthesizedArray?)] = []
  var index = 0
  while index < bytes.count {
    switch bytes[index] {
    case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "$"):
      index = endOfQuoted(bytes, from: index)
      continue
    case UInt8(ascii: "(") where bytes[index...].starts(with: opening):
      open.append((index, nil))
      open.append((index, ParenthesizedArray(start: index + opening.count)))
      index += opening.count
      continue
    case UInt8(ascii: "("), UInt8(ascii: "["): open.append((index, nil))
    case UInt8(ascii: ")"), UInt8(ascii: "]"):
      if let (place, array) = open.popLast(), var array, bytes[index] == UInt8(ascii: "]") {
        array.close = index
        found[place] = array
      }
    case UInt8(ascii: ","): if let last = open.indices.last { open[last].array?.commas.append(index) }
    default: break
    }
    index += 1
  }
  return found
}

/// The index after what is quoted from a place on; the next one when nothing is.
private func endOfQuoted(_ bytes: [UInt8], from start: Int) -> Int {
  let before = start > 0 ? bytes[start - 1] : 0x20
  guard bytes[start] != UInt8(ascii: "$") else {
    // A dollar within a name begins no quote.
    let tagEnd = bytes[(start + 1)...].firstIndex { !isIdentifierByte($0) } ?? bytes.count
    guard !isIdentifierByte(before), tagEnd < bytes.count, bytes[tagEnd] == UInt8(ascii: "$") else { return start + 1 }
    let tag = bytes[start...tagEnd]
    var index = tagEnd + 1
    while let dollar = bytes[index...].firstIndex(of: UInt8(ascii: "$")) {
      if bytes[dollar...].starts(with: tag) { return dollar + tag.count }
      index = dollar + 1
    }
    return bytes.count
  }
  let hasEscapes =
    bytes[start] == UInt8(ascii: "'") && (before | 0x20) == UInt8(ascii: "e") && !isNameByte(bytes, start - 2)
  var index = start + 1
  while index < bytes.count {
    if hasEscapes, bytes[index] == UInt8(ascii: "\\") {
      index += 2
    } else if bytes[index] == bytes[start] {
      // Doubled, it stands for itself: of the same kind goes on what looks like the next one.
      guard index + 1 < bytes.count, bytes[index + 1] == bytes[start] else { return index + 1 }
      index += 2
    } else {
      index += 1
    }
  }
  return bytes.count
}

private func isNameByte(_ bytes: [UInt8], _ index: Int) -> Bool { index >= 0 && isIdentifierByte(bytes[index]) }
