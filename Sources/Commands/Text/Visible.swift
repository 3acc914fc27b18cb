import CommandSyntax
import Diagnostics

/// A name or a reason where a line of its own would be taken for one of Holdfast's.
func oneLine(_ text: String) -> String {
  // Within "\r\n" too, which is one Character.
  String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.isWhitespace ? " " : $0 }))
}

/// The same, with every other character that a terminal would obey, or nobody sees, written as `\u{1b}`: two names that differ look different.
func visible(_ text: String) -> String {
  let line = oneLine(text)
  guard line.unicodeScalars.contains(where: \.isUnprintable) else { return line }
  return line.unicodeScalars.map { $0.isUnprintable ? "\\u{\(String($0.value, radix: 16))}" : String($0) }.joined()
}

/// The text of a note that warns.
func warning(in note: String) -> String? {
  note.hasPrefix("warning: ") ? String(note.dropFirst("warning: ".count)) : nil
}
