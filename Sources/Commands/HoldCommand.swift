import BackupModel
import Diagnostics

struct HoldCommand {
  let context: CommandContext

  func hold() throws(Failure) -> CommandResult {
    let given = context.invocation.value("reason")
    return try change { (backup) throws(Failure) in
      // Held again, for longer or by hand, it is for the same reason.
      let reason = given ?? backup.hold?.reason ?? "held by hand"
      try backup.place(Hold(reason: reason, at: context.surroundings.now()))
      return "\(backup.id) is held: \(oneLine(reason))\n"
    }
  }

  func release() throws(Failure) -> CommandResult {
    try change { (backup) throws(Failure) in
      let held = backup.hold != nil
      try backup.release()
      return "\(backup.id) is \(held ? "released" : "not held").\n"
    }
  }

  private func change(_ body: (inout Backup) throws(Failure) -> String) throws(Failure) -> CommandResult {
    let (found, policy, _) = try context.backup()
    func changed() throws(Failure) -> CommandResult {
      var backup = found
      let text = try body(&backup)
      return CommandResult(json: ["backup": backup.json], text: text)
    }
    return try context.audited(policy, changed, subject: { _ in found.id })
  }
}
