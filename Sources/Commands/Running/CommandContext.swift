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

  /// The project's own migrations folder, as its policies see it; nil when it is not where Prisma makes it.
  private var migrationsBeside: String? {
    ["../prisma/migrations", "../migrations"].first { access("\(policiesFolder.path)/\($0)", F_OK) == 0 }
  }

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
