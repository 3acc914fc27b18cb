/// Help is written for the terminal that is surely wide enough.
let helpWidth = 80

/// A titled list of labels, each with its text beside it.
struct HelpSection {
  struct Row {
    var label: String
    var text: String
  }

  var title: String
  var rows: [Row]
}

/// Lays sections out with one column for the texts of all of them. A label too long for it stands on its own line.
/// Sections without rows are left out.
func aligned(_ sections: [HelpSection]) -> [String] {
  let widest = 28
  let labels = sections.flatMap(\.rows).map(\.label.count).filter { $0 <= widest }
  let column = (labels.max() ?? widest) + 4
  let blocks = sections.filter { !$0.rows.isEmpty }.map { section in
    ["\(section.title):"] + section.rows.flatMap { lines(of: $0, column: column) }
  }
  return Array(blocks.joined(separator: [""]))
}

private func lines(of row: HelpSection.Row, column: Int) -> [String] {
  let label = "  \(row.label)"
  let texts = wrapped(row.text, width: helpWidth - column)
  let indent = String(repeating: " ", count: column)
  guard label.count + 2 <= column, let first = texts.first else { return [label] + texts.map { indent + $0 } }
  let padding = String(repeating: " ", count: column - label.count)
  return [label + padding + first] + texts.dropFirst().map { indent + $0 }
}

/// Every line of a text as a paragraph of its own, with an empty line between paragraphs.
func paragraphs(_ text: String) -> [String] {
  Array(text.split(separator: "\n").map { wrapped(String($0)) }.joined(separator: [""]))
}

/// Breaks a text between words. A word wider than the line is left whole: cut in two it could not be copied.
func wrapped(_ text: String, width: Int = helpWidth) -> [String] {
  var lines: [String] = []
  var line = ""
  for word in text.split(whereSeparator: \.isWhitespace) {
    if !line.isEmpty, line.count + 1 + word.count > width {
      lines.append(line)
      line = ""
    }
    line += line.isEmpty ? String(word) : " \(word)"
  }
  return line.isEmpty ? lines : lines + [line]
}
