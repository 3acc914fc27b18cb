import BackupModel
import CommandSyntax
import Diagnostics
import Foundation
import PostgresTools

/// The process: its set-up, one command, its end.
package enum Program {
  /// Runs the command line that the process was started with, and ends the process with its exit code.
  package static func main() -> Never {
    let cancellation = Cancellation()
    // A policy may name any variable, also those that the set-up takes away.
    let environment = ProcessInfo.processInfo.environment
    let umask = ProcessSetUp.prepare(cancellation)
    let arguments = Array(CommandLine.arguments.dropFirst())
    exit(run(arguments, environment: environment, umask: umask, cancellation: cancellation).rawValue)
  }

  private static func run(
    _ arguments: [String], environment: [String: String], umask: mode_t, cancellation: Cancellation
  ) -> ExitCode {
    let table = CommandTable.holdfast
    let console = Console(
      json: table.asks(for: "json", arguments: arguments, environment: environment),
      colors: !table.asks(for: "no-color", arguments: arguments, environment: environment))
    do throws(Failure) {
      switch try table.parse(arguments: arguments, environment: environment) {
      case .help(let text), .version(let text):
        return Console(json: false, colors: false).show(CommandResult(json: [:], text: Screen(own: text)))
      case .run(let invocation):
        let context = CommandContext(
          invocation: invocation, environment: environment, umask: umask, console: console,
          cancellation: cancellation)
        return console.show(try context.answer())
      }
    } catch {
      return console.show(CommandResult(failure: error))
    }
  }
}
