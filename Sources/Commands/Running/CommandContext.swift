import BackupModel
import CommandSyntax
import Diagnostics
import Foundation
import PolicyFiles
import PostgresTools
import Workflows

/// One command being run: what was typed, and what it works with.
struct CommandContext {
  let invocation: Invocation
  let environment: [String: String]
  /// That Holdfast was started with.
  let umask: mode_t
  let console: Console
  let cancellation: Cancellation
  /// The policy of the backup that was asked for by its id.
  let found = Found()
  let warnings = Warnings()

  final class Found {
    var policy: String?
  }

  init(
    invocation: Invocation, environment: [String: String], umask: mode_t, console: Console, cancellation: Cancellation
  ) {
    self.invocation = invocation
    self.environment = environment
    self.umask = umask
    self.console = console
    self.cancellation = cancellation
  }

  /// What the command comes to, in words that can be typed.
  func answer() throws(Failure) -> CommandResult {
    do throws(Failure) {
      var result = try execute()
      if Self.telling.contains(invocation.command) { result.text = naming(result.text) }
      if let failure = result.failure { result.failure = naming(failure) }
      return result
    } catch {
      throw naming(error)
    }
  }

  private func naming(_ failure: Failure) -> Failure {
    var failure = failure
    failure.nextStep = naming(failure.nextStep)
    return failure
  }

  /// The project's own migrations folder, as its policies see it; nil when it is not where Prisma makes it.
  private var migrationsBeside: String? {
    ["../prisma/migrations", "../migrations"].first { access("\(policiesFolder.path)/\($0)", F_OK) == 0 }
  }

  /// Those whose text tells what to type. That of others may have words of its user's in it.
  private static let telling: Set<String> = [
    "abandon", "backup", "check", "deploy", "migrations", "prune", "resume", "rollback", "status", "undo",
  ]

  /// A text with the policy's name in its commands, where there are several, and with the project's own folder.
  func naming(_ text: String) -> String { naming(Screen(text)).lines.first ?? "" }

  func naming(_ screen: Screen) -> Screen {
    let screen =
      migrationsBeside.map { own in screen.map { $0.replacing(MigrationBooks.exampleFolder, with: own) } } ?? screen
    let name = invocation.operand("POLICY") ?? invocation.value("policy") ?? found.policy
    guard let name, let names = try? policiesFolder.names(), names.count > 1, names.contains(name) else {
      return screen
    }
    return screen.map(NamedPolicy(name: name).naming)
  }

  private func execute() throws(Failure) -> CommandResult {
    switch invocation.command {
    case "init": try InitCommand(context: self).run()
    case "check": try CheckCommand(context: self).run()
    case "backup": try BackupCommand(context: self).run()
    case "list": try ListCommand(context: self).run()
    case "show": try ShowCommand(context: self).run()
    case "verify": try VerifyCommand(context: self).run()
    case "restore": try RestoreCommand(context: self).run()
    case "export": try ExportCommand(context: self).run()
    case "hold": try HoldCommand(context: self).hold()
    case "migrations": try MigrationsCommand(context: self).run()
    case "resolve": try ResolveCommand(context: self).resolve()
    case "baseline": try BaselineCommand(context: self).run()
    case "snapshot": try DeployCommand(context: self).snapshot()
    case "deploy": try DeployCommand(context: self).deploy()
    case "rollback": try RollbackCommand(context: self).rollback()
    case "undo": try RollbackCommand(context: self).undo()
    case "resume": try DeployCommand(context: self).resume()
    case "abandon": try DeployCommand(context: self).abandon()
    case "remove": try RemoveCommand(context: self).run()
    case "prune": try PruneCommand(context: self).run()
    case "status": try StatusCommand(context: self).run()
    case "release": try HoldCommand(context: self).release()
    case "completions": try InstallingCommands(context: self).completions()
    case "man": InstallingCommands(context: self).man()
    default: throw .internalError("the command \(invocation.command) is in the table but not built")
    }
  }

  // MARK: Surroundings

  var surroundings: Surroundings {
    var surroundings = Surroundings(
      cancellation: cancellation, log: log, reporter: reporter, environment: environment, umask: umask)
    surroundings.acceptsOldClient = invocation.flag("accept-old-client")
    return surroundings
  }

  private var reporter: any Reporter {
    invocation.flag("quiet")
      ? QuietReporter(warnings: warnings) : ProgressReporter(console: console, warnings: warnings)
  }

  var log: Log {
    let threshold = LogLevel(name: invocation.value("log-level") ?? "") ?? .warning
    let console = console
    let warnings = warnings
    return Log { level, text in
      if level == .warning { warnings.add(text) }
      if level <= threshold { console.say("\(level.name): \(singleLine(text))") }
    }
  }

  // MARK: Policies

  var policiesFolder: PolicyFolder { PolicyFolder(path: invocation.value("policies") ?? PolicyFolder.usual) }

  /// Where a project keeps its variables, the first one first.
  static let environmentFiles = [".env", "prisma/.env"]

  /// Variables for `${NAME}`: the environment, else the project's files beside the policies' folder.
  var reader: PolicyReader {
    let project = URL(fileURLWithPath: policiesFolder.path).standardizedFileURL.deletingLastPathComponent()
    let paths = Self.environmentFiles.map { project.appendingPathComponent($0).path }
    let files = paths.map { EnvironmentFile(path: $0) }
    let places = EnvironmentPlaces(file: paths.first ?? ".env", unreadable: files.compactMap(\.problem))
    let variables = files.reduce(environment) { known, file in known.merging(file.variables) { own, _ in own } }
    return PolicyReader(environment: variables, places: places, parseURL: ConnectionURL.parse)
  }

  func policy() throws(Failure) -> Policy {
    try policiesFolder.load(invocation.operand("POLICY"), reader: reader)
  }
}
