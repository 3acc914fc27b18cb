import Foundation

/// Paths in a policy are relative to the folder that the policy's file is in.
package enum PolicyPath {
  /// The absolute path, without `.` and `..`.
  package static func absolute(_ path: String, besideFile file: String) -> String {
    path.hasPrefix("/") ? normalized(path) : normalized(folder(ofFile: file) + "/" + path)
  }

  /// With its symbolic links resolved, so that a `..` leads where the kernel would go.
  private static func folder(ofFile file: String) -> String {
    let whole = file.hasPrefix("/") ? file : FileManager.default.currentDirectoryPath + "/" + file
    let parent = whole.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
    guard let resolved = realpath(parent.isEmpty ? "/" : parent, nil) else { return parent }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  private static func normalized(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
      if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
  }
}
