import Diagnostics

extension CommandTable {
  /// The forms of a command, as they are typed: `holdfast restore ID --into NAME [options]`.
  package func usageForms(of command: Command) -> [String] {
    let forms = command.forms.isEmpty ? [derivedForm(of: command)] : command.forms
    let tail = command.takesTrailingCommand ? "[options] [-- COMMAND...]" : "[options]"
    return forms.map { ([program, command.name, $0, tail]).filter { !$0.isEmpty }.joined(separator: " ") }
  }

  /// A usage error that the table cannot see by itself, such as two options that exclude each other.
  ///
  /// - Parameter command: the command's name; nil, or a name the table does not hold, for the program as a whole.
  package func usageFailure(command name: String?, what: String, why: String, details: [String] = []) -> Failure {
    let context = name.flatMap(command(named:)).map(UsageComplaint.Context.command) ?? .program
    return UsageComplaint(table: self, context: context).failure(what, why, details: details)
  }

  /// The one line of usage that ends an error.
  func usageLine(_ context: UsageComplaint.Context) -> String {
    switch context {
    case .program: "\(program) COMMAND [options]  (\(program) --help)"
    case .group(let word): "\(groupForm(word))  (\(program) \(word) --help)"
    case .command(let command):
      "\(usageForms(of: command).first ?? program)  (\(program) \(command.name) --help)"
    }
  }

  /// `holdfast schedule run|next|due [options]`
  func groupForm(_ word: String) -> String {
    let seconds = commands(inGroup: word).compactMap(\.words.last)
    return "\(program) \(word) \(seconds.joined(separator: "|")) [options]"
  }

  private func derivedForm(of command: Command) -> String {
    let options = command.options.filter(\.isRequired).map(\.synopsis)
    return (command.operands.map(\.synopsis) + options).joined(separator: " ")
  }
}
