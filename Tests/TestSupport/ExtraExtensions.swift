import Diagnostics
import Foundation
import PostgresTools

/// An extension that a test makes up: a control file and a script.
package struct ExtraExtension: Sendable {
  package let name: String
  /// What CREATE EXTENSION runs.
  package let script: String

  package init(_ name: String, script: String) {
    self.name = name
    self.script = script
  }
}

/// PostgreSQL finds extensions by the place of its own program: a copy of that, with links to everything else, and the test's extensions among them.
struct ServerCopy {
  /// Absolute path of the copied `postgres`.
  let program: String

  /// - Parameters:
  ///   - binaries: the folder of the programs that are copied.
  ///   - folder: where the copy goes; it exists.
  init(of binaries: String, in folder: String, _ extensions: [ExtraExtension]) throws {
    let copying = """
      set -e; cd "$1"; binaries=$2
      share=$("$binaries/pg_config" --sharedir) libraries=${binaries%/*}/lib
      mkdir -p ".$binaries" ".${share%/*}"
      cp "$binaries/postgres" ".$binaries"
      ln -s "$libraries" ".$libraries"
      cp -rs "$share" ".$share"
      printf '%s' "$share/extension"
      """
    let place = try ChildRunner(cancellation: Cancellation()).output(
      of: ChildCommand(
        executable: "/bin/sh", arguments: ["-c", copying, "sh", folder, binaries],
        environment: Toolbox.baseEnvironment()))
    for one in extensions {
      for (suffix, text) in [(".control", "default_version = '1'\n"), ("--1.sql", one.script)] {
        let path = "\(folder)\(place)/\(one.name)\(suffix)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        chmod(path, 0o644)
      }
    }
    program = "\(folder)\(binaries)/postgres"
  }
}
