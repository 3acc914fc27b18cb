import CommandSyntax
import Diagnostics

/// `holdfast completions` and `holdfast man`: what is written from the table of commands.
struct InstallingCommands {
  let context: CommandContext

  func completions() throws(Failure) -> CommandResult {
    guard let shell = context.invocation.operand("SHELL").flatMap(Shell.init(rawValue:)) else {
      throw .internalError("the table allows a shell that there are no completions for")
    }
    let script = CommandTable.holdfast.completions(for: shell)
    return CommandResult(
      json: ["shell": .string(shell.rawValue), "script": .string(script)], text: Screen(own: script))
  }

  func man() -> CommandResult {
    let page = CommandTable.holdfast.page(.holdfast)
    return CommandResult(json: ["page": .string(page)], text: Screen(own: page))
  }
}
