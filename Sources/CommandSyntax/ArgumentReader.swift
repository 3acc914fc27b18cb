import Diagnostics

/// A line taken apart: its command, and what was given to it.
struct ReadLine {
  var command: Command
  var operands: [String]
  /// Values by the option's long name; no values for a flag.
  var given: [String: [String]]
  var trailing: [String]
}

/// Reads arguments from left to right and stops at the first that cannot be.
struct ArgumentReader {
  private let table: CommandTable
  private var rest: ArraySlice<String>
  private var words: [String] = []
  private var command: Command?
  private var operands: [String] = []
  private var given: [String: [String]] = [:]
  private var trailing: [String] = []

  init(table: CommandTable, arguments: [String]) {
    self.table = table
    self.rest = arguments[...]
  }

  mutating func read() throws(Failure) -> ReadLine {
    while let argument = rest.popFirst() {
      switch ArgumentShape(argument) {
      case .end: try readAfterDashes()
      case .long(let name, let value): try readLong(name, value)
      case .short(let letters): try readShort(letters)
      case .word: try readWord(argument)
      }
    }
    guard let command else { throw complaint.noCommand() }
    return ReadLine(command: command, operands: operands, given: given, trailing: trailing)
  }

  private var complaint: UsageComplaint {
    let context = command.map(UsageComplaint.Context.command) ?? words.first.map(UsageComplaint.Context.group)
    return UsageComplaint(table: table, context: context ?? .program)
  }

  private mutating func readWord(_ word: String) throws(Failure) {
    if let command {
      guard !word.isEmpty else { throw complaint.emptyOperand(command, index: operands.count) }
      operands.append(word)
      return
    }
    command = table.command(leading: words + [word])
    guard command != nil || (words.isEmpty && !table.commands(inGroup: word).isEmpty) else {
      throw complaint.unknownCommand(word)
    }
    words.append(word)
  }

  private mutating func readAfterDashes() throws(Failure) {
    guard let command else { throw complaint.noCommand(beforeDashes: true) }
    let following = Array(rest)
    rest = []
    guard command.takesTrailingCommand else {
      for word in following { try readWord(word) }
      return
    }
    // `deploy -- $STEP` with STEP unset must not quietly become a plain `deploy`.
    guard following.first?.isEmpty == false else { throw complaint.noTrailingCommand() }
    trailing = following
  }

  private mutating func readLong(_ name: String, _ value: String?) throws(Failure) {
    guard let option = table.options(of: command).first(where: { $0.name == name }) else {
      throw complaint.unknownOption("--\(name)", command: command)
    }
    if option.isFlag {
      guard value == nil else { throw complaint.unexpectedValue(option) }
      return try record(option)
    }
    try record(option, value == nil ? nextValue(of: option) : value)
  }

  private mutating func readShort(_ letters: String) throws(Failure) {
    var letters = letters[...]
    while let letter = letters.popFirst() {
      guard let option = table.options(of: command).first(where: { $0.short == letter }) else {
        throw complaint.unknownOption("-\(letter)", command: command)
      }
      if option.isFlag {
        try record(option)
      } else {
        return try record(option, letters.isEmpty ? nextValue(of: option) : joinedValue(letters, of: option))
      }
    }
  }

  private func joinedValue(_ letters: Substring, of option: Option) throws(Failure) -> String {
    let value = String(letters.first == "=" ? letters.dropFirst() : letters)
    guard !value.hasPrefix("-") else { throw complaint.missingValue(option, dashFollows: true) }
    return value
  }

  private mutating func nextValue(of option: Option) throws(Failure) -> String {
    guard let next = rest.first, !next.hasPrefix("-") else {
      throw complaint.missingValue(option, dashFollows: !rest.isEmpty)
    }
    rest = rest.dropFirst()
    return next
  }

  private mutating func record(_ option: Option, _ value: String? = nil) throws(Failure) {
    guard value != "" else { throw complaint.emptyValue(option) }
    if let value, !option.allows(value) { throw complaint.badValue(value, of: option) }
    guard given[option.name] == nil || option.isRepeatable else { throw complaint.repeated(option) }
    given[option.name, default: []] += [value].compactMap(\.self)
  }
}

/// What an argument looks like, before anything is known about it.
enum ArgumentShape: Equatable {
  /// `--`
  case end
  /// `--name`, `--name=value`
  case long(name: String, value: String?)
  /// `-abc`, without the dash
  case short(String)
  /// Anything else, a lone `-` and the empty argument too.
  case word

  init(_ argument: String) {
    guard argument.hasPrefix("-"), argument != "-" else {
      self = .word
      return
    }
    guard argument.hasPrefix("--") else {
      self = .short(String(argument.dropFirst()))
      return
    }
    let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let name = parts.first.map(String.init) ?? ""
    self = argument == "--" ? .end : .long(name: name, value: parts.dropFirst().first.map(String.init))
  }
}
