import CommandSyntax
import Testing

struct InvocationTests {
  @Test(arguments: [
    "restore 3f9a --into x", "restore --into x 3f9a", "restore 3f9a --into=x", "--policies p restore 3f9a --into x",
    "restore 3f9a -i x", "restore 3f9a -ix", "restore 3f9a -i=x", "restore -qi x 3f9a", "-q restore 3f9a -i x --json",
    "restore --into x -- 3f9a", "--log-level=debug restore 3f9a --into x",
  ])
  func `options may stand anywhere and be written in every usual way`(line: String) throws {
    let found = try invocation(line)
    #expect(found.command == "restore")
    #expect(found.operand("ID") == "3f9a")
    #expect(found.value("into") == "x")
    #expect(found.trailing == [])
  }

  @Test func `global options are read before and after the command`() throws {
    for line in ["--json --policies p restore x", "restore x --json --policies p", "--json restore --policies=p x"] {
      let found = try invocation(line)
      #expect(found.flag("json"))
      #expect(found.value("policies") == "p")
      #expect(!found.flag("quiet"))
    }
  }

  @Test func `commands of two words may have a global option between them`() throws {
    #expect(try invocation("schedule run").command == "schedule run")
    let found = try invocation("schedule -q next --count 3")
    #expect(found.command == "schedule next")
    #expect(found.flag("quiet"))
    #expect(found.value("count") == "3")
  }

  @Test func `letters are read together, the last may take the next argument`() throws {
    let found = try invocation("restore x -qst a.b -t c.d")
    #expect(found.flag("quiet") && found.flag("swap"))
    #expect(found.values("table") == ["a.b", "c.d"])
    #expect(found.value("table") == "a.b")
  }

  @Test func `a value that begins with a dash is taken when joined to its option`() throws {
    #expect(try invocation("restore x --into=-x").value("into") == "-x")
    #expect(try invocation("restore x --into=--help").value("into") == "--help")
    #expect(try invocation("restore x --into=a=b").value("into") == "a=b")
  }

  @Test func `after two dashes everything is an operand`() throws {
    #expect(try invocation("remove app -- -a --json --").operands("ID") == ["-a", "--json", "--"])
    #expect(try !invocation("remove app -- --json").flag("json"))
    #expect(try invocation("restore -- --help").operand("ID") == "--help")
  }

  @Test func `a lone dash is an operand`() throws {
    #expect(try invocation("restore -").operand("ID") == "-")
  }

  @Test func `a trailing command keeps every word as it is`() throws {
    let found = try invocation("deploy app --json -- npx '' --json -h -- x")
    #expect(found.operand("POLICY") == "app")
    #expect(found.trailing == ["npx", "", "--json", "-h", "--", "x"])
    #expect(try invocation("deploy -- sh").operand("POLICY") == nil)
    #expect(try invocation("deploy").trailing == [])
  }

  @Test func `operands are bound in order and the last takes the rest`() throws {
    let found = try invocation("remove app a b c")
    #expect(found.operands("POLICY") == ["app"])
    #expect(found.operands("ID") == ["a", "b", "c"])
    #expect(found.operands("nothing") == [])
  }

  @Test func `the command line wins over the environment, and that over the default`() throws {
    #expect(try invocation("deploy").value("policies") == "policies")
    #expect(try invocation("deploy", ["HF_POLICIES": "e"]).value("policies") == "e")
    #expect(try invocation("deploy --policies c", ["HF_POLICIES": "e"]).value("policies") == "c")
    #expect(try invocation("deploy", ["HF_POLICIES": ""]).value("policies") == "policies")
    #expect(try invocation("deploy").value("log-level") == nil)
  }

  @Test func `what is given is told from what is a default`() throws {
    #expect(try !invocation("restore x").isGiven("verify"))
    #expect(try invocation("restore x --verify digest").isGiven("verify"))
    #expect(try invocation("restore x", ["HF_POLICIES": "e"]).isGiven("policies"))
    #expect(try invocation("restore x --swap").isGiven("swap"))
  }

  @Test func `a variable sets a flag whatever it says, unless it is empty`() throws {
    #expect(try invocation("deploy", ["NO_COLOR": "0"]).flag("no-color"))
    #expect(try !invocation("deploy", ["NO_COLOR": ""]).flag("no-color"))
    #expect(try !invocation("deploy").flag("no-color"))
  }

  @Test func `a variable stands in for a required option`() throws {
    #expect(try invocation("export", ["HF_TO": "f"]).value("to") == "f")
  }

  @Test(arguments: [
    ("restore --json --bogus", true), ("--json", true), ("bogus --json x", true), ("restore --into --json", true),
    ("restore --into=--json", false), ("deploy -- --json", false), ("restore x", false), ("--json=1", false),
  ])
  func `a wrong line still tells whether JSON was asked for`(line: String, expected: Bool) {
    let arguments = line.split(separator: " ").map(String.init)
    #expect(sample.asks(for: "json", arguments: arguments, environment: [:]) == expected)
  }

  @Test func `flags asked for by letter or by the environment are seen too`() {
    #expect(sample.asks(for: "quiet", arguments: ["restore", "-sq", "--bogus"], environment: [:]))
    #expect(!sample.asks(for: "quiet", arguments: ["restore", "-iq"], environment: [:]))
    #expect(sample.asks(for: "no-color", arguments: [], environment: ["NO_COLOR": "1"]))
    #expect(!sample.asks(for: "policies", arguments: ["--policies", "x"], environment: [:]))
  }
}
