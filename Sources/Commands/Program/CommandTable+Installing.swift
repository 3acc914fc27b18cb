import CommandSyntax

/// The commands that print what an installation puts beside the program.
extension CommandTable {
  static let installing = [completions, man]

  private static let completions = Command(
    "completions", summary: "print the completions for a shell",
    operands: [Operand("SHELL", help: "which shell", allowed: Shell.allCases.map(\.rawValue))],
    discussion: """
      They complete commands, options, values, policies and backups. scripts/install puts them where each shell looks for \
      them. By hand: `source <(holdfast completions bash)` in ~/.bashrc; the same with zsh in ~/.zshrc, after compinit.
      """,
    examples: [
      Example("holdfast completions bash > holdfast-completion.sh", comment: "to be sourced by ~/.bashrc"),
      Example("holdfast completions fish | source", comment: "in ~/.config/fish/config.fish"),
    ])

  private static let man = Command(
    "man", summary: "print the manual page, as troff",
    examples: [Example("holdfast man | man -l -", comment: "read it without installing it")])
}
