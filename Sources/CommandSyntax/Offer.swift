/// What completions offer for a value. It helps whoever types; parsing holds nobody to it.
///
/// Names that are found on the disk, or that a command prints, are offered only when they are made of letters, digits,
/// `.`, `_` and `-`, and begin with a letter or digit: these mean the same to every shell, quoted or not.
package enum Offer: Sendable, Equatable {
  case nothing
  case files
  case folders
  /// The files of a folder without their endings, such as `.yaml`. The folder is the value of a global option.
  case stems(folderOption: String, endings: [String])
  /// The texts under a key of the JSON document that one of the table's own commands prints, in its order, after some
  /// fixed words; or those of a list under it. The command is given some operands, the value of a global option, and two
  /// seconds: it must wait for nobody.
  case printed(by: String, operands: [String] = [], key: String, passing: String, after: [String] = [])
}

extension CommandTable {
  /// A command with its operands, in words that need no quotes and have single spaces between them.
  func line(_ command: String, _ operands: [String]) -> String { ([command] + operands).joined(separator: " ") }

  /// What a completion could not be made of.
  ///
  /// - Parameter subject: whose offer it is, for the message.
  func defects(of offer: Offer, subject: String) -> [String] {
    switch offer {
    case .nothing, .files, .folders: []
    case .stems(let option, let endings):
      folderDefects(option, subject: subject)
        + (endings.isEmpty || !endings.allSatisfy { $0.hasPrefix(".") && isPlain($0.dropFirst()) }
          ? ["\(subject) offers files of no ending"] : [])
    case .printed(let name, let operands, let key, let option, let words):
      folderDefects(option, subject: subject)
        + (canPrint(name, operands) && isPlain(key[...]) ? [] : ["\(subject) offers what no command prints"])
        + (words.allSatisfy { isPlain($0[...]) } ? [] : ["\(subject) offers a word that has to be quoted"])
    }
  }

  private func canPrint(_ name: String, _ operands: [String]) -> Bool {
    guard let command = command(named: name), operands.allSatisfy({ isPlain($0[...]) }) else { return false }
    let fits =
      operands.count >= command.operands.count(where: \.isRequired) && operands.count <= command.operands.count
    return fits && globalOptions.contains { $0.name == "json" && $0.isFlag }
  }

  private func folderDefects(_ option: String, subject: String) -> [String] {
    let isThere = globalOptions.contains { $0.name == option && $0.defaultValue != nil }
    return isThere ? [] : ["\(subject) offers what lies in the folder of an option that has none: --\(option)"]
  }
}

/// Letters, digits, `.`, `_` and `-`: text that no shell takes for anything else.
private func isPlain(_ text: Substring) -> Bool {
  text.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9._-]*/) != nil
}
