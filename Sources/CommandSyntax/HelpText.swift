extension CommandTable {
  /// Help on the program: every command with its summary. Plain text of at most 80 columns.
  package var overview: String {
    let sections = topics.map { topic in
      HelpSection(title: topic, rows: commands.filter { $0.topic == topic }.map { row($0) })
    }
    return text([
      wrapped("\(program): \(summary)"), usage(["\(program) COMMAND [options]"]), aligned(sections + [globalSection]),
      pointer(program),
    ])
  }

  /// Help on one command. Plain text of at most 80 columns.
  package func helpText(for command: Command) -> String {
    let sections = [
      HelpSection(title: "arguments", rows: command.operands.map(\.helpRow)),
      HelpSection(title: "options", rows: command.options.map(\.helpRow)),
      globalSection,
    ]
    return text([
      wrapped("\(program) \(command.name): \(command.summary)"), usage(usageForms(of: command)),
      paragraphs(command.discussion), aligned(sections), exampleLines(command.examples),
    ])
  }

  /// Help on the first word of two-word commands: what may follow it.
  package func helpText(forGroup word: String) -> String {
    let sections = [HelpSection(title: "commands", rows: commands(inGroup: word).map { row($0) }), globalSection]
    return text([usage([groupForm(word)]), aligned(sections), pointer("\(program) \(word)")])
  }

  private var globalSection: HelpSection { HelpSection(title: "global options", rows: allGlobalOptions.map(\.helpRow)) }

  private var topics: [String] {
    var seen: Set<String> = []
    return commands.map(\.topic).filter { seen.insert($0).inserted }
  }

  private func row(_ command: Command) -> HelpSection.Row { .init(label: command.name, text: command.summary) }

  private func pointer(_ prefix: String) -> [String] { wrapped("\(prefix) COMMAND --help says more about a command.") }

  private func usage(_ forms: [String]) -> [String] {
    let label = "usage: "
    let indent = String(repeating: " ", count: label.count)
    let lines = forms.flatMap { form in
      let parts = wrapped(form, width: helpWidth - label.count - 2)
      return parts.prefix(1) + parts.dropFirst().map { "  \($0)" }
    }
    return lines.enumerated().map { ($0.offset == 0 ? label : indent) + $0.element }
  }

  private func exampleLines(_ examples: [Example]) -> [String] {
    guard !examples.isEmpty else { return [] }
    let blocks = examples.map { example in
      wrapped(example.comment, width: helpWidth - 4).map { "  # \($0)" } + ["  \(example.line)"]
    }
    return ["examples:"] + blocks.joined(separator: [""])
  }

  /// Parts with an empty line between them; empty parts are left out.
  private func text(_ parts: [[String]]) -> String {
    parts.filter { !$0.isEmpty }.joined(separator: [""]).joined(separator: "\n") + "\n"
  }
}

extension Operand {
  fileprivate var helpRow: HelpSection.Row { HelpSection.Row(label: name, text: explanation) }

  /// Its help, and in parentheses the values that there are.
  var explanation: String {
    allowedValues.isEmpty ? help : "\(help) (one of: \(allowedValues.joined(separator: ", ")))"
  }
}

extension Option {
  /// `-q, --quiet`, with long names below each other whether or not there is a short one.
  fileprivate var helpRow: HelpSection.Row {
    HelpSection.Row(label: short == nil ? "    \(label)" : label, text: explanation)
  }

  /// `-q, --quiet`
  var label: String { (short.map { "-\($0), " } ?? "") + synopsis }

  /// Its help, and in parentheses what else there is to know: the values, the default, the environment variable.
  var explanation: String { ([help] + notes).joined(separator: " ") }

  private var notes: [String] {
    let facts = [
      allowedValues.isEmpty ? nil : "one of: \(allowedValues.joined(separator: ", "))",
      defaultValue.map { "default: \($0)" },
      environment.map { "environment: \($0)" },
      isRepeatable ? "may be repeated" : nil,
      isRequired ? "required" : nil,
    ]
    let known = facts.compactMap(\.self)
    return known.isEmpty ? [] : ["(\(known.joined(separator: "; ")))"]
  }
}
