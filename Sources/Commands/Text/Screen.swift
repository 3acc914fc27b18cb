/// What a command prints, line by line.
///
/// Whatever is put into a line stays on it. Names, reasons and messages come from servers, files and children: a newline in one of them
/// would begin a line that seems to be Holdfast's own. A result can be printed in no other way, so nobody has to think of it.
struct Screen: Sendable, Equatable {
  private(set) var lines: [String]

  init(_ lines: [String]) { self.lines = lines.map(visible) }

  init(_ lines: String...) { self.init(lines) }

  /// A text that is Holdfast's own as a whole: a manual page, a completion script.
  init(own text: String) {
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if lines.last?.isEmpty == true { lines.removeLast() }
  }

  static let nothing = Screen([])

  var isEmpty: Bool { lines.isEmpty }

  var text: String { lines.map { $0 + "\n" }.joined() }

  static func + (above: Screen, below: Screen) -> Screen {
    var screen = above
    screen.lines += below.lines
    return screen
  }

  /// One below the other, with an empty line between.
  static func separated(_ screens: [Screen]) -> Screen {
    Screen(Array(screens.filter { !$0.isEmpty }.map(\.lines).joined(separator: [""])))
  }

  /// Each line, changed.
  func map(_ change: (String) -> String) -> Screen { Screen(lines.map(change)) }

  /// Columns as wide as their widest cell; numbers at the right.
  static func table(_ cells: [[String]], rightAligned: Set<Int> = []) -> Screen {
    // Before they are measured.
    let rows = cells.map { $0.map(visible) }
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
    }
    let lines = rows.map { row in
      row.enumerated().map { column, cell in
        let fill = String(repeating: " ", count: widths[column] - cell.count)
        return rightAligned.contains(column) ? fill + cell : cell + fill
      }.joined(separator: "  ")
    }
    return Screen(lines.map { line in String(line.reversed().drop { $0 == " " }.reversed()) })
  }
}
