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
    try refuseCompressed(output, backup)
    try refuseTerminal(output, backup)
    let export = ExportBackup(policy: policy, surroundings: context.surroundings)
    func write() throws(Failure) -> CommandResult {
      guard let output else {
        _ = try export.toStandardOutput(backup, insteadUse: good)
        return CommandResult(json: [:], text: .nothing)
      }
      let bytes = try export.run(backup, to: output, insteadUse: good)
      return CommandResult(
        json: ["backup": .string(backup.id), "output": .string(output), "bytes": .integer(bytes)],
        text: Screen("\(output) holds the SQL of \(backup.id), \(sizeText(bytes))."))
    }
    return try context.audited(policy, write, subject: { _ in backup.id })
  }

  /// A file that is not what its name says.
  private func refuseCompressed(_ output: String?, _ backup: Backup) throws(Failure) {
    guard let output,
      let ending = [".gz", ".zst", ".bz2", ".xz", ".lz4", ".zip", ".dump"].first(where: output.hasSuffix)
    else { return }
    throw Failure(
      "usage", exit: .usage, what: "export --output",
      why: "the file would hold plain SQL, and its name ends with \(ending)",
      nextStep: ending == ".gz" || ending == ".zst"
        ? "holdfast export \(backup.id) | \(ending == ".gz" ? "gzip" : "zstd") > \(output)"
        : "write a name that ends with .sql")
  }

  /// Of a large one nobody reads more than the end.
  private func refuseTerminal(_ output: String?, _ backup: Backup) throws(Failure) {
    guard output == nil, isatty(1) == 1, backup.manifest.rawBytes > 10_000_000 else { return }
    throw Failure(
      "usage", exit: .usage, what: "export",
      why: "stdout is a terminal, and the SQL is \(sizeText(backup.manifest.rawBytes))",
      nextStep: "holdfast export \(backup.id) --output FILE, or: holdfast export \(backup.id) | less")
  }
}
