/// What a command line asks for.
package enum Parsed: Sendable, Equatable {
  case run(Invocation)
  /// Text for stdout, exit 0.
  case help(String)
  /// Text for stdout, exit 0.
  case version(String)
}

/// A command with everything given to it, checked against the table: required operands and options are there,
/// values are among the allowed ones, none is empty.
package struct Invocation: Sendable, Equatable {
  /// The command's name: "restore", "schedule run".
  package let command: String
  /// What follows `--`, for a command that takes a command line of its own; else empty.
  package let trailing: [String]
  let operandsByName: [String: [String]]
  let flags: Set<String>
  let valuesByOption: [String: [String]]
  let given: Set<String>

  /// The first (mostly the only) argument of an operand; nil when an optional one was left out.
  package func operand(_ name: String) -> String? { operands(name).first }

  /// All arguments of a repeatable operand, in order.
  package func operands(_ name: String) -> [String] { operandsByName[name] ?? [] }

  /// Whether a flag is set, by the command line or its environment variable. `name` is the long name, no dashes.
  package func flag(_ name: String) -> Bool { flags.contains(name) }

  /// An option's value: from the command line, else its environment variable, else its default, else nil.
  package func value(_ name: String) -> String? { values(name).first }

  /// All values of a repeatable option, in order; from the same places as `value`.
  package func values(_ name: String) -> [String] { valuesByOption[name] ?? [] }

  /// Whether the command line or the environment gave the option, so that its value is no default.
  package func isGiven(_ name: String) -> Bool { given.contains(name) }
}
