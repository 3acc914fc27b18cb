import BackupModel
import Diagnostics

/// YAML nodes to values of one key: fills in the environment, checks the kind, and collects what is wrong.
struct PolicyValues {
  let environment: [String: String]
  private(set) var problems: [PolicyProblem] = []

  init(environment: [String: String]) { self.environment = environment }

  /// - Returns: nil when there was a problem, which then stands in `problems`.
  mutating func value(of node: YAMLNode, for key: PolicyKey) -> PolicyValue? {
    switch node.content {
    case .refused: return nil
    case .mapping: return failed(node, key, "\(key.expectation), not a mapping")
    case .sequence(let items): return list(items, node, key)
    case .scalar(let text, let plain): return scalar(text, plain: plain, node, key)
    }
  }

  private mutating func scalar(_ raw: String, plain: Bool, _ node: YAMLNode, _ key: PolicyKey) -> PolicyValue? {
    if plain, raw.isEmpty { return failed(node, key, "has no value: give it one, or take the key out") }
    if plain, isNull(raw) {
      return key.nullable ? .null : failed(node, key, "has no value: give it one, or take the key out")
    }
    guard let filled = fill(raw, node, key) else { return nil }
    switch PolicyScalars.read(filled.text, plain: plain, as: key.kind) {
    case .value(let value): return value
    case .because(let reason): return failed(node, key, reason)
    case .quoting(let reason) where filled.variables.isEmpty: return failed(node, key, reason)
    case .quoting, .wrong: return failed(node, key, key.expectation + contrast(filled, key))
    }
  }

  private func isNull(_ text: String) -> Bool { ["null", "Null", "NULL", "~"].contains(text) }

  private mutating func list(_ items: [YAMLNode], _ node: YAMLNode, _ key: PolicyKey) -> PolicyValue? {
    if key.kind == .healthChecks {
      let checks = items.compactMap { healthCheck($0, key) }
      return checks.count == items.count ? .checks(checks) : nil
    }
    if case .choices(let words) = key.kind {
      let chosen = items.compactMap { choice(of: $0, among: words, key) }
      return chosen.count == items.count ? .list(chosen) : nil
    }
    guard key.kind == .texts || key.kind == .entries else {
      return failed(node, key, "\(key.expectation), not a list")
    }
    let texts = items.compactMap { item(of: $0, key) }
    return texts.count == items.count ? .list(texts) : nil
  }

  private mutating func healthCheck(_ node: YAMLNode, _ key: PolicyKey) -> HealthCheck? {
    guard case .mapping(let entries) = node.content, entries.count == 1, let entry = entries.first else {
      report(node, key, "\(key.expectation); an entry is not")
      return nil
    }
    switch (entry.key, entry.value.content) {
    case ("sql", .scalar(let text, _)): return fill(text, entry.value, key).map { .sql($0.text) }
    case ("command", .sequence(let items)) where !items.isEmpty:
      let words = items.compactMap { item(of: $0, key) }
      return words.count == items.count ? .command(words) : nil
    default:
      report(node, key, "\(key.expectation); '\(printable(entry.key))' is not")
      return nil
    }
  }

  private mutating func choice(of node: YAMLNode, among words: [String], _ key: PolicyKey) -> String? {
    guard let word = item(of: node, key) else { return nil }
    if words.contains(word) { return word }
    let suggestion = nearest(to: String(word.prefix(60)), among: key.candidates).map { "; did you mean \($0)?" } ?? ""
    report(node, key, "\(key.expectation), not '\(printable(word))'\(suggestion)")
    return nil
  }

  private mutating func item(of node: YAMLNode, _ key: PolicyKey) -> String? {
    switch node.content {
    case .refused: break
    case .scalar("", true): report(node, key, "has an entry without a value")
    case .scalar(let raw, _): return fill(raw, node, key)?.text
    // Entries of later features: their shape is not known yet, and any of them is refused.
    case .sequence where key.kind == .entries, .mapping where key.kind == .entries: return ""
    case .sequence, .mapping: report(node, key, "\(key.expectation); an entry is not text")
    }
    return nil
  }

  /// Fills in the environment, and refuses what no value may be: empty, or more than one line.
  private mutating func fill(_ raw: String, _ node: YAMLNode, _ key: PolicyKey) -> FilledText? {
    let filled = FilledText(raw, environment: environment)
    for name in filled.unset {
      let sentence = "the environment variable \(printable(name)) is not set"
      problems.append(PolicyProblem(line: node.line, key: key.path, sentence, unsetVariable: printable(name)))
    }
    for mistake in filled.mistakes { report(node, key, mistake) }
    guard filled.unset.isEmpty, filled.mistakes.isEmpty else { return nil }
    if filled.text.isEmpty {
      report(node, key, "is empty" + origin(filled, ": ", "is set, but empty"))
    } else if filled.text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
      report(node, key, "holds a line break, a tab or another control character" + origin(filled, ": see ", ""))
    } else {
      return filled
    }
    return nil
  }

  private func origin(_ filled: FilledText, _ before: String, _ after: String) -> String {
    guard !filled.variables.isEmpty else { return "" }
    let names = filled.variables.map { "${\(printable($0))}" }.joined(separator: ", ")
    return before + names + (after.isEmpty ? "" : " " + after)
  }

  /// `, not 'dirctory'; did you mean directory?`: never a secret, and never what came from the environment.
  private func contrast(_ filled: FilledText, _ key: PolicyKey) -> String {
    guard filled.variables.isEmpty else { return origin(filled, ", which the value of ", "is not") }
    guard key.kind != .secret, !mayBeSecret(filled.text) else { return "" }
    let suggestion = nearest(to: String(filled.text.prefix(60)), among: key.candidates)
    return ", not '\(printable(filled.text))'" + (suggestion.map { "; did you mean \($0)?" } ?? "")
  }

  /// Always nil, to be returned in place of a value.
  private mutating func failed(_ node: YAMLNode, _ key: PolicyKey, _ sentence: String) -> PolicyValue? {
    report(node, key, sentence)
    return nil
  }

  private mutating func report(_ node: YAMLNode, _ key: PolicyKey, _ sentence: String) {
    problems.append(PolicyProblem(line: node.line, key: key.path, sentence))
  }
}
