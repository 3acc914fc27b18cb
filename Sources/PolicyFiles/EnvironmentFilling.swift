/// A scalar's text after its `${NAME}`s were filled in.
struct FilledText: Equatable {
  var text: String
  /// The variables that went into it. Where there are any, errors show their names and not the text.
  var variables: [String] = []
  var unset: [String] = []
  /// What is wrong with the way a variable is written. Holds nothing of the text.
  var mistakes: [String] = []

  /// Replaces each `${NAME}` once; what a variable holds is taken as it is.
  init(_ raw: String, environment: [String: String]) {
    var rest = Array(raw.utf8)[...]
    var filled: [UInt8] = []
    text = ""
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "$"), rest.first == UInt8(ascii: "{") else {
        filled.append(byte)
        continue
      }
      rest.removeFirst()
      guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else {
        mistakes.append("a ${ is not closed by a }")
        break
      }
      filled += value(ofVariable: rest[..<end], environment)
      rest = rest[end...].dropFirst()
    }
    text = String(decoding: filled, as: UTF8.self)
  }

  private mutating func value(ofVariable bytes: ArraySlice<UInt8>, _ environment: [String: String]) -> [UInt8] {
    guard let first = bytes.first, !Self.isDigit(first), bytes.allSatisfy({ Self.isDigit($0) || Self.isLetter($0) })
    else {
      mistakes.append("between ${ and } stands one name of letters, digits and _, and nothing else")
      return []
    }
    let name = String(decoding: bytes, as: UTF8.self)
    guard let value = environment[name] else {
      if !unset.contains(name) { unset.append(name) }
      return []
    }
    if !variables.contains(name) { variables.append(name) }
    return Array(value.utf8)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  private static func isLetter(_ byte: UInt8) -> Bool {
    let lowered = byte | 0x20
    return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(lowered) || byte == UInt8(ascii: "_")
  }
}
