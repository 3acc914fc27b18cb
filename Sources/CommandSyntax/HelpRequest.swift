import Diagnostics

extension CommandTable {
  /// The help that a line asks for, by `help`, `-h` or `--help`; nil when it does not.
  ///
  /// - Throws: `usage` when help is wanted on a command that does not exist.
  func requestedHelp(_ arguments: [String]) throws(Failure) -> String? {
    let glance = Glance(at: arguments, table: self)
    if glance.words.first == "help" { return try help(on: Array(glance.words.dropFirst())) }
    return glance.mentions(.help) ? try help(on: glance.words) : nil
  }

  /// Whether a flag stands anywhere before `--`.
  func mentions(_ flag: Option, in arguments: [String]) -> Bool {
    Glance(at: arguments, table: self).mentions(flag)
  }

  private func help(on words: [String]) throws(Failure) -> String {
    if let command = command(leading: words) { return helpText(for: command) }
    guard let first = words.first, first != "help" else { return overview }
    guard !commands(inGroup: first).isEmpty else {
      throw UsageComplaint(table: self, context: .program).unknownCommand(first)
    }
    guard let second = words.dropFirst().first else { return helpText(forGroup: first) }
    throw UsageComplaint(table: self, context: .group(first)).unknownCommand(second)
  }
}

/// A look at a line that finds nothing wrong: its first words and its flags, whatever else is there, up to `--`.
private struct Glance {
  private let table: CommandTable
  /// The first words that are neither options nor options' values: `help` and a command's two words at most.
  private(set) var words: [String] = []
  private var longFlags: Set<String> = []
  private var shortFlags: Set<Character> = []

  init(at arguments: [String], table: CommandTable) {
    self.table = table
    var isValue = false
    for argument in arguments.prefix(while: { $0 != "--" }) {
      let shape = ArgumentShape(argument)
      if shape == .word, !isValue, words.count < 3 { words.append(argument) }
      isValue = note(shape)
    }
  }

  // No value can be mistaken for a flag: values that begin with a dash are joined to their option.
  func mentions(_ flag: Option) -> Bool {
    longFlags.contains(flag.name) || flag.short.map { shortFlags.contains($0) } ?? false
  }

  /// - Returns: whether the next argument is the option's value.
  private mutating func note(_ shape: ArgumentShape) -> Bool {
    switch shape {
    case .long(let name, nil):
      longFlags.insert(name)
      return known.contains { $0.name == name && !$0.isFlag }
    case .short(let letters):
      let flags = letters.prefix { letter in known.contains { $0.short == letter && $0.isFlag } }
      shortFlags.formUnion(flags)
      return flags.count == letters.count - 1 && known.contains { $0.short == letters.last && !$0.isFlag }
    default: return false
    }
  }

  private var known: [Option] { table.options(of: table.command(leading: words)) }
}
