import CommandSyntax
import TestSupport
import Testing

extension CompletingShell {
  /// The shell with the completions of a table.
  convenience init(_ name: Name, table: CommandTable, programs: String? = nil) throws {
    let shell = Shell(rawValue: name.rawValue) ?? .bash
    try self.init(name, script: table.completions(for: shell), programs: programs)
  }
}

struct CompletionTests {
  private let bothTyped: [CompletingShell.Name] = [.bash, .zsh]

  @Test(arguments: Shell.allCases)
  func `every command, option and choice of the table is in the script`(shell: Shell) {
    let script = sample.completions(for: shell)
    for command in sample.commands {
      for word in command.words { #expect(script.contains(word), "\(word)") }
      for option in sample.options(of: command) {
        #expect(script.contains(shell == .fish ? "-l \(option.name)" : option.spelling), "\(option.name)")
        for value in option.allowedValues { #expect(script.contains("'\(value)"), "\(value)") }
      }
    }
  }

  @Test(arguments: CompletingShell.Name.allCases)
  func `commands are offered, then the second words of those that have two`(name: CompletingShell.Name) throws {
    let shell = try CompletingShell(name, table: sample)
    #expect(try shell.syntaxErrors() == "")
    #expect(
      try shell.offered("holdfast ") == ["restore", "deploy", "remove", "export", "schedule", "help"])
    #expect(try shell.offered("holdfast re") == ["restore", "remove"])
    #expect(try shell.offered("holdfast schedule ") == ["run", "next"])
    #expect(try shell.offered("holdfast help re") == ["restore", "remove"])
    #expect(try shell.offered("holdfast help schedule ") == ["run", "next"])
  }

  @Test(arguments: CompletingShell.Name.allCases)
  func `options are a command's own and those of all, short and long`(name: CompletingShell.Name) throws {
    let shell = try CompletingShell(name, table: sample)
    let everywhere: Set = [
      "--policies", "-p", "--json", "--quiet", "-q", "--log-level", "--no-color", "--help", "-h", "--version",
    ]
    #expect(try shell.offered("holdfast -") == everywhere)
    #expect(try shell.offered("holdfast schedule next -") == everywhere.union(["--count", "-n"]))
    #expect(try shell.offered("holdfast schedule run -") == everywhere)
    #expect(
      try shell.offered("holdfast restore x --")
        == everywhere.union([
          "--into", "--swap", "--verify", "--table", "--a-very-long-option-name",
        ]).filter { $0.hasPrefix("--") })
  }

  @Test(arguments: CompletingShell.Name.allCases)
  func `a value has its choices, behind a blank and behind an equals sign`(name: CompletingShell.Name) throws {
    let shell = try CompletingShell(name, table: sample)
    #expect(try shell.offered("holdfast restore --verify ") == ["none", "rows", "digest"])
    #expect(try shell.offered("holdfast --log-level ") == ["error", "warning", "info", "debug"])
    let joined = try shell.offered("holdfast restore --verify=")
    #expect(joined == Set(["none", "rows", "digest"].map { name == .fish ? "--verify=\($0)" : $0 }))
    // What may be any text gets no suggestion, least of all the names of files.
    try shell.write("", to: "file")
    #expect(try shell.offered("holdfast restore --into ") == [])
    #expect(try shell.offered("holdfast restore --into=") == [])
  }

  @Test(arguments: CompletingShell.Name.allCases)
  func `a description shows beside what it describes`(name: CompletingShell.Name) throws {
    guard name != .bash else { return }
    let shell = try CompletingShell(name, table: sample)
    let shown = try shell.shown(["holdfast s", "holdfast re", "holdfast restore x -"]).joined()
    for text in ["remove backups", "restore a backup into a new database", "Only this table.", "Print no colours."] {
      #expect(shown.contains(text), "\(shown)")
    }
  }

  @Test func `what is typed becomes what the program gets`() throws {
    for name in bothTyped {
      let shell = try CompletingShell(name, table: sample)
      #expect(try shell.arguments("holdfast dep\tx") == ["deploy", "x"])
      #expect(try shell.arguments("holdfast restore a --verify=r\t") == ["restore", "a", "--verify=rows"])
      #expect(try shell.arguments("holdfast restore a --verify d\t") == ["restore", "a", "--verify", "digest"])
      #expect(try shell.arguments("holdfast sched\tn\t -n 3") == ["schedule", "next", "-n", "3"])
    }
  }

  @Test func `words with blanks, quotes and colons are typed whole`() throws {
    for name in bothTyped {
      var table = sample
      table.globalOptions[0].offers = .folders
      let shell = try CompletingShell(name, table: table)
      try shell.write("", to: "one: it's $(touch pwned)/two/file")
      // bash closes the quote by itself.
      let quoted = name == .zsh ? "--policies \"one\t\" deploy" : "--policies \"one\t deploy"
      for keys in ["-p one\t deploy", quoted, "--policies=one\t deploy", "-p one:\\ i\t deploy"] {
        let arguments = try shell.arguments("holdfast \(keys)")
        #expect(arguments.joined(separator: " ").contains("one: it's $(touch pwned)"), "\(name) \(keys) \(arguments)")
      }
      #expect(shell.files == ["one: it's $(touch pwned)"])
    }
  }

  @Test(arguments: CompletingShell.Name.allCases)
  func `no description and no choice can break a script or be run`(name: CompletingShell.Name) throws {
    let hostile =
      #"it's "$(touch pwned)" `touch pwned` ${HOME} [a]{b}(c):d;e|f&g>pwned\ \n \' %d %B ~ ! # * ?"# + "\n'x\u{1B}[0m"
    var table = sample
    table.commands.append(
      Command(
        "hostile", summary: hostile,
        operands: [Operand("A", help: hostile, allowed: ["$(touch pwned)", "it's", "a b", "`touch pwned`", "c:d\\"])],
        options: [
          Option("pick", value: "[P]:$(touch pwned)", help: hostile, allowed: ["x y", "$(touch pwned)", "q'q"]),
          Option("other", value: hostile, help: hostile, offers: .files), Option("flag", short: "f", help: hostile),
        ], examples: []))
    let shell = try CompletingShell(name, table: table)
    #expect(try shell.syntaxErrors() == "")
    let lines = ["ho", "hostile ", "hostile -", "hostile --pick ", "hostile --pick=", "hostile --other ", "help h"]
    let shown = try shell.shown(lines.map { "holdfast \($0)" }).joined()
    #expect(shown.contains("hostile") && shown.contains("--pick") && shown.contains("touch"), "\(shown)")
    #expect(shell.files == [])
    guard name != .fish else { return }
    #expect(try shell.arguments("holdfast hostile a\t --pick x\t -f") == ["hostile", "a b", "--pick", "x y", "-f"])
    #expect(try shell.arguments("holdfast hostile --pick q\t -f") == ["hostile", "--pick", "q'q", "-f"])
    #expect(shell.files == [])
  }

  @Test(arguments: CompletingShell.Name.allCases)
  func `a command line after two dashes is completed as one of its own`(name: CompletingShell.Name) throws {
    let shell = try CompletingShell(name, table: sample)
    try shell.write("", to: "some-file")
    try shell.write("", to: "some-other")
    #expect(try shell.offered("holdfast deploy app -- cat some-").isSuperset(of: ["some-file", "some-other"]))
    #expect(try shell.offered("holdfast deploy -- sha256").contains("sha256sum") == (name == .fish))
    guard name != .fish else { return }
    #expect(try shell.arguments("holdfast deploy -- sha256\t x") == ["deploy", "--", "sha256sum", "x"])
  }
}
