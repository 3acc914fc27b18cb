/// An option: `--name`, or `--name VALUE` when it has a value name.
package struct Option: Sendable, Equatable {
  /// The long name without its dashes.
  package var name: String
  package var short: Character?
  /// The word that stands for the value in help, "DIR"; nil for a flag, which takes no value.
  package var valueName: String?
  package var help: String
  /// The only values there are; empty when any text will do.
  package var allowedValues: [String]
  /// What completions offer where any text will do.
  package var offers: Offer
  package var isRepeatable: Bool
  /// The value an invocation has when neither the command line nor the environment gives one.
  package var defaultValue: String?
  /// The environment variable that stands in for the option; an empty one counts as unset. For a flag any other
  /// text sets it, whatever it says: the convention of NO_COLOR.
  package var environment: String?
  package var isRequired: Bool

  package init(
    _ name: String, short: Character? = nil, value valueName: String? = nil, help: String, allowed: [String] = [],
    offers: Offer = .nothing, repeatable: Bool = false, default defaultValue: String? = nil, environment: String? = nil,
    required: Bool = false
  ) {
    self.name = name
    self.short = short
    self.valueName = valueName
    self.help = help
    self.allowedValues = allowed
    self.offers = offers
    self.isRepeatable = repeatable
    self.defaultValue = defaultValue
    self.environment = environment
    self.isRequired = required
  }

  package var isFlag: Bool { valueName == nil }

  /// As it is typed: `--into`.
  package var spelling: String { "--\(name)" }

  /// As it is typed with its value: `--into NAME`.
  package var synopsis: String { valueName.map { "\(spelling) \($0)" } ?? spelling }
}

extension Option {
  /// `-h`, `--help`: part of every table.
  package static let help = Option("help", short: "h", help: "Show this help and exit.")
  /// `--version`: part of every table.
  package static let version = Option("version", help: "Show the version and exit.")
}
