import Diagnostics

extension CommandTable {
  /// Examples that are missing, unexplained, or not a use of the command they stand under.
  func exampleDefects(of command: Command) -> [String] {
    if command.examples.isEmpty { return ["\(command.name) has no example"] }
    return command.examples.flatMap { example in
      let uncommented = example.comment.isEmpty ? ["\(command.name): no comment on: \(example.line)"] : []
      return uncommented + (misuse(in: example, of: command).map { ["\(command.name): \(example.line): \($0)"] } ?? [])
    }
  }

  private func misuse(in example: Example, of command: Command) -> String? {
    guard let arguments = arguments(in: example.line) else { return "does not call \(program)" }
    do throws(Failure) {
      guard case .run(let invocation) = try parse(arguments: arguments, environment: [:]) else { return nil }
      return invocation.command == command.name ? nil : "is a use of \(invocation.command)"
    } catch {
      return "\(error.what): \(error.why)"
    }
  }

  /// The arguments of the program's first call in a shell line; nil when there is none.
  private func arguments(in line: String) -> [String]? {
    let operators: Set<String> = ["|", "||", "&&", "&", ";", ">", ">>", "<", "2>"]
    let words = shellWords(line)
    guard let start = words.firstIndex(of: program) else { return nil }
    return Array(words[start...].dropFirst().prefix { !operators.contains($0) })
  }
}

/// Splits at spaces outside quotes, and takes the quotes off. Enough of a shell for examples.
private func shellWords(_ line: String) -> [String] {
  var words: [String] = []
  var word: String?
  var quote: Character?
  for character in line {
    switch (character, quote) {
    case (_, let open?) where open == character: quote = nil
    case ("\"", nil), ("'", nil):
      quote = character
      word = word ?? ""
    case (" ", nil):
      words += [word].compactMap(\.self)
      word = nil
    default: word = (word ?? "") + String(character)
    }
  }
  return words + [word].compactMap(\.self)
}
