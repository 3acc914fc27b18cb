import BackupModel
import CommandSyntax
import Diagnostics
import Foundation
import Workflows

struct ExportCommand {
  let context: CommandContext

  func run() throws(Failure) -> CommandResult {
    let output = context.invocation.value("output")
    let (backup, policy, listing) = try context.backup()
    let good = listing.newestGood(insteadOf: backup)
    guard output != nil || !context.console.json else {
      throw CommandTable.holdfast.usageFailure(
        command: "export", what: "--json", why: "stdout is for one document: the SQL needs a file, --output FILE")
    }
    let export = ExportBackup(policy: policy, surroundings: context.surroundings)
    func write() throws(Failure) -> CommandResult {
      guard let output else {
        _ = try export.toStandardOutput(backup, insteadUse: good)
        return CommandResult(json: [:], text: "")
      }
      let bytes = try export.run(backup, to: output, insteadUse: good)
      return CommandResult(
        json: ["backup": .string(backup.id), "output": .string(output), "bytes": .integer(bytes)],
        text: "\(output) holds the SQL of \(backup.id), \(sizeText(bytes)).\n")
    }
    return try context.audited(policy, write, subject: { _ in backup.id })
  }
}
