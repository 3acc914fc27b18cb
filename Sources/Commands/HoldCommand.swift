import BackupModel
import Diagnostics

struct HoldCommand {
  let context: CommandContext

  func hold() throws(Failure) -> CommandResult {
    var backup = try context.backup().backup
    let reason = context.invocation.value("reason") ?? "held by hand"
    try backup.place(Hold(reason: reason, at: context.surroundings.now()))
    return CommandResult(json: ["backup": backup.json], text: "\(backup.id) is held: \(reason)\n")
  }

  func release() throws(Failure) -> CommandResult {
    var backup = try context.backup().backup
    let held = backup.hold != nil
    try backup.release()
    return CommandResult(
      json: ["backup": backup.json], text: "\(backup.id) is \(held ? "released" : "not held").\n")
  }
}
