import Foundation

/// Finds a program as a shell finds it: a name with a `/` is a path, any other is looked for in the folders of PATH.
///
/// - Returns: nil when there is none. A folder is no program, though `access` calls it executable.
package func findProgram(_ name: String, path: String?) -> String? {
  let folders = (path ?? "/usr/bin:/bin").split(separator: ":")
  let candidates = name.contains("/") ? [name] : folders.map { "\($0)/\(name)" }
  return candidates.first(where: isProgram)
}

package func isProgram(_ path: String) -> Bool {
  var status = stat()
  return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
}
