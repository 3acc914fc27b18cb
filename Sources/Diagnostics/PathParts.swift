/// The folder of a path, by its text alone: "/srv" of "/srv/x" and "/srv/x/", "/" of "/x", empty of "x".
///
/// (Foundation's own traps on a path of one character.)
package func parent(of path: String) -> String {
  let (folder, _) = parts(of: path)
  let trimmed = withoutSlashes(folder)
  return trimmed.isEmpty && !folder.isEmpty ? "/" : String(trimmed)
}

/// The last name of a path: "x" of "/srv/x" and "/srv/x/", empty of "/".
package func lastName(of path: String) -> String { String(parts(of: path).name) }

private func parts(of path: String) -> (folder: Substring, name: Substring) {
  let path = withoutSlashes(path[...])
  let start = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path.utf8.index(after: $0) } ?? path.startIndex
  return (path[..<start], path[start...])
}

private func withoutSlashes(_ path: Substring) -> Substring {
  var path = path
  while path.utf8.last == UInt8(ascii: "/") { path = path[..<path.utf8.index(before: path.endIndex)] }
  return path
}
