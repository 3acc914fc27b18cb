import Planning

/// Scalar texts to values, each kind by its own rule.
enum PolicyScalars {
  /// Why a text is no value of its kind.
  enum Reading: Equatable {
    case value(PolicyValue)
    /// The kind's expectation says it all.
    case wrong
    case because(String)
    /// A reason that quotes the text: not to be shown when that came from the environment.
    case quoting(String)
  }

  static func read(_ text: String, plain: Bool, as kind: PolicyValueKind) -> Reading {
    switch kind {
    case .text, .secret: .value(.text(text))
    case .path: path(text)
    case .booleanOr(let word):
      text == word ? .value(.text(word)) : boolean(text, plain: plain).map { .value(.boolean($0)) } ?? .wrong
    case .boolean: boolean(text, plain: plain).map { .value(.boolean($0)) } ?? .wrong
    case .integer(let range): integer(text, plain: plain, range)
    case .integerOr(let word, let range): text == word ? .value(.text(word)) : integer(text, plain: plain, range)
    case .duration(let days): duration(text, days: days)
    case .choice(let words): words.contains(text) ? .value(.text(text)) : .wrong
    case .compression: compression(text).map { .value($0) } ?? .wrong
    case .cron: cron(text)
    case .timeZone: TimeZoneName.exists(text) ? .value(.text(text)) : .wrong
    case .texts, .entries, .healthChecks, .choices: .wrong
    }
  }

  private static func path(_ text: String) -> Reading {
    text.hasPrefix("~")
      ? .because("~ is not replaced by a home folder: write the path out, or ${HOME}") : .value(.text(text))
  }

  /// YAML 1.1's words, but only without quotes, and only where a boolean is meant.
  private static func boolean(_ text: String, plain: Bool) -> Bool? {
    guard plain else { return nil }
    switch text.lowercased() {
    case "true", "yes", "on": return true
    case "false", "no", "off": return false
    default: return nil
    }
  }

  private static func integer(_ text: String, plain: Bool, _ range: ClosedRange<Int>) -> Reading {
    guard let number = digits(text), range.contains(number) else { return .wrong }
    return plain ? .value(.integer(number)) : .because("must be a number, not text: take the quotes away")
  }

  /// No sign, and no leading zero: YAML 1.1 reads `010` as eight.
  static func digits(_ text: some StringProtocol) -> Int? {
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), text == "0" || !text.hasPrefix("0") else { return nil }
    return Int(text)
  }

  private static func duration(_ text: String, days: Int) -> Reading {
    guard let duration = parseDuration(text) else { return .wrong }
    return duration <= .seconds(86_400 * days) ? .value(.duration(duration)) : .because("may be at most \(days)d")
  }

  private static func compression(_ text: String) -> PolicyValue? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard let word = parts.first.map(String.init) else { return nil }
    guard let last = parts.dropFirst().last else {
      return ["auto", "zstd", "gzip", "none"].contains(word) ? .compression(word, level: nil) : nil
    }
    guard parts.count == 2, let highest = ["zstd": 19, "gzip": 9][word], let level = digits(last) else { return nil }
    return (1...highest).contains(level) ? .compression(word, level: level) : nil
  }

  private static func cron(_ text: String) -> Reading {
    do {
      return .value(.text(try CronExpression(text).text))
    } catch {
      return .quoting("is not a cron expression: \(error.reason)")
    }
  }
}

/// What a kind expects, in words that follow the key's name.
extension PolicyValueKind {
  var expectation: String {
    switch self {
    case .text, .secret, .path: "must be text"
    case .boolean: "must be true or false, without quotes"
    case .integer(let range): "must be \(Self.words(for: range))"
    case .booleanOr(let word): "must be true, false or \(word)"
    case .integerOr(let word, let range): "must be \(word) or \(Self.words(for: range))"
    case .duration: "must be a number with its unit, such as 500ms, 30s, 5m, 48h, 7d or 2w"
    case .choice(let words): "must be \(Self.alternatives(words))"
    case .compression: "must be auto, zstd, zstd:1 to zstd:19, gzip, gzip:1 to gzip:9, or none"
    case .cron: "must be a cron expression such as \"15 2 * * *\" or @daily"
    case .timeZone: "must be a time zone such as UTC or Europe/Berlin"
    case .texts: "must be a list of texts, such as [one, two]"
    case .choices(let words): "must be a list of some of \(words.joined(separator: ", "))"
    case .entries: "must be a list"
    case .healthChecks: "must be a list of {sql: TEXT} and {command: [WORDS]}"
    }
  }

  /// The values among which a misspelt one may be looked for.
  var candidates: [String] {
    switch self {
    case .choice(let words), .choices(let words): words
    case .booleanOr(let word), .integerOr(let word, _): [word]
    case .compression: ["auto", "zstd", "gzip", "none"]
    case .timeZone: TimeZoneName.all
    default: []
    }
  }

  private static func words(for range: ClosedRange<Int>) -> String {
    range.count == 1 ? "\(range.lowerBound)" : "a whole number from \(range.lowerBound) to \(range.upperBound)"
  }

  private static func alternatives(_ words: [String]) -> String {
    let start = words.dropLast().joined(separator: ", ")
    return start.isEmpty ? words.joined() : "\(start) or \(words.last ?? "")"
  }
}
