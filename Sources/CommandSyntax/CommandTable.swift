/// All that a program's command line can say. Parsing, help, completions and the manual page are read from it, so
/// that none of them can know a command or an option that another does not.
package struct CommandTable: Sendable, Equatable {
  /// The program's name as it is typed.
  package var program: String
  package var summary: String
  /// What `--version` prints.
  package var version: String
  /// Options that may stand before or after any command. `--help` and `--version` are added by themselves.
  package var globalOptions: [Option]
  /// In the order in which the overview lists them.
  package var commands: [Command]

  package init(program: String, summary: String, version: String, globalOptions: [Option], commands: [Command]) {
    self.program = program
    self.summary = summary
    self.version = version
    self.globalOptions = globalOptions
    self.commands = commands
  }

  /// The options that every command takes, with `--help` and `--version`.
  package var allGlobalOptions: [Option] { globalOptions + [.help, .version] }

  /// The options that may be given with a command; with nil, those that may stand before one.
  package func options(of command: Command?) -> [Option] { (command?.options ?? []) + allGlobalOptions }

  package func command(named name: String) -> Command? { commands.first { $0.name == name } }

  /// The commands of two words that begin with `word`: "schedule run" and "schedule next" for "schedule".
  package func commands(inGroup word: String) -> [Command] {
    commands.filter { $0.words.count == 2 && $0.words.first == word }
  }

  /// The first words of all commands, each once.
  package var firstWords: [String] {
    var seen: Set<String> = []
    return commands.compactMap(\.words.first).filter { seen.insert($0).inserted }
  }

  /// The command that a line's words begin with, if they name one.
  func command(leading words: [String]) -> Command? {
    commands.first { !$0.words.isEmpty && words.starts(with: $0.words) }
  }
}
