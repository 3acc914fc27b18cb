import Diagnostics

extension CommandTable {
  /// Reads a command line.
  ///
  /// A request for help or the version wins over everything else on the line, mistakes included: who asks for help
  /// may well have made some.
  /// - Parameters:
  ///   - arguments: without the program's own name.
  ///   - environment: where options with an `environment` variable look when they are not given.
  /// - Throws: `usage` with exit code 64; its next step is the command's usage in one line.
  package func parse(arguments: [String], environment: [String: String]) throws(Failure) -> Parsed {
    if let help = try requestedHelp(arguments) { return .help(help) }
    if mentions(.version, in: arguments) { return .version(version) }
    var reader = ArgumentReader(table: self, arguments: arguments)
    let line = try reader.read()
    return .run(try invocation(of: line, environment: environment))
  }

  /// Whether a flag is on the line or set by the environment, however wrong the rest is: an error has to be printed
  /// as JSON when `--json` was asked for.
  package func asks(for flag: String, arguments: [String], environment: [String: String]) -> Bool {
    guard let option = allGlobalOptions.first(where: { $0.name == flag && $0.isFlag }) else { return false }
    return mentions(option, in: arguments) || option.standIn(in: environment) != nil
  }

  private func invocation(of line: ReadLine, environment: [String: String]) throws(Failure) -> Invocation {
    let complaint = UsageComplaint(table: self, context: .command(line.command))
    let operands = try bind(line.operands, to: line.command, complaint)
    let known = options(of: line.command)
    let standIns = try complaint.standIns(for: known.filter { line.given[$0.name] == nil }, in: environment)
    let given = line.given.merging(standIns) { fromLine, _ in fromLine }
    for option in known where option.isRequired && given[option.name] == nil && option.defaultValue == nil {
      throw complaint.missingOption(option)
    }
    let defaults = known.compactMap { option in option.defaultValue.map { (option.name, [$0]) } }
    let valued = given.merging(defaults) { fromUser, _ in fromUser }.filter { !$0.value.isEmpty }
    return Invocation(
      command: line.command.name, trailing: line.trailing, operandsByName: operands,
      flags: Set(given.filter(\.value.isEmpty).keys), valuesByOption: valued, given: Set(given.keys))
  }

  private func bind(
    _ arguments: [String], to command: Command, _ complaint: UsageComplaint
  ) throws(Failure) -> [String: [String]] {
    var rest = arguments[...]
    var bound: [String: [String]] = [:]
    for operand in command.operands {
      let taken = rest.prefix(operand.isRepeatable ? rest.count : 1)
      if taken.isEmpty && operand.isRequired { throw complaint.missingOperand(operand) }
      if let bad = taken.first(where: { !operand.allows($0) }) { throw complaint.badOperand(bad, of: operand) }
      bound[operand.name] = Array(taken)
      rest = rest.dropFirst(taken.count)
    }
    if let surplus = rest.first { throw complaint.surplus(surplus, of: command) }
    return bound
  }
}

extension UsageComplaint {
  /// What the environment gives in place of options that the line does not; no values mean a set flag.
  fileprivate func standIns(
    for options: [Option], in environment: [String: String]
  ) throws(Failure) -> [String: [String]] {
    var found: [String: [String]] = [:]
    for option in options {
      guard let value = option.standIn(in: environment) else { continue }
      guard option.isFlag || option.allows(value) else { throw badValue(value, of: option, in: option.environment) }
      found[option.name] = option.isFlag ? [] : [value]
    }
    return found
  }
}

extension Operand {
  fileprivate func allows(_ value: String) -> Bool { allowedValues.isEmpty || allowedValues.contains(value) }
}

extension Option {
  func allows(_ value: String) -> Bool { allowedValues.isEmpty || allowedValues.contains(value) }

  fileprivate func standIn(in environment: [String: String]) -> String? {
    guard let variable = self.environment, let value = environment[variable], !value.isEmpty else { return nil }
    return value
  }
}
