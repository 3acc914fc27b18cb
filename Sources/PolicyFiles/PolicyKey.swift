import BackupModel

/// A value of a policy, after its kind was checked.
package enum PolicyValue: Sendable, Equatable {
  case null
  case text(String)
  case integer(Int)
  case boolean(Bool)
  case duration(Duration)
  /// `zstd`, `zstd:3`.
  case compression(String, level: Int?)
  /// Entries that are no text stand as empty texts.
  case list([String])
  case checks([HealthCheck])
}

/// Which values a key may have.
package enum PolicyValueKind: Sendable, Equatable {
  /// One line.
  case text
  /// One line that no error ever shows.
  case secret
  /// Relative to the policy file.
  case path
  case boolean
  case integer(ClosedRange<Int>)
  case booleanOr(String)
  case integerOr(String, ClosedRange<Int>)
  /// With its unit; at most so many days.
  case duration(days: Int)
  case choice([String])
  case compression
  case cron
  case timeZone
  case texts
  /// A list of some of these words.
  case choices([String])
  /// A list of `{sql: TEXT}` and `{command: [WORDS]}`.
  case healthChecks
  /// Its entries belong to a feature that is not there yet.
  case entries
}

/// What this version makes of a key.
package enum PolicyAvailability: Sendable, Equatable {
  case now
  /// Only these values; every other asks for something that is not there, and the sentence says so.
  case only([PolicyValue], String)
}

/// One row of the table of keys.
package struct PolicyKey: Sendable {
  /// `section.key`.
  package let path: String
  package let kind: PolicyValueKind
  /// Nil: the key is required.
  package let fallback: PolicyValue?
  package let availability: PolicyAvailability
  /// Whether the whole key belongs to a later version.
  package let comesLater: Bool

  static func required(_ path: String, _ kind: PolicyValueKind) -> PolicyKey {
    PolicyKey(path: path, kind: kind, fallback: nil, availability: .now, comesLater: false)
  }

  static func now(
    _ path: String, _ kind: PolicyValueKind, default fallback: PolicyValue, _ availability: PolicyAvailability = .now
  ) -> PolicyKey {
    PolicyKey(path: path, kind: kind, fallback: fallback, availability: availability, comesLater: false)
  }

  /// - Parameters:
  ///   - off: the value that asks for nothing; none: any value asks.
  ///   - reason: the sentence that answers every other value.
  static func later(
    _ path: String, _ kind: PolicyValueKind, off: PolicyValue = .null, _ reason: String
  ) -> PolicyKey {
    PolicyKey(path: path, kind: kind, fallback: off, availability: .only([.null, off], reason), comesLater: true)
  }

  /// What may be written, in words that follow the key's name: what is refused afterwards is not offered.
  var expectation: String { kindOffered.expectation }
  /// The values among which a misspelt one may be looked for.
  var candidates: [String] { kindOffered.candidates }

  private var kindOffered: PolicyValueKind {
    guard case .choice(let words) = kind, case .only(let values, _) = availability else { return kind }
    return .choice(words.filter { values.contains(.text($0)) })
  }

  /// Whether `null` may be written for "not set".
  var nullable: Bool { fallback == .null || comesLater }

  /// Why this version cannot do what the value asks for; nil when it can.
  package func refusal(of value: PolicyValue) -> String? {
    switch availability {
    case .now: nil
    case .only(let values, let sentence): values.contains(value) ? nil : sentence
    }
  }
}
