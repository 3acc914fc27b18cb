import CommandSyntax
import TestSupport
import Testing

struct ManualPageTests {
  private static let hostile = #".SH it's\n 'x' "y" `b` ~^ --x-y \fBq\*[z] ü…"#
  private let page = ManualPage(
    description: "First.\n.Second\n'Third", exitStatus: [.init("0", "well")], environment: [.init("VAR", "a variable")],
    files: [.init("some/file", "a file")], examples: [Example("holdfast restore x", comment: "k")],
    seeAlso: ["other(1)", "third(5)"])

  @Test func `the page has its sections in the usual order`() {
    let titles = sample.page(page).split(separator: "\n").filter { $0.hasPrefix(".SH ") }.map { $0.dropFirst(4) }
    #expect(
      titles == [
        "\"NAME\"", "\"SYNOPSIS\"", "\"DESCRIPTION\"", "\"COMMANDS\"", "\"GLOBAL OPTIONS\"", "\"EXIT STATUS\"",
        "\"ENVIRONMENT\"", "\"FILES\"", "\"EXAMPLES\"", "\"SEE ALSO\"",
      ])
  }

  @Test func `every command with its forms, options, operands and examples is on the page as it is typed`() throws {
    let shown = try rendered(sample.page(page))
    for command in sample.commands {
      for form in sample.usageForms(of: command) { #expect(shown.contains(form), "\(form)") }
      for example in command.examples { #expect(shown.contains(example.line), "\(example.line)") }
      for option in sample.options(of: command) {
        let label = (option.short.map { "-\($0), " } ?? "") + option.synopsis
        #expect(shown.contains(label), "\(label)")
      }
      for operand in command.operands { #expect(shown.contains(operand.name)) }
    }
    for variable in ["HF_POLICIES", "HF_LOG_LEVEL", "HF_TO", "NO_COLOR", "VAR"] { #expect(shown.contains(variable)) }
  }

  @Test func `no text is taken for a request, and each is printed as it is`() throws {
    var table = sample
    table.summary = Self.hostile
    table.commands.append(
      Command(
        "hostile", summary: Self.hostile, operands: [Operand("A", help: Self.hostile)],
        options: [Option("x-y", value: ".V\\e", help: Self.hostile, allowed: ["'.\\"])],
        discussion: "\(Self.hostile)\n'br\n`.x` and \\&\n.odd ` quote",
        examples: [Example(Self.hostile, comment: Self.hostile)]))
    let shown = try rendered(table.page(page), columns: 400)
    // What stands between backquotes is bold, in a sentence.
    let plain = Self.hostile.replacing("`", with: "")
    for line in [plain, "'br", ".x and \\&", ".odd ` quote", ".Second", "'Third", ".V\\e"] {
      #expect(shown.contains(line), "\(line)\n\(shown)")
    }
    #expect(shown.split(separator: "\n").contains { $0.contains(Self.hostile) }, "an example is literal")
  }

  @Test func `a page without something has no section for it`() {
    let bare = ManualPage(description: "", exitStatus: [], environment: [], files: [], examples: [], seeAlso: [])
    let text = sample.page(bare)
    for title in ["DESCRIPTION", "EXIT STATUS", "FILES", "EXAMPLES", "SEE ALSO"] {
      #expect(!text.contains(".SH \"\(title)"))
    }
    #expect(text.contains(".SH \"ENVIRONMENT\""))
  }

  @Test func `a request that troff does not know is a warning, so that silence means something`() throws {
    #expect(throws: ManualReader.Warning.self) { try rendered(".TH X 1\n.SH NAME\n.nonsense\n") }
  }

  private func rendered(_ page: String, columns: Int = 100) throws -> String {
    try ManualReader.read(page, columns: columns)
  }
}
