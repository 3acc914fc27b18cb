import CommandSyntax
import Diagnostics
import Testing

/// A line, and what is said about it.
struct Mistake: Sendable, CustomTestStringConvertible {
  let line: String
  let what: String
  let why: String
  var environment: [String: String] = [:]

  var testDescription: String { line }
}

private let unset = "it must not be empty (an unset shell variable?)"

private let commandMistakes = [
  Mistake(line: "", what: "no command given", why: "say what is to be done"),
  Mistake(line: "--json", what: "no command given", why: "say what is to be done"),
  Mistake(line: "-- restore x", what: "no command given", why: "it must stand before --"),
  Mistake(line: "restroe x", what: "unknown command \"restroe\"", why: "did you mean restore?"),
  Mistake(line: "sched run", what: "unknown command \"sched\"", why: "did you mean schedule?"),
  Mistake(line: "hlep", what: "unknown command \"hlep\"", why: "did you mean help?"),
  Mistake(line: "frobnicate", what: "unknown command \"frobnicate\"", why: "holdfast has no such command"),
  Mistake(line: "''", what: "unknown command \"\"", why: "holdfast has no such command"),
  Mistake(line: "help frobnicate", what: "unknown command \"frobnicate\"", why: "holdfast has no such command"),
  Mistake(line: "restor --help", what: "unknown command \"restor\"", why: "did you mean restore?"),
  Mistake(line: "schedule", what: "incomplete command \"schedule\"", why: "run or next must follow"),
  Mistake(line: "schedule -- run", what: "incomplete command \"schedule\"", why: "run or next must follow"),
  Mistake(line: "schedule rnu", what: "unknown command \"schedule rnu\"", why: "did you mean schedule run?"),
  Mistake(line: "schedule nex -h", what: "unknown command \"schedule nex\"", why: "did you mean schedule next?"),
  Mistake(line: "schedule stop", what: "unknown command \"schedule stop\"", why: "run or next must follow schedule"),
]

private let optionMistakes = [
  Mistake(line: "restore x --itno y", what: "unknown option --itno", why: "did you mean --into?"),
  Mistake(line: "restore x --lo debug", what: "unknown option --lo", why: "did you mean --log-level?"),
  Mistake(line: "restore x --ver rows", what: "unknown option --ver", why: "holdfast restore has no such option"),
  Mistake(line: "restore x --polic=y", what: "unknown option --polic", why: "did you mean --policies?"),
  Mistake(line: "restore x --hlep", what: "unknown option --hlep", why: "did you mean --help?"),
  Mistake(
    line: "restore x --frobnicate", what: "unknown option --frobnicate", why: "holdfast restore has no such option"),
  Mistake(line: "restore x -qz", what: "unknown option -z", why: "holdfast restore has no such option"),
  Mistake(line: "deploy --into y", what: "unknown option --into", why: "holdfast deploy has no such option"),
  Mistake(line: "restore x -5", what: "unknown option -5", why: "holdfast restore has no such option"),
  Mistake(line: "restore x --=y", what: "unknown option --", why: "holdfast restore has no such option"),
  Mistake(line: "--jsno", what: "unknown option --jsno", why: "did you mean --json?"),
  Mistake(
    line: "--into y restore x", what: "unknown option --into", why: "it must stand after the command it belongs to"),
  Mistake(
    line: "schedule --frobnicate run", what: "unknown option --frobnicate",
    why: "holdfast schedule has no such option"),
  Mistake(line: "restore x --into", what: "missing value for --into", why: "NAME must follow it"),
  Mistake(line: "restore x -qi", what: "missing value for --into", why: "NAME must follow it"),
  Mistake(line: "restore x --into --swap", what: "missing value for --into", why: "NAME must follow it"),
  Mistake(line: "restore x --into -", what: "missing value for --into", why: "NAME must follow it"),
  Mistake(line: "restore x --into -- y", what: "missing value for --into", why: "NAME must follow it"),
  Mistake(line: "restore x -i-y", what: "missing value for --into", why: "NAME must follow it"),
  Mistake(line: "restore x -i=-y", what: "missing value for --into", why: "NAME must follow it"),
  Mistake(line: "restore x --swap=yes", what: "value given to --swap", why: "it takes none"),
  Mistake(line: "restore x --swap=", what: "value given to --swap", why: "it takes none"),
  Mistake(line: "restore x --help=yes", what: "value given to --help", why: "it takes none"),
  Mistake(line: "restore x --into a -i b", what: "--into given twice", why: "it may be given only once"),
  Mistake(line: "--json restore x --json", what: "--json given twice", why: "it may be given only once"),
  Mistake(line: "restore x -qq", what: "--quiet given twice", why: "it may be given only once"),
  Mistake(
    line: "restore x --verify rwos", what: "bad value \"rwos\" for --verify",
    why: "it must be none, rows or digest; did you mean rows?"),
  Mistake(
    line: "restore x --verify=everything", what: "bad value \"everything\" for --verify",
    why: "it must be none, rows or digest"),
  Mistake(
    line: "restore x --verify ROWS", what: "bad value \"ROWS\" for --verify",
    why: "it must be none, rows or digest; did you mean rows?"),
  Mistake(
    line: "deploy", what: "bad value \"loud\" in HF_LOG_LEVEL", why: "it must be error, warning, info or debug",
    environment: ["HF_LOG_LEVEL": "loud"]),
  Mistake(line: "restore x --into=", what: "empty value for --into", why: unset),
  Mistake(line: "restore x --into ''", what: "empty value for --into", why: unset),
  Mistake(line: "restore x -i=", what: "empty value for --into", why: unset),
  Mistake(line: "restore x --verify=", what: "empty value for --verify", why: unset),
  Mistake(line: "export", what: "missing option --to", why: "holdfast export needs --to FILE"),
  Mistake(
    line: "export", what: "missing option --to", why: "holdfast export needs --to FILE", environment: ["HF_TO": ""]),
]

private let operandMistakes = [
  Mistake(line: "restore", what: "missing ID", why: "holdfast restore needs it"),
  Mistake(line: "restore --", what: "missing ID", why: "holdfast restore needs it"),
  Mistake(line: "remove app", what: "missing ID", why: "holdfast remove needs at least one"),
  Mistake(line: "restore x y", what: "unexpected argument \"y\"", why: "holdfast restore takes only ID"),
  Mistake(line: "export y --to f", what: "unexpected argument \"y\"", why: "holdfast export takes no argument"),
  Mistake(line: "deploy a b", what: "unexpected argument \"b\"", why: "holdfast deploy takes only POLICY"),
  Mistake(line: "restore ''", what: "empty ID", why: unset),
  Mistake(line: "restore -- ''", what: "empty ID", why: unset),
  Mistake(line: "remove app x y ''", what: "empty ID", why: unset),
  Mistake(line: "export ''", what: "empty argument", why: unset),
  Mistake(
    line: "deploy --", what: "missing command after --", why: "nothing follows (an unset shell variable?)"),
  Mistake(
    line: "deploy -- ''", what: "missing command after --", why: "nothing follows (an unset shell variable?)"),
]

struct UsageErrorTests {
  @Test(arguments: commandMistakes + optionMistakes + operandMistakes)
  func `every mistake is a usage error that says what and why`(mistake: Mistake) throws {
    let failure = try #require(complaint(mistake.line, mistake.environment))
    #expect(failure.code == "usage")
    #expect(failure.exit == .usage)
    #expect(failure.what == mistake.what)
    #expect(failure.why == mistake.why)
  }

  @Test(arguments: [
    ("", "holdfast COMMAND [options]  (holdfast --help)"),
    ("bogus", "holdfast COMMAND [options]  (holdfast --help)"),
    ("restore", "holdfast restore ID --into NAME [options]  (holdfast restore --help)"),
    ("deploy a b", "holdfast deploy [POLICY] [options] [-- COMMAND...]  (holdfast deploy --help)"),
    ("remove", "holdfast remove POLICY ID... [options]  (holdfast remove --help)"),
    ("export", "holdfast export --to FILE [options]  (holdfast export --help)"),
    ("schedule", "holdfast schedule run|next [options]  (holdfast schedule --help)"),
    ("schedule x", "holdfast schedule run|next [options]  (holdfast schedule --help)"),
    ("schedule run x", "holdfast schedule run [options]  (holdfast schedule run --help)"),
  ])
  func `the next step is one line of usage`(line: String, usage: String) throws {
    #expect(try #require(complaint(line)).nextStep == usage)
  }

  @Test(arguments: ["restore x --into -y", "restore x --into --json", "restore x -i-y", "restore x --into -"])
  func `a value that begins with a dash is told how to be written`(line: String) throws {
    let failure = try #require(complaint(line))
    #expect(failure.details == ["a value that begins with \"-\" is written --into=NAME"])
    #expect(try #require(complaint("restore x --into")).details == [])
  }

  @Test func `one argument too many is told where a command line goes`() throws {
    #expect(try #require(complaint("deploy app npx")).details == ["a command line to run is written after --"])
    #expect(try #require(complaint("restore x y")).details == [])
  }

  @Test func `two words in one argument are not a command`() throws {
    #expect(throws: Failure.self) { try sample.parse(arguments: ["schedule run"], environment: [:]) }
  }

  @Test func `an argument cannot break the line or drive the terminal`() throws {
    let hostile = "a\nerror: b\u{1b}[2J\u{202e}\u{7}"
    let failure = #expect(throws: Failure.self) { try sample.parse(arguments: [hostile], environment: [:]) }
    #expect(failure?.what == "unknown command \"a\\u{a}error: b\\u{1b}[2J\\u{202e}\\u{7}\"")
    let option = #expect(throws: Failure.self) { try sample.parse(arguments: ["--\(hostile)"], environment: [:]) }
    #expect(option?.what == "unknown option --a\\u{a}error: b\\u{1b}[2J\\u{202e}\\u{7}")
  }

  @Test func `a long argument is cut short`() throws {
    let failure = try #require(complaint(String(repeating: "x", count: 5000)))
    #expect(failure.what == "unknown command \"\(String(repeating: "x", count: 57))...\"")
  }

  @Test(arguments: [
    "restore x postgres://u:hunter2@h/d", "postgresql://u:hunter2@h/d", "restore x host=h,password=hunter2",
    "--password=hunter2 restore x", "restore x --swap=hunter2", "restore x --verify postgres://u:hunter2@h/d",
  ])
  func `a password in the wrong place is not printed`(line: String) throws {
    let failure = try #require(complaint(line))
    #expect(!failure.lines.joined().contains("hunter2"))
  }

  @Test func `a program adds usage errors of its own in the same form`() {
    let failure = sample.usageFailure(command: "restore", what: "--into and --swap", why: "choose one", details: ["d"])
    #expect(failure.code == "usage" && failure.exit == .usage && failure.details == ["d"])
    #expect(failure.nextStep == "holdfast restore ID --into NAME [options]  (holdfast restore --help)")
    let general = sample.usageFailure(command: nil, what: "w", why: "y")
    #expect(general.nextStep == "holdfast COMMAND [options]  (holdfast --help)")
  }
}
