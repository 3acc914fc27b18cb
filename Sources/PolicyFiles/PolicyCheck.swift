import BackupModel
import Diagnostics

/// Walks a policy's tree along the table of keys: values on one side, problems on the other.
struct PolicyCheck {
  private(set) var values: [String: PolicyValue] = [:]
  private var found: [PolicyProblem] = []
  private var reader: PolicyValues
  /// Where each key and section stands, from its path.
  private var lines: [String: Int] = [:]
  /// Sections that could not be looked into: whether a key is missing there is not known.
  private var closedSections: Set<String> = []

  /// What `database.url` says.
  private(set) var target: ConnectionTarget?
  private let parseURL: PolicyReader.URLParser

  init(environment: [String: String], parseURL: @escaping PolicyReader.URLParser) {
    reader = PolicyValues(environment: environment)
    self.parseURL = parseURL
  }

  var problems: [PolicyProblem] { found + reader.problems }

  mutating func check(root: YAMLNode?) {
    guard let root, !isBlank(root) else {
      found.append(PolicyProblem(line: 1, "the file is empty; a policy needs at least database.url"))
      return
    }
    guard case .mapping(let entries) = root.content else {
      let sentence = "a policy must be a mapping, with lines such as environment: staging"
      found.append(PolicyProblem(line: root.line, sentence))
      return
    }
    check(entries, section: nil)
    checkFormatBehindWrapper()
    reportMissingKeys(root)
  }

  private func isBlank(_ node: YAMLNode) -> Bool {
    if case .scalar("", true) = node.content { true } else { false }
  }

  private mutating func check(_ entries: [YAMLEntry], section: String?) {
    let names = PolicyTable.names(in: section)
    for entry in entries {
      let path = keyPath(section, entry.key)
      guard names.contains(entry.key) || PolicyTable.isOlderName(entry.key, in: section) else {
        found.append(PolicyProblem(line: entry.keyLine, key: path, unknownKey(entry.key, section: section)))
        continue
      }
      if let first = lines[path] {
        found.append(PolicyProblem(line: entry.keyLine, key: path, "is set twice; the first is on line \(first)"))
        continue
      }
      lines[path] = entry.keyLine
      if let key = PolicyTable.byPath[path] { check(entry.value, key) } else { checkSection(entry, path) }
    }
  }

  private mutating func check(_ node: YAMLNode, _ key: PolicyKey) {
    guard let value = reader.value(of: node, for: key) else { return }
    if let refusal = key.refusal(of: value) ?? connectionRefusal(of: value, key) {
      found.append(PolicyProblem(line: node.line, key: key.path, refusal))
    } else if value != .null {
      values[key.path] = value
    }
  }

  private mutating func connectionRefusal(of value: PolicyValue, _ key: PolicyKey) -> String? {
    guard key.path == "database.url", case .text(let url) = value else { return nil }
    do throws(Failure) {
      target = try parseURL(Secret(url))
      return nil
    } catch { return "\(error.why); \(error.nextStep)" }
  }

  private mutating func checkSection(_ entry: YAMLEntry, _ section: String) {
    switch entry.value.content {
    case .mapping(let entries): check(entries, section: section)
    case .scalar("null", true), .scalar("~", true): break
    case .refused: closedSections.insert(section)
    case .scalar("", true):
      closedSections.insert(section)
      found.append(
        PolicyProblem(line: entry.keyLine, key: section, "has no keys: indent them below it, or take the line out"))
    case .scalar, .sequence:
      closedSections.insert(section)
      let names = PolicyTable.names(in: section).joined(separator: ", ")
      found.append(
        PolicyProblem(line: entry.value.line, key: section, "must hold keys of its own, indented below it: \(names)"))
    }
  }

  private mutating func checkFormatBehindWrapper() {
    guard values["backup.format"] == .text("directory"), let wrapper = values["tools.wrapper"], wrapper != .list([])
    else { return }
    found.append(
      PolicyProblem(
        line: lines["backup.format"] ?? 1, key: "backup.format",
        "cannot be directory behind tools.wrapper, whose programs do not see the repository: write custom or plain"))
  }

  private mutating func reportMissingKeys(_ root: YAMLNode) {
    for key in PolicyTable.keys where key.fallback == nil && lines[key.path] == nil {
      let section = key.path.split(separator: ".").first.map(String.init) ?? key.path
      if closedSections.contains(section) { continue }
      found.append(
        PolicyProblem(
          line: lines[section] ?? root.line, key: key.path, "is missing, and nothing works without it"))
    }
  }

  private func unknownKey(_ key: String, section: String?) -> String {
    let names = PolicyTable.names(in: section)
    if let near = nearest(to: String(key.prefix(60)), among: names) {
      return "unknown key; did you mean \(section.map { "\($0).\(near)" } ?? near)?"
    }
    if let path = PolicyTable.byPath[key]?.path, key.contains(".") {
      return "unknown key; \(path) is written as its section, and indented below that the key"
    }
    if let path = PolicyTable.keys.first(where: { $0.path.hasSuffix(".\(key)") })?.path ?? topLevel(key) {
      return "unknown key here; did you mean \(path)?"
    }
    return "unknown key; there are \(names.sorted().joined(separator: ", "))"
  }

  private func topLevel(_ key: String) -> String? { PolicyTable.names(in: nil).first { $0 == key } }
}
