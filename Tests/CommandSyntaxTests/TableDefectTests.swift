import CommandSyntax
import Testing

struct TableDefectTests {
  @Test func `a sound table has no defects`() {
    #expect(sample.defects == [])
  }

  @Test(arguments: [
    (Option("X", help: "h"), "c: --X cannot be typed"),
    (Option("x", help: "h"), "c: --x cannot be typed"),
    (Option("-xx", help: "h"), "c: ---xx cannot be typed"),
    (Option("xx", short: "-", help: "h"), "c: --xx has a short name that is no letter"),
    (Option("xx", help: ""), "c: --xx has no help"),
    (Option("xx", value: "", help: "h"), "c: --xx has a value without a name"),
    (Option("xx", help: "h", allowed: ["a"]), "c: --xx is a flag with values"),
    (Option("xx", help: "h", default: "a"), "c: --xx is a flag with values"),
    (Option("xx", help: "h", offers: .files), "c: --xx is a flag with values"),
    (Option("xx", help: "h", repeatable: true), "c: --xx is a flag that is repeatable or required"),
    (Option("xx", value: "V", help: "h", allowed: ["a"], default: "b"), "c: --xx has a default that it does not allow"),
    (Option("xx", value: "V", help: "h", default: ""), "c: --xx has a default that it does not allow"),
    (Option("xx", value: "V", help: "h", default: "a", required: true), "c: --xx is required in spite of its default"),
    (Option("json", help: "h"), "c: --json is there twice"),
    (Option("help", help: "h"), "c: --help is there twice"),
    (Option("xx", short: "q", help: "h"), "c: -q is there twice"),
  ])
  func `a bad option is found`(option: Option, defect: String) {
    var line = "holdfast c"
    if option.isRequired { line += " \(option.spelling)=v" }
    #expect(
      defects(of: Command("c", summary: "s", options: [option], examples: [Example(line, comment: "k")])) == [defect])
  }

  @Test(arguments: [
    (
      [Operand("A", help: "h", repeatable: true), Operand("B", help: "h", required: false)], "c: A leaves nothing for B"
    ),
    ([Operand("A", help: "h", required: false), Operand("B", help: "h")], "c: A may be left out, B after it not"),
    ([Operand("A", help: "")], "c: A has no help"),
    ([Operand("A", help: "h"), Operand("A", help: "h")], "c: A is there twice"),
  ])
  func `operands that cannot be told apart are found`(operands: [Operand], defect: String) {
    let command = Command("c", summary: "s", operands: operands, examples: [Example("holdfast c x y", comment: "k")])
    #expect(defects(of: command).contains(defect))
  }

  @Test(arguments: [
    (Offer.stems(folderOption: "policies", endings: [".yaml"]), nil),
    (.stems(folderOption: "policies", endings: []), "c: A offers files of no ending"),
    (.stems(folderOption: "policies", endings: [".a b"]), "c: A offers files of no ending"),
    (
      .stems(folderOption: "json", endings: [".a"]),
      "c: A offers what lies in the folder of an option that has none: --json"
    ),
    (.printed(by: "deploy", key: "id", passing: "policies", after: ["latest"]), nil),
    (.printed(by: "remove", key: "id", passing: "policies", after: []), "c: A offers what no command prints"),
    (.printed(by: "deploy", key: "$(x)", passing: "policies", after: []), "c: A offers what no command prints"),
    (.printed(by: "remove", operands: ["a"], key: "id", passing: "policies"), "c: A offers what no command prints"),
    (.printed(by: "remove", operands: ["a", "b"], key: "id", passing: "policies"), nil),
    (.printed(by: "remove", operands: ["$(x)"], key: "id", passing: "policies"), "c: A offers what no command prints"),
    (
      .printed(by: "remove", operands: ["a", "b", "c"], key: "id", passing: "policies"),
      "c: A offers what no command prints"
    ),
    (.printed(by: "bogus", key: "id", passing: "policies", after: []), "c: A offers what no command prints"),
    (.printed(by: "deploy", key: "id", passing: "policies", after: ["-x"]), "c: A offers a word that has to be quoted"),
  ])
  func `an offer that no completion can be made of is found`(offer: Offer, defect: String?) {
    let operand = Operand("A", help: "h", offers: offer)
    let command = Command("c", summary: "s", operands: [operand], examples: [Example("holdfast c x", comment: "k")])
    #expect(defects(of: command) == [defect].compactMap(\.self))
  }

  @Test(arguments: ["", "Upper", "a b c", "a  b", "-x", "help", "help me", "a_b"])
  func `a bad command name is found`(name: String) {
    let command = Command(name, summary: "s", examples: [Example("holdfast \(name)", comment: "k")])
    #expect(defects(of: command).contains("bad command name \"\(name)\""))
  }

  @Test func `a command without a name never stands for another`() throws {
    var table = sample
    table.commands.insert(Command("", summary: "s", examples: []), at: 0)
    guard case .run(let found) = try table.parse(arguments: ["deploy"], environment: [:]) else {
      throw NotAnInvocation()
    }
    #expect(found.command == "deploy")
  }

  @Test func `clashing names are found`() {
    #expect(defects(of: named("deploy")).contains("command deploy is there twice"))
    #expect(defects(of: named("schedule")).contains("schedule is a command and the first word of others"))
  }

  @Test(arguments: [
    (Example("holdfast c", comment: ""), "c: no comment on: holdfast c"),
    (Example("c", comment: "k"), "c: c: does not call holdfast"),
    (Example("holdfast deploy", comment: "k"), "c: holdfast deploy: is a use of deploy"),
    (
      Example("holdfast c --frobnicate", comment: "k"),
      "c: holdfast c --frobnicate: unknown option --frobnicate: holdfast c has no such option"
    ),
    (
      Example("holdfast c 'a b' c > x", comment: "k"),
      "c: holdfast c 'a b' c > x: unexpected argument \"a b\": holdfast c takes no argument"
    ),
  ])
  func `an example that does not work is found`(example: Example, defect: String) {
    #expect(defects(of: Command("c", summary: "s", examples: [example])) == [defect])
  }

  @Test func `a command without example or summary is found`() {
    #expect(defects(of: Command("c", summary: "", examples: [])) == ["c has no summary", "c has no example"])
  }

  @Test func `help that is too wide is found`() {
    let line = "holdfast c --policies \(String(repeating: "x", count: 80))"
    let found = defects(of: Command("c", summary: "s", examples: [Example(line, comment: "k")]))
    #expect(found == ["help of c: too wide:   \(line)"])
  }

  private func defects(of command: Command) -> [String] {
    var table = sample
    table.commands.append(command)
    return table.defects
  }

  private func named(_ name: String) -> Command {
    Command(name, summary: "s", examples: [Example("holdfast \(name)", comment: "k")])
  }
}
