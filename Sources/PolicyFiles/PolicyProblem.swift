import Diagnostics

/// One thing that is wrong with a policy file.
struct PolicyProblem: Error, Equatable {
  /// From 1.
  var line: Int
  /// The key's path, `backup.jobs`; nil when the problem is not one of a key.
  var key: String?
  var sentence: String
  /// The environment variable that would have to be set, when that is all.
  var unsetVariable: String?

  init(line: Int, key: String? = nil, _ sentence: String, unsetVariable: String? = nil) {
    self.line = line
    self.key = key
    self.sentence = sentence
    self.unsetVariable = unsetVariable
  }

  /// `KEY: sentence`.
  var text: String { (key.map { "\($0): " } ?? "") + sentence }
}

extension Failure {
  /// All problems of a policy in one failure, in the order of their lines.
  static func policy(
    _ name: String, file: String, problems: [PolicyProblem], places: EnvironmentPlaces
  ) -> Failure {
    let sorted = problems.enumerated().sorted { ($0.element.line, $0.offset) < ($1.element.line, $1.offset) }
      .map(\.element)
    let only = sorted.count == 1 ? sorted.first : nil
    // The file that has it may be another user's.
    let unreadable =
      sorted.contains { $0.unsetVariable != nil } ? places.unreadable.map { printable($0, limit: 4096) } : []
    return Failure(
      "configuration", exit: .configuration, what: "policy \(printable(name))",
      why: only?.text ?? "\(sorted.count) problems",
      nextStep: nextStep(for: sorted, file: file, name: name, places),
      details: sorted.map { "\(printable(file, limit: 4096)):\($0.line): \($0.text)" } + unreadable)
  }

  private static func nextStep(
    for problems: [PolicyProblem], file: String, name: String, _ places: EnvironmentPlaces
  ) -> String {
    let unset = problems.compactMap(\.unsetVariable)
    var names: [String] = []
    for variable in unset where !names.contains(variable) { names.append(variable) }
    let remedy =
      unset.count == problems.count
      ? "set \(names.joined(separator: ", ")) in \(places.names)" : "correct \(printable(file, limit: 4096))"
    return "\(remedy), then: holdfast check \(printable(name))"
  }
}

/// Text from a file as an error may show it: on one line, not too long.
func printable(_ text: String, limit: Int = 60) -> String {
  var shown = ""
  for scalar in text.unicodeScalars.prefix(limit) {
    shown.unicodeScalars.append(scalar.properties.generalCategory == .control ? "?" : scalar)
  }
  return text.unicodeScalars.count > limit ? shown + "…" : shown
}

/// Whether a word could be part of a connection string, which no error may show.
func mayBeSecret(_ text: String) -> Bool {
  let lowered = text.lowercased()
  return lowered.contains("://") || lowered.contains("@") || lowered.contains("passw")
}
