import CommandSyntax
import Diagnostics

/// A table with one of everything.
let sample = CommandTable(
  program: "holdfast", summary: "no migration without a proven way back", version: "holdfast 1.2.3",
  globalOptions: [
    Option(
      "policies", short: "p", value: "DIR", help: "Where the policies are.", default: "policies",
      environment: "HF_POLICIES"),
    Option("json", help: "Print one JSON document."),
    Option("quiet", short: "q", help: "Say nothing but errors."),
    Option(
      "log-level", value: "LEVEL", help: "How much to log.", allowed: ["error", "warning", "info", "debug"],
      environment: "HF_LOG_LEVEL"),
    Option("no-color", help: "Print no colours.", environment: "NO_COLOR"),
  ],
  commands: [restore, deploy, remove, export, scheduleRun, scheduleNext])

private let restore = Command(
  "restore", summary: "restore a backup into a new database", topic: "backups",
  operands: [Operand("ID", help: "A backup's id, a unique beginning of it, or latest.")],
  options: [
    Option("into", short: "i", value: "NAME", help: "The database to make; it must not exist."),
    Option("swap", short: "s", help: "Restore beside the live database, verify, swap."),
    Option(
      "verify", value: "LEVEL",
      help: "How the restored database is compared with the backup before anybody is told that it is good.",
      allowed: ["none", "rows", "digest"], default: "digest"),
    Option("table", short: "t", value: "S.T", help: "Only this table.", repeatable: true),
    Option("a-very-long-option-name", value: "WITH-VALUE", help: "Stands on a line of its own."),
  ],
  forms: ["ID --into NAME", "ID --swap"],
  discussion: "The live database is never written to.\nAn existing database is refused.",
  examples: [
    Example("holdfast restore latest --into app_check", comment: "look at last night's data"),
    Example("holdfast restore 3f9a --swap --json | jq '.backup | .id'", comment: "go back to a backup"),
  ])

private let deploy = Command(
  "deploy", summary: "apply pending migrations", topic: "migrations",
  operands: [Operand("POLICY", help: "A policy's name.", required: false)], takesTrailingCommand: true,
  examples: [Example("holdfast deploy app -- npx prisma migrate deploy", comment: "with the tool you have")])

private let remove = Command(
  "remove", summary: "remove backups", topic: "backups",
  operands: [
    Operand("POLICY", help: "A policy's name."), Operand("ID", help: "Backups.", required: true, repeatable: true),
  ],
  examples: [Example("holdfast remove app 3f9a 77ab", comment: "remove two")])

private let export = Command(
  "export", summary: "write plain SQL", topic: "backups",
  options: [Option("to", value: "FILE", help: "The file to write.", environment: "HF_TO", required: true)],
  examples: [Example("HF_TO=x holdfast export --to \"my file.sql\"", comment: "to a file")])

private let scheduleRun = Command(
  "schedule run", summary: "run what is due, for ever", topic: "schedule",
  examples: [Example("holdfast schedule run", comment: "as a service")])

private let scheduleNext = Command(
  "schedule next", summary: "show upcoming times", topic: "schedule",
  options: [Option("count", short: "n", value: "N", help: "How many.", default: "5")],
  examples: [Example("holdfast schedule next -n 3", comment: "the next three")])

/// What a line comes to; `line` is split at spaces, and `''` stands for an empty argument.
func parse(_ line: String, _ environment: [String: String] = [:]) throws(Failure) -> Parsed {
  let arguments = line.split(separator: " ").map { String($0.replacing("''", with: "")) }
  return try sample.parse(arguments: arguments, environment: environment)
}

struct NotAnInvocation: Error {}

func invocation(_ line: String, _ environment: [String: String] = [:]) throws -> Invocation {
  guard case .run(let invocation) = try parse(line, environment) else { throw NotAnInvocation() }
  return invocation
}

/// The error a line ends in; nil when it is right.
func complaint(_ line: String, _ environment: [String: String] = [:]) -> Failure? {
  do throws(Failure) {
    _ = try parse(line, environment)
    return nil
  } catch { return error }
}
