import Diagnostics

extension CommandTable {
  /// What is wrong with the table itself, a line each; a test of the program holds it to be empty. It finds names
  /// that clash or could not be typed, operands that could not be told apart, values that contradict each other,
  /// missing texts, help wider than 80 columns, and examples that the table would not parse as what they are for.
  package var defects: [String] {
    nameDefects + optionDefects(globalOptions, of: program) + commands.flatMap(defects(of:)) + widthDefects
  }

  private var nameDefects: [String] {
    let clashes = repeated(commands.map(\.name)).map { "command \($0) is there twice" }
    let ambiguous = commands.filter { $0.words.count == 1 && !commands(inGroup: $0.name).isEmpty }
    return clashes + ambiguous.map { "\($0.name) is a command and the first word of others" }
  }

  private func defects(of command: Command) -> [String] {
    var found: [String] = []
    let isTypeable = (1...2).contains(command.words.count) && command.words.allSatisfy(isWord)
    if !isTypeable || command.words.joined(separator: " ") != command.name || command.words.first == "help" {
      found.append("bad command name \"\(command.name)\"")
    }
    if command.summary.isEmpty { found.append("\(command.name) has no summary") }
    found += operandDefects(of: command)
    found += optionDefects(command.options, of: command.name)
    found += repeated(options(of: command).map(\.name)).map { "\(command.name): --\($0) is there twice" }
    found += repeated(options(of: command).compactMap(\.short)).map { "\(command.name): -\($0) is there twice" }
    return found + exampleDefects(of: command)
  }

  private func operandDefects(of command: Command) -> [String] {
    var found = repeated(command.operands.map(\.name)).map { "\(command.name): \($0) is there twice" }
    for (operand, next) in zip(command.operands, command.operands.dropFirst()) {
      if operand.isRepeatable { found.append("\(command.name): \(operand.name) leaves nothing for \(next.name)") }
      if !operand.isRequired && next.isRequired {
        found.append("\(command.name): \(operand.name) may be left out, \(next.name) after it not")
      }
    }
    found += command.operands.flatMap { defects(of: $0.offers, subject: "\(command.name): \($0.name)") }
    return found + command.operands.filter(\.help.isEmpty).map { "\(command.name): \($0.name) has no help" }
  }

  private func optionDefects(_ options: [Option], of owner: String) -> [String] {
    options.flatMap { option in
      option.defects.map { "\(owner): \(option.spelling) \($0)" }
        + defects(of: option.offers, subject: "\(owner): \(option.spelling)")
    }
  }

  private var widthDefects: [String] {
    let helps = commands.map { "\($0.name)\n\(helpText(for: $0))" } + ["overview\n\(overview)"]
    return helps.compactMap { help in
      let lines = help.split(separator: "\n")
      return lines.first { $0.count > helpWidth }.map { "help of \(lines.first ?? ""): too wide: \($0)" }
    }
  }
}

extension Option {
  fileprivate var defects: [String] {
    let checks: [(isWrong: Bool, text: String)] = [
      (!isWord(name) || name.count < 2, "cannot be typed"),
      (short.map { !($0.isASCII && $0.isLetter) } ?? false, "has a short name that is no letter"),
      (help.isEmpty, "has no help"),
      (valueName == "", "has a value without a name"),
      (isFlag && (!allowedValues.isEmpty || defaultValue != nil || offers != .nothing), "is a flag with values"),
      (isFlag && (isRepeatable || isRequired), "is a flag that is repeatable or required"),
      (defaultValue.map { $0.isEmpty || !allows($0) } ?? false, "has a default that it does not allow"),
      (isRequired && defaultValue != nil, "is required in spite of its default"),
    ]
    return checks.filter(\.isWrong).map(\.text)
  }
}

/// Lower-case letters, digits and inner dashes.
private func isWord(_ text: String) -> Bool {
  let isTypeable = text.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "-") }
  return !text.isEmpty && isTypeable && !text.hasPrefix("-") && !text.hasSuffix("-")
}

private func repeated<Value: Hashable>(_ values: [Value]) -> [Value] {
  var seen: Set<Value> = []
  return values.filter { !seen.insert($0).inserted }
}
