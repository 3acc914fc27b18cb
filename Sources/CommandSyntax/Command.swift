/// One command: what may follow it, and what help says about it.
package struct Command: Sendable, Equatable {
  /// One word, or two: "schedule run".
  package var name: String
  package var summary: String
  /// The heading that the overview lists it under.
  package var topic: String
  package var operands: [Operand]
  package var options: [Option]
  /// Whether what follows `--` is a command line of its own, as in `deploy -- COMMAND`.
  package var takesTrailingCommand: Bool
  /// What to type after the command's name, most common form first. Empty: the one form that the operands and
  /// required options give. To be written out when the forms exclude each other: `ID --into NAME`, `ID --swap`.
  package var forms: [String]
  /// Paragraphs, each on a line of its own; empty when the summary says it all.
  package var discussion: String
  package var examples: [Example]

  package init(
    _ name: String, summary: String, topic: String = "commands", operands: [Operand] = [], options: [Option] = [],
    takesTrailingCommand: Bool = false, forms: [String] = [], discussion: String = "", examples: [Example]
  ) {
    self.name = name
    self.summary = summary
    self.topic = topic
    self.operands = operands
    self.options = options
    self.takesTrailingCommand = takesTrailingCommand
    self.forms = forms
    self.discussion = discussion
    self.examples = examples
  }

  /// The words of the name: one or two.
  package var words: [String] { name.split(separator: " ").map(String.init) }
}

/// An argument that is known by its place.
package struct Operand: Sendable, Equatable {
  /// As help shows it: "ID".
  package var name: String
  package var help: String
  /// The only values there are; empty when any text will do.
  package var allowedValues: [String]
  /// What completions offer where any text will do.
  package var offers: Offer
  package var isRequired: Bool
  /// Takes all arguments that are left; the last operand alone may.
  package var isRepeatable: Bool

  package init(
    _ name: String, help: String, allowed: [String] = [], offers: Offer = .nothing, required: Bool = true,
    repeatable: Bool = false
  ) {
    self.name = name
    self.help = help
    self.allowedValues = allowed
    self.offers = offers
    self.isRequired = required
    self.isRepeatable = repeatable
  }

  /// As usage shows it: `ID`, `[ID]`, `ID...`, `[ID...]`.
  package var synopsis: String {
    let word = isRepeatable ? "\(name)..." : name
    return isRequired ? word : "[\(word)]"
  }
}

/// A line to type, and what it does.
package struct Example: Sendable, Equatable {
  /// The whole line as a shell takes it, the program's name included.
  package var line: String
  package var comment: String

  package init(_ line: String, comment: String) {
    self.line = line
    self.comment = comment
  }
}
