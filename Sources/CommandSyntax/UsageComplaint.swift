import Diagnostics

/// Says what is wrong with a command line, and how the command is used.
struct UsageComplaint {
  /// How much of the command was known when the mistake was met.
  enum Context {
    case program
    case group(String)
    case command(Command)
  }

  let table: CommandTable
  let context: Context

  func failure(_ what: String, _ why: String, details: [String] = []) -> Failure {
    Failure("usage", exit: .usage, what: what, why: why, nextStep: table.usageLine(context), details: details)
  }

  // MARK: Commands and operands

  func noCommand(beforeDashes: Bool = false) -> Failure {
    guard case .group(let word) = context else {
      return failure(
        "no command given", beforeDashes ? "it must stand before --" : "say what is to be done")
    }
    return failure("incomplete command \(quoted(word))", "\(oneOf(secondWords(of: word))) must follow")
  }

  func unknownCommand(_ word: String) -> Failure {
    guard case .group(let first) = context else {
      return failure(
        "unknown command \(quoted(word))",
        optionSuggestion(for: word) ?? suggestion(for: word, among: table.firstWords + ["help"])
          ?? "\(table.program) has no such command")
    }
    let seconds = secondWords(of: first)
    let near = suggestion(for: word, among: seconds) { "\(first) \($0)" }
    return failure("unknown command \(quoted("\(first) \(word)"))", near ?? "\(oneOf(seconds)) must follow \(first)")
  }

  func missingOperand(_ operand: Operand) -> Failure {
    failure("missing \(operand.name)", "\(subject) needs \(operand.isRepeatable ? "at least one" : "it")")
  }

  func emptyOperand(_ command: Command, index: Int) -> Failure {
    let operand = command.operands.dropFirst(index).first ?? command.operands.last { $0.isRepeatable }
    return failure("empty \(operand?.name ?? "argument")", unsetVariable)
  }

  func badOperand(_ value: String, of operand: Operand) -> Failure {
    let near = suggestion(for: value, among: operand.allowedValues)
    return failure(
      "bad \(operand.name) \(quoted(value))",
      "it must be \(oneOf(operand.allowedValues))" + (near.map { "; \($0)" } ?? ""))
  }

  func surplus(_ argument: String, of command: Command) -> Failure {
    let names = command.operands.map(\.name).joined(separator: " ")
    return failure(
      "unexpected argument \(quoted(argument))",
      command.operands.isEmpty ? "\(subject) takes no argument" : "\(subject) takes only \(names)",
      details: command.takesTrailingCommand ? ["a command line to run is written after --"] : [])
  }

  func noTrailingCommand() -> Failure {
    failure("missing command after --", "nothing follows (an unset shell variable?)")
  }

  // MARK: Options

  func unknownOption(_ spelling: String, command: Command?) -> Failure {
    let known = table.options(of: command).map(\.spelling)
    let near = spelling.hasPrefix("--") ? suggestion(for: spelling, among: known, prefix: 2) : nil
    let owned = table.commands.contains { $0.options.contains { $0.spelling == spelling } }
    let why = command == nil && owned ? "it must stand after the command it belongs to" : near
    return failure("unknown option \(shown(spelling))", why ?? "\(subject) has no such option")
  }

  func missingValue(_ option: Option, dashFollows: Bool) -> Failure {
    let name = option.valueName ?? "VALUE"
    return failure(
      "missing value for \(option.spelling)", "\(name) must follow it",
      details: dashFollows ? ["a value that begins with \"-\" is written \(option.spelling)=\(name)"] : [])
  }

  func emptyValue(_ option: Option) -> Failure {
    failure("empty value for \(option.spelling)", unsetVariable)
  }

  // The value is not repeated to the reader: what was given to a flag by mistake may be a password.
  func unexpectedValue(_ option: Option) -> Failure {
    failure("value given to \(option.spelling)", "it takes none")
  }

  func repeated(_ option: Option) -> Failure {
    failure("\(option.spelling) given twice", "it may be given only once")
  }

  func badValue(_ value: String, of option: Option, in variable: String? = nil) -> Failure {
    let near = suggestion(for: value, among: option.allowedValues)
    return failure(
      "bad value \(quoted(value)) \(variable.map { "in \($0)" } ?? "for \(option.spelling)")",
      "it must be \(oneOf(option.allowedValues))" + (near.map { "; \($0)" } ?? ""))
  }

  func missingOption(_ option: Option) -> Failure {
    failure("missing option \(option.spelling)", "\(subject) needs \(option.synopsis)")
  }
}

extension UsageComplaint {
  private var unsetVariable: String { "it must not be empty (an unset shell variable?)" }

  /// Who complains: "holdfast restore".
  private var subject: String {
    switch context {
    case .program: table.program
    case .group(let word): "\(table.program) \(word)"
    case .command(let command): "\(table.program) \(command.name)"
    }
  }

  /// `version` for `--version`.
  private func optionSuggestion(for word: String) -> String? {
    table.options(of: nil).first { $0.name == word }.map { "did you mean \($0.spelling)?" }
  }

  private func secondWords(of group: String) -> [String] {
    table.commands(inGroup: group).compactMap(\.words.last)
  }

  private func oneOf(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return "\(words.dropLast().joined(separator: ", ")) or \(last)"
  }

  /// The near word as a question; a word cut short counts as near when only one candidate goes on from it.
  private func suggestion(
    for word: String, among candidates: [String], prefix: Int = 0, as spelling: (String) -> String = { $0 }
  ) -> String? {
    let longer = word.count > prefix ? candidates.filter { $0.hasPrefix(word) } : []
    let near = longer.count == 1 ? longer.first : nearest(to: word, among: candidates)
    return near.map { "did you mean \(spelling($0))?" }
  }
}
