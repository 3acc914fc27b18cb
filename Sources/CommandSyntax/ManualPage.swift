/// What a manual page says that the table of commands does not know.
package struct ManualPage: Sendable, Equatable {
  /// A word, a file or a number, and what it means.
  package struct Entry: Sendable, Equatable {
    package var label: String
    package var text: String

    package init(_ label: String, _ text: String) {
      self.label = label
      self.text = text
    }
  }

  /// Paragraphs, each on a line of its own.
  package var description: String
  package var exitStatus: [Entry]
  /// Variables that stand in for no option; those that do are the table's.
  package var environment: [Entry]
  package var files: [Entry]
  package var examples: [Example]
  /// Other pages: "pg_dump(1)".
  package var seeAlso: [String]

  package init(
    description: String, exitStatus: [Entry], environment: [Entry], files: [Entry], examples: [Example],
    seeAlso: [String]
  ) {
    self.description = description
    self.exitStatus = exitStatus
    self.environment = environment
    self.files = files
    self.examples = examples
    self.seeAlso = seeAlso
  }
}

extension CommandTable {
  /// The manual page of section 1, for man(1): troff with the macros man.
  package func page(_ page: ManualPage) -> String {
    // Without a date: the same sources give the same page on every day.
    let title = #".TH \#(Roff.argument(program.uppercased())) 1 "" \#(Roff.argument(version)) "User Commands""#
    let sections = [
      Roff.section("NAME", [Roff.text(program) + #" \- "# + Roff.text(summary)]),
      Roff.section("SYNOPSIS", synopsis), Roff.section("DESCRIPTION", Roff.paragraphs(page.description)),
      Roff.section("COMMANDS", commands.flatMap(lines(of:))),
      Roff.section("GLOBAL OPTIONS", allGlobalOptions.flatMap { Roff.entry($0.label, $0.explanation) }),
      Roff.section("EXIT STATUS", page.exitStatus.flatMap(Roff.entry)),
      Roff.section("ENVIRONMENT", (variables + page.environment).flatMap(Roff.entry)),
      Roff.section("FILES", page.files.flatMap(Roff.entry)),
      Roff.section("EXAMPLES", page.examples.flatMap(Roff.example)),
      Roff.section("SEE ALSO", [page.seeAlso.map(Roff.reference).joined(separator: ", ")]),
    ]
    return
      ([#".\" Printed by `\#(onOneLine(program)) man`; changes belong into the table of commands."#, title]
      + sections.flatMap(\.self)).joined(separator: "\n") + "\n"
  }

  private var synopsis: [String] {
    [Roff.bold(program) + " " + Roff.text("COMMAND [options]"), ".br", Roff.bold("\(program) COMMAND --help")]
  }

  private func lines(of command: Command) -> [String] {
    let forms = usageForms(of: command).map(Roff.bold).joined(separator: "\n.br\n")
    let examples = command.examples.flatMap(Roff.example)
    return [".SS \(Roff.argument(command.name))", forms, ".PP", Roff.prose(Roff.sentence(command.summary))]
      + (command.discussion.isEmpty ? [] : [".PP"] + Roff.paragraphs(command.discussion))
      + command.operands.flatMap { Roff.entry($0.name, $0.explanation) }
      + command.options.flatMap { Roff.entry($0.label, $0.explanation) } + examples
  }

  private var variables: [ManualPage.Entry] {
    let all = globalOptions + commands.flatMap(\.options)
    return all.compactMap { option in
      option.environment.map {
        ManualPage.Entry(
          $0, option.isFlag ? "set to any text: as \(option.spelling)" : "stands in for \(option.spelling)")
      }
    }
  }
}
