import CommandSyntax
import Diagnostics
import Testing

/// SplitMix64: the same sequence on every run, so that a failure can be repeated.
struct Chance: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func flip() -> Bool { Bool.random(using: &self) }
}

private let vocabulary = [
  "restore", "deploy", "remove", "export", "schedule", "run", "next", "help", "bogus", "", "-", "--", "---", "=", "-=",
  "--=", "--into", "--into=", "--into=x", "--into=-x", "-i", "-ix", "-i=", "-qsi", "-qh", "-h", "--help", "--help=",
  "--version", "--json", "--json=1", "--swap", "--verify", "rows", "--verify=rows", "--verify=rwos", "--table", "a.b",
  "-t", "--to", "--count", "-n", "3", "-3", "--policies", "app", "--log-level", "debug", "x y", "\u{301}", "-\u{301}",
  "--\u{301}", "--into=\u{301}", "\r\n", "\0", "👩‍👩‍👧", "-é", "İ://x", "\u{1b}[0m",
]

struct FuzzTests {
  @Test(arguments: 0..<8 as Range<UInt64>)
  func `any arguments give an answer or a usage error`(seed: UInt64) {
    var chance = Chance(state: seed)
    for _ in 0..<600 {
      let count = Int.random(in: 0...7, using: &chance)
      let arguments = (0..<count).compactMap { _ in vocabulary.randomElement(using: &chance) }
      let environment = chance.flip() ? ["HF_LOG_LEVEL": "loud", "HF_TO": "f"] : [:]
      _ = sample.asks(for: "json", arguments: arguments, environment: environment)
      do throws(Failure) {
        let parsed = try sample.parse(arguments: arguments, environment: environment)
        if case .run(let invocation) = parsed { expectSound(invocation, from: arguments) }
      } catch {
        #expect(error.exit == .usage && error.code == "usage", "\(arguments)")
        #expect(error.nextStep.hasPrefix("holdfast "), "\(arguments)")
        #expect(error.lines.allSatisfy { !$0.contains(where: \.isNewline) }, "\(arguments)")
      }
    }
  }

  private func expectSound(_ invocation: Invocation, from arguments: [String]) {
    guard let command = sample.command(named: invocation.command) else {
      Issue.record("\(arguments) came to a command that does not exist: \(invocation.command)")
      return
    }
    for operand in command.operands {
      let count = invocation.operands(operand.name).count
      #expect(count >= (operand.isRequired ? 1 : 0) && (count <= 1 || operand.isRepeatable), "\(arguments)")
    }
    for option in sample.options(of: command) {
      let values = invocation.values(option.name)
      #expect(values.count <= 1 || option.isRepeatable, "\(arguments)")
      #expect(!values.contains("") && (!option.isRequired || !values.isEmpty), "\(arguments)")
      #expect(option.allowedValues.isEmpty || values.allSatisfy(option.allowedValues.contains), "\(arguments)")
    }
  }

  @Test func `a right line comes back as it was meant, however it is written`() throws {
    var chance = Chance(state: 7)
    for _ in 0..<400 {
      let id = ["3f9a", "latest", "-"].randomElement(using: &chance) ?? "x"
      let name = ["x", "restore", "a=b", "help"].randomElement(using: &chance) ?? "x"
      let tables = (0..<Int.random(in: 0...3, using: &chance)).map { "s.t\($0)" }
      let swaps = chance.flip()
      var options = [chance.flip() ? ["--into", name] : ["--into=\(name)"]]
      options += swaps ? [[chance.flip() ? "--swap" : "-s"]] : []
      var global = [chance.flip() ? ["--policies", "p"] : ["--policies=p"], ["--json"]]
      global.shuffle(using: &chance)
      let before = global.prefix(Int.random(in: 0...2, using: &chance))
      options += global.dropFirst(before.count) + [[id]]
      options.shuffle(using: &chance)
      let repeated = tables.flatMap { chance.flip() ? ["--table", $0] : ["-t\($0)"] }
      let line = before.flatMap(\.self) + ["restore"] + options.flatMap(\.self) + repeated

      guard case .run(let found) = try sample.parse(arguments: line, environment: [:]) else {
        Issue.record("\(line) is not an invocation")
        continue
      }
      #expect(found.command == "restore" && found.operands("ID") == [id], "\(line)")
      #expect(found.value("into") == name && found.values("table") == tables, "\(line)")
      #expect(found.flag("swap") == swaps && found.flag("json") && found.value("policies") == "p", "\(line)")
    }
  }
}
