import CommandSyntax
import Diagnostics
import Testing

struct HelpTests {
  @Test(arguments: [
    "restore --help", "restore -h", "restore x --bogus --help", "--help restore", "restore --into --help",
    "--policies schedule restore -h", "-h restore a b c", "help restore", "help restore x", "--json help restore",
    "restore -qh", "restore --swap --swap -h", "restore --help --version", "help restore --version",
    "restore -t schedule -h", "-p deploy restore -h", "-qp deploy restore -h", "-pp restore -h", "-p=p restore -h",
  ])
  func `help is given for the command wherever it is asked for`(line: String) throws {
    let restore = try #require(sample.command(named: "restore"))
    #expect(try parse(line) == .help(sample.helpText(for: restore)))
  }

  @Test(arguments: ["--help", "-h", "help", "help help", "--help help", "-qh", "--bogus -h", "--policies restore -h"])
  func `help without a command is the overview`(line: String) throws {
    #expect(try parse(line) == .help(sample.overview))
  }

  @Test(arguments: ["schedule --help", "help schedule", "-h schedule"])
  func `help on a first word lists what may follow`(line: String) throws {
    #expect(try parse(line) == .help(sample.helpText(forGroup: "schedule")))
  }

  @Test(arguments: ["schedule next --help", "help schedule next", "schedule -h next"])
  func `help on two words is that command's`(line: String) throws {
    let next = try #require(sample.command(named: "schedule next"))
    #expect(try parse(line) == .help(sample.helpText(for: next)))
  }

  @Test(arguments: ["--version", "restore --version", "restore x --bogus --version", "--json --version"])
  func `the version is printed`(line: String) throws {
    #expect(try parse(line) == .version("holdfast 1.2.3"))
  }

  @Test func `after two dashes nothing asks for help or the version`() throws {
    #expect(try invocation("deploy -- x --help --version").trailing == ["x", "--help", "--version"])
    #expect(try invocation("restore x --into=--version").value("into") == "--version")
  }

  @Test func `help on a command shows everything about it`() throws {
    let restore = try #require(sample.command(named: "restore"))
    #expect(sample.helpText(for: restore) == restoreHelp)
  }

  @Test func `the overview lists the commands by topic`() {
    #expect(sample.overview == overviewText)
  }

  @Test func `help on a first word is short`() {
    let help = sample.helpText(forGroup: "schedule")
    #expect(help.hasPrefix(scheduleHelp))
    #expect(help.hasSuffix("\nholdfast schedule COMMAND --help says more about a command.\n"))
  }

  @Test func `usage of a command that takes a command line shows it`() throws {
    let deploy = try #require(sample.command(named: "deploy"))
    #expect(sample.usageForms(of: deploy) == ["holdfast deploy [POLICY] [options] [-- COMMAND...]"])
  }

  @Test func `all help is at most 80 columns, without trailing spaces or terminal sequences`() {
    let long = Array(repeating: "wordy", count: 60).joined(separator: " ")
    var table = sample
    table.summary = long
    table.commands.append(
      Command(
        "wordy", summary: long, operands: [Operand("WORD", help: long)],
        options: [
          Option("wordy-option", value: "WORD", help: long, allowed: long.split(separator: " ").map(String.init))
        ],
        forms: [long], discussion: "\(long)\n\(long)", examples: [Example("holdfast wordy", comment: long)]))
    let texts = table.commands.map(table.helpText(for:)) + [table.overview, table.helpText(forGroup: "schedule")]
    for line in texts.joined().split(separator: "\n", omittingEmptySubsequences: false) {
      #expect(line.count <= 80)
      #expect(line.last?.isWhitespace != true)
      #expect(line.unicodeScalars.allSatisfy { $0.value >= 32 })
    }
  }
}
