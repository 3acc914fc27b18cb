/// A shell that completions are written for.
package enum Shell: String, Sendable, CaseIterable {
  case bash, zsh, fish
}

extension CommandTable {
  /// The script that has a shell complete the program's command line.
  package func completions(for shell: Shell) -> String {
    switch shell {
    case .bash: bashCompletion
    case .zsh: zshCompletion
    case .fish: fishCompletion
    }
  }

  /// The program's name where a shell takes only letters, digits and `_`.
  var functionName: String { program.replacing("-", with: "_") }

  /// What may follow some words of a command's name, each with its summary; nothing after a whole name.
  ///
  /// - Parameter word: the first word of commands of two words, or the empty text for the start of the line.
  func nextWords(after word: String) -> [(word: String, summary: String)] {
    guard word.isEmpty else {
      return commands(inGroup: word).compactMap { command in command.words.last.map { ($0, command.summary) } }
    }
    let first = firstWords.map { word in
      (word, command(named: word)?.summary ?? "\(nextWords(after: word).map(\.word).joined(separator: ", "))")
    }
    return first + [("help", "show help on a command")]
  }

  /// The first words of the commands of two words.
  var groups: [String] { firstWords.filter { !commands(inGroup: $0).isEmpty } }
}

extension Option {
  /// Everything it can be typed as: `--into`, `-i`.
  var spellings: [String] { [spelling] + (short.map { ["-\($0)"] } ?? []) }
}

/// A text as one word of a shell in which nothing has a meaning but the quote itself.
///
/// - Parameter quote: how the shell writes a quote in a quoted word.
func shellQuoted(_ text: String, quote: String = #"'\''"#) -> String {
  "'\(onOneLine(text).replacing("'", with: quote))'"
}

/// A description stands on one line, and a terminal has to obey nothing of it.
func onOneLine(_ text: String) -> String {
  String(
    String.UnicodeScalarView(
      text.unicodeScalars.map { scalar in
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: " "
        default: scalar
        }
      }))
}
