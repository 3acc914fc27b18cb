import Diagnostics
import Foundation

/// A folder for `tools.directory` with shell scripts that call the true PostgreSQL tools, but stop where a test wants it, or
/// misbehave as it says.
package struct StoppableTools {
  package let folder: String
  private let real: String
  private static let names = ["pg_dump", "pg_dumpall", "pg_restore", "psql"]

  /// A moment in a tool's life: `pg_dump.start`, `pg_dump.half`, `pg_dump.end`.
  package struct Moment: Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
  }

  /// - Parameter real: the folder of the true ones.
  package init(in folder: String, real: String) throws {
    self.folder = folder
    self.real = real
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for tool in Self.names { try restore(tool) }
  }

  /// Has a tool do what a piece of shell script says. Its words: `$real` is the true tool, `$here` a folder for notes,
  /// `$target` what follows `-f`, `stop NAME` waits when that moment was armed.
  package func replace(_ tool: String, _ body: String) throws {
    let script = """
      #!/bin/sh
      real='\(real)/\(tool)' here='\(folder)'
      [ "$1" = --version ] && exec "$real" --version
      # A look at the schema, as the trial of a way back takes it, is no dump.
      case "$*" in *--schema-only*) exec "$real" "$@";; esac
      stop() {
        [ -p "$here/\(tool).$1" ] || return 0
        : > "$here/\(tool).$1.reached"
        read -r _ < "$here/\(tool).$1"
        return 0
      }
      target= before=
      for word; do [ "$before" = -f ] && target=$word; before=$word; done
      \(body)

      """
    let path = "\(folder)/\(tool)"
    try Data(script.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    chmod(path, 0o755)
  }

  /// Has a tool do what it should again.
  package func restore(_ tool: String) throws {
    let half = tool == "pg_dump" ? Self.halfDump : tool == "pg_restore" ? Self.halfRestore : ""
    try replace(
      tool,
      """
      # Read twice: a listing is no moment of its own.
      [ "$1" = -l ] && exec "$real" "$@"
      stop start
      \(half)
      [ -p "$here/\(tool).end" ] || exec "$real" "$@"
      "$real" "$@"
      code=$?
      stop end
      exit $code
      """)
  }

  /// Dumps elsewhere, and brings the files one by one, with a stop in the middle.
  package static let halfDump = """
    if [ -p "$here/pg_dump.half" ]; then
      rm -rf "$here/staged"
      "$real" "$@" -f "$here/staged" || exit
      cp "$here/staged/toc.dat" "$target"
      count=0
      for file in "$here"/staged/[0-9]*.dat; do
        cp "$file" "$target"
        count=$((count + 1))
        [ $count = 2 ] && stop half
      done
      cp "$here"/staged/blob* "$target"
      exit 0
    fi
    """

  /// The rows are in, and keys and indexes are not.
  private static let halfRestore = """
    case "$*" in *--section=post-data*) stop half;; esac
    """

  // MARK: Stops

  /// From now on the tool waits at this moment.
  package func arm(_ moment: Moment) throws {
    guard mkfifo("\(folder)/\(moment)", 0o600) == 0 else { throw Failure.internalError("mkfifo failed: \(errno)") }
  }

  /// Waits until the tool stands there.
  package func reach(_ moment: Moment, within seconds: Double = 180) throws {
    let note = "\(folder)/\(moment).reached"
    guard eventually(within: seconds, { access(note, F_OK) == 0 }) else {
      throw Failure.internalError("\(moment) was not reached")
    }
  }

  /// Lets a tool that stands there go on. The moment stays armed for the next call.
  package func release(_ moment: Moment) throws {
    try reach(moment)
    unlink("\(folder)/\(moment).reached")
    var gate: Int32 = -1
    guard
      eventually({
        gate = open("\(folder)/\(moment)", O_WRONLY | O_NONBLOCK | O_CLOEXEC)
        return gate >= 0
      })
    else { throw Failure.internalError("nobody waits at \(moment)") }
    close(gate)
  }

  /// Tools no longer wait there.
  package func disarm(_ moment: Moment) {
    unlink("\(folder)/\(moment)")
    unlink("\(folder)/\(moment).reached")
  }
}
