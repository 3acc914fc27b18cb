/// A word of a command that somebody is to type or paste into a shell, whatever is in it: a name may come from a database, or from a folder
/// of somebody else's.
package func shellWord(_ text: some StringProtocol) -> String {
  let text = String(text)
  if text.wholeMatch(of: /[A-Za-z0-9_.\/:@%+=,-]+/) != nil { return text }
  let isOdd = text.unicodeScalars.contains(where: \.isUnprintable)
  guard isOdd else { return "'" + text.replacing("'", with: "'\\''") + "'" }
  // bash and zsh read the bytes behind $'.
  let bytes = text.utf8.map { byte -> String in
    switch byte {
    case UInt8(ascii: "'"), UInt8(ascii: "\\"): "\\" + String(UnicodeScalar(byte))
    case 0x20..<0x7F: String(UnicodeScalar(byte))
    default: "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
  }
  return "$'" + bytes.joined() + "'"
}

/// A text on one line: what is behind a newline would be taken for a line of Holdfast's own.
package func singleLine(_ text: String) -> String {
  guard text.unicodeScalars.contains(where: \.endsLine) else { return text }
  return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.endsLine ? " " : $0 }))
}

extension Unicode.Scalar {
  fileprivate var endsLine: Bool { (0x0A...0x0D).contains(value) || [0x85, 0x2028, 0x2029].contains(value) }

  /// A control character, or one that nobody sees: direction marks turn a line around, others hide in a name.
  package var isUnprintable: Bool {
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }
}
