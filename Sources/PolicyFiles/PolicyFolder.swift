import BackupModel
import Diagnostics
import Foundation

/// The folder with the policy files, `policies` unless told otherwise: each `NAME.yaml` or `NAME.yml` is a policy.
package struct PolicyFolder: Sendable {
  package let path: String

  static let largestFile = 1 << 20
  /// Where it is unless told otherwise.
  package static let usual = "policies"

  package init(path: String) { self.path = path }

  /// The policies' names, sorted.
  ///
  /// - Throws: `policies_missing` (66), `policies_unreadable` (77 or 78).
  package func names() throws(Failure) -> [String] {
    Array(Set(try files().map(\.stem))).sorted()
  }

  /// - Parameter name: nil takes the only policy there is.
  /// - Throws: `policy_needed` (64) when there are several and none is named, `policy_unknown` (66), `configuration`
  ///   (78) when the policy is not in order, and what `names` throws.
  package func load(_ name: String?, reader: PolicyReader) throws(Failure) -> Policy {
    let files = try files()
    let name = try choose(name, among: Array(Set(files.map(\.stem))).sorted())
    let matching = files.filter { $0.stem == name }
    guard let file = matching.first, matching.count == 1 else { throw ambiguous(name, matching.map(\.name)) }
    let shown = path.hasSuffix("/") ? path + file.name : "\(path)/\(file.name)"
    // Whoever types the folder's name knows whose it is; what lies in the current folder anybody may have put there.
    if path == Self.usual {
      for place in [path, shown] {
        if let refusal = ForeignOwner.refusal(of: place, code: "foreign_owner", what: "policy \(name)") {
          throw refusal
        }
      }
    }
    return try reader.read(bytes: try contents(of: shown, name: name), file: shown, name: name)
  }

  private struct File {
    var name: String
    var stem: String
  }

  private func choose(_ name: String?, among names: [String]) throws(Failure) -> String {
    guard let name else {
      if let only = names.first, names.count == 1 { return only }
      throw names.isEmpty ? none() : several(names)
    }
    guard names.contains(name) else { throw unknown(name, names) }
    return name
  }

  private func files() throws(Failure) -> [File] {
    guard let folder = opendir(path) else { throw unreadable(errno) }
    defer { closedir(folder) }
    var files: [File] = []
    errno = 0
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if let stem = stem(of: name), isFile(name) { files.append(File(name: name, stem: stem)) }
      errno = 0
    }
    if errno != 0 { throw unreadable(errno) }
    return files.sorted { $0.name < $1.name }
  }

  private func stem(of name: String) -> String? {
    guard !name.hasPrefix(".") else { return nil }
    for ending in [".yaml", ".yml"] where name.hasSuffix(ending) { return String(name.dropLast(ending.count)) }
    return nil
  }

  private func isFile(_ name: String) -> Bool {
    var status = stat()
    return stat("\(path)/\(name)", &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// One byte more than the largest policy at most, so that the reader sees that it is too large.
  private func contents(of file: String, name: String) throws(Failure) -> [UInt8] {
    let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw unreadable(file, name, errno) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while bytes.count <= Self.largestFile {
      let count = read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw unreadable(file, name, errno) }
      if count == 0 { break }
      bytes += chunk.prefix(count)
    }
    return bytes
  }
}

extension PolicyFolder {
  private func none() -> Failure {
    Failure(
      "policy_unknown", exit: .notFound, what: "policies in \(printable(path, limit: 4096))",
      why: "there is none: no file ends in .yaml or .yml",
      nextStep: "run holdfast init to write one, or name another folder with --policies")
  }

  private func several(_ names: [String]) -> Failure {
    Failure(
      "policy_needed", exit: .usage, what: "policy", why: "which one? There are \(listed(names))",
      nextStep: "name one after the command, for example \(printable(names.first ?? ""))")
  }

  private func unknown(_ name: String, _ names: [String]) -> Failure {
    let stem = stem(of: name).flatMap { names.contains($0) ? $0 : nil }
    let near = stem ?? nearest(to: String(name.prefix(60)), among: names)
    return Failure(
      "policy_unknown", exit: .notFound, what: "policy \(printable(name))",
      why: "there is no such policy in \(printable(path, limit: 4096))"
        + (near.map { "; did you mean \(printable($0))?" } ?? ""),
      nextStep: names.isEmpty
        ? "run holdfast init to write one, or name another folder with --policies" : "name one of \(listed(names))")
  }

  private func ambiguous(_ name: String, _ files: [String]) -> Failure {
    Failure(
      "configuration", exit: .configuration, what: "policy \(printable(name))",
      why: "more than one file is this policy: \(listed(files))", nextStep: "remove or rename one of them")
  }

  private func unreadable(_ file: String, _ name: String, _ error: Int32) -> Failure {
    Failure(
      "policies_unreadable", exit: exit(error), what: "policy \(printable(name))",
      why: "\(printable(file, limit: 4096)) cannot be read: \(String(cString: strerror(error)))",
      nextStep: "let the user who runs holdfast read it")
  }

  private func unreadable(_ error: Int32) -> Failure {
    let shown = printable(path, limit: 4096)
    if error == ENOENT {
      return Failure(
        "policies_missing", exit: .notFound, what: "policies",
        why: "there is no folder \(printable(absolute, limit: 4096))",
        nextStep: folderAbove.map { "there is one further up: --policies \(printable($0, limit: 4096))" }
          ?? "run holdfast init to write a policy, or name the folder with --policies")
    }
    return Failure(
      "policies_unreadable", exit: exit(error), what: "policies",
      why: "\(shown) cannot be read: \(String(cString: strerror(error)))",
      nextStep: error == ENOTDIR ? "name the folder with --policies" : "let the user who runs holdfast read the folder")
  }

  private var absolute: String {
    path.hasPrefix("/") ? path : "\(FileManager.default.currentDirectoryPath)/\(path)"
  }

  /// A folder of the name in one of those above the current one, as from a subfolder of the project.
  private var folderAbove: String? {
    guard !path.hasPrefix("/") else { return nil }
    var folder = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
    while folder.path != "/" {
      folder.deleteLastPathComponent()
      let candidate = folder.appendingPathComponent(path).path
      if access(candidate, F_OK) == 0 { return candidate }
    }
    return nil
  }

  private func exit(_ error: Int32) -> ExitCode { error == EACCES || error == EPERM ? .noPermission : .configuration }

  private func listed(_ names: [String]) -> String { names.map { printable($0) }.joined(separator: ", ") }
}
