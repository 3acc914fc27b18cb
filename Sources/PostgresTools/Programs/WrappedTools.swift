import BackupModel
import Diagnostics
import Foundation
import Planning

/// PostgreSQL's programs behind a wrapper (`docker exec -i postgres`): another view of files, another environment. What they are told
/// stands in their arguments, what they are given comes and goes by stdin and stdout, and only the password is a variable.
extension Toolbox {
  /// The one installation that the wrapper leads to.
  static func wrapped(_ settings: ToolSettings, runner: ChildRunner) throws(Failure) -> [ClientInstallation] {
    let unknown = ClientInstallation(
      directory: settings.directory ?? "", version: ClientVersion(major: 0, minor: 0), wrapper: settings.wrapper)
    let printed: String
    do throws(Failure) {
      printed = try runner.output(of: Toolbox(installation: unknown).command("pg_dump", ["--version"]))
    } catch {
      guard ["tool_missing", "tool_cannot_run"].contains(error.code) else { throw error }
      var failure = error
      failure.nextStep = "correct tools.wrapper in the policy: its first word is the program that is run"
      throw failure
    }
    guard let version = ClientVersion(printed: printed) else { return [] }
    return [ClientInstallation(directory: unknown.directory, version: version, wrapper: settings.wrapper)]
  }

  package var isWrapped: Bool { !installation.wrapper.isEmpty }

  func wrapped(_ tool: String, _ arguments: [String], password: Secret?) -> ChildCommand {
    var words = installation.wrapper
    // The wrapper is a program of the user's: it gets what the user has, but nothing of libpq's.
    var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("PG") }
    // What the tools say is read, and their words must not depend on the user's language.
    environment["LC_ALL"] = "C.UTF-8"
    Self.pass("LC_ALL", through: &words)
    if let password {
      environment["PGPASSWORD"] = password.reveal()
      Self.pass("PGPASSWORD", through: &words)
    }
    let program = words.first ?? ""
    return ChildCommand(
      executable: findProgram(program, path: ProcessInfo.processInfo.environment["PATH"]) ?? program,
      arguments: words.dropFirst() + [path(tool)] + arguments, environment: environment,
      secrets: [password].compactMap { $0 })
  }

  /// A container has an environment of its own: `docker exec` has to be told which variable to hand on.
  private static func pass(_ variable: String, through words: inout [String]) {
    let program = words.first.map { lastName(of: $0) } ?? ""
    let isContainer = ["docker", "podman", "nerdctl"].contains { program.contains($0) }
    guard isContainer, let exec = words.firstIndex(of: "exec"), !words.contains(variable) else { return }
    words.insert(contentsOf: ["-e", variable], at: exec + 1)
  }

  /// - Throws: `wrapped_directory` when a backup is in a format that programs behind a wrapper cannot read.
  package func requireFiles(of format: BackupFormat, what: String) throws(Failure) {
    guard format == .directory, !installation.wrapper.isEmpty else { return }
    throw Failure(
      "wrapped_directory", exit: .configuration, what: what,
      why: "it is in directory format, and the programs \(installation.place) do not see its files",
      nextStep: "use a policy without tools.wrapper, with PostgreSQL's client programs on this machine")
  }
}
