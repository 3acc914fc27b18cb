/// Text as troff takes it. Every text goes through here: what begins with a dot, or holds a backslash, would be obeyed.
enum Roff {
  /// A dash is always printed as the one that can be typed: what is copied from the page has to work, also from the
  /// middle of a sentence.
  static func text(_ text: String) -> String {
    let words = onOneLine(text).unicodeScalars.map { scalar -> String in
      if let escape = escapes[scalar] { return escape }
      return scalar.isASCII ? String(scalar) : "\\[u\(hexadecimal(scalar.value))]"
    }
    let line = words.joined()
    return line.hasPrefix(".") ? "\\&\(line)" : line
  }

  private static let escapes: [Unicode.Scalar: String] = [
    "\\": "\\(rs", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", "\"": "\\(dq",
  ]

  private static func hexadecimal(_ value: UInt32) -> String {
    let digits = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  /// For a macro: one argument, whatever is in it.
  static func argument(_ text: String) -> String { "\"\(self.text(text))\"" }

  static func bold(_ text: String) -> String { "\\fB\(self.text(text))\\fR" }

  /// A sentence, in which what stands between backquotes is printed bold.
  static func prose(_ text: String) -> String {
    let parts = text.split(separator: "`", omittingEmptySubsequences: false).map(String.init)
    guard parts.count % 2 == 1 else { return self.text(text) }
    let line = parts.enumerated().map { $0.offset % 2 == 1 ? bold($0.element) : inner($0.element) }.joined()
    return line.hasPrefix(".") ? "\\&\(line)" : line
  }

  /// In the middle of a line no dot is obeyed.
  private static func inner(_ text: String) -> String { String(self.text("x\(text)").dropFirst()) }

  /// As a line of its own.
  static func sentence(_ text: String) -> String {
    let first = text.prefix(1).uppercased() + text.dropFirst()
    return first.hasSuffix(".") ? first : "\(first)."
  }

  static func section(_ title: String, _ lines: [String]) -> [String] {
    let body = Array(lines.drop { $0 == ".PP" })
    return body.allSatisfy(\.isEmpty) ? [] : [".SH \(argument(title))"] + body
  }

  /// Every line of a text as a paragraph.
  static func paragraphs(_ text: String) -> [String] {
    Array(text.split(separator: "\n").map { [prose(String($0))] }.joined(separator: [".PP"]))
  }

  static func entry(_ label: String, _ text: String) -> [String] { [".TP", bold(label), prose(text)] }

  static func entry(_ entry: ManualPage.Entry) -> [String] { self.entry(entry.label, entry.text) }

  static func example(_ example: Example) -> [String] {
    [".PP", prose(sentence(example.comment).dropLast() + ":"), ".PP", ".RS 4", ".nf", bold(example.line), ".fi", ".RE"]
  }

  /// `pg_dump(1)`: the name bold, the section not.
  static func reference(_ page: String) -> String {
    let name = page.prefix { $0 != "(" }
    return bold(String(name)) + inner(String(page.dropFirst(name.count)))
  }
}
