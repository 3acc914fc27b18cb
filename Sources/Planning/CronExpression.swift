/// A five-field cron expression that is known to be well formed: minute, hour, day of month, month, day of week, with
/// names, lists, ranges and steps; or a word such as `@daily`.
package struct CronExpression: Sendable, Equatable {
  /// As it was written.
  package let text: String

  /// - Throws: `Malformed` with the reason, in words that can follow "is not a cron expression: ".
  package init(_ text: String) throws(Malformed) {
    let trimmed = text.split { $0 == " " || $0 == "\t" }
    self.text = text
    if let word = trimmed.first, word.hasPrefix("@") {
      try Self.check(word: word.lowercased(), alone: trimmed.count == 1)
    } else {
      try Self.check(fields: trimmed.map { $0.lowercased() })
    }
  }

  package struct Malformed: Error, Sendable, Equatable {
    package let reason: String
  }

  private static let words: Set<String> = [
    "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly",
  ]

  private static func check(word: String, alone: Bool) throws(Malformed) {
    guard words.contains(word) else {
      let known = words.sorted().joined(separator: ", ")
      throw Malformed(reason: "'\(word)' is none of \(known)")
    }
    guard alone else { throw Malformed(reason: "nothing may follow \(word)") }
  }

  private static func check(fields: [String]) throws(Malformed) {
    let kinds = CronField.allCases
    guard fields.count == kinds.count else {
      throw Malformed(
        reason: "it has \(fields.count) fields and needs five: minute, hour, day of month, month, day of week")
    }
    var values: [CronField: Set<Int>] = [:]
    for (kind, field) in zip(kinds, fields) { values[kind] = try kind.values(of: field) }
    // Cron ORs the two day fields when both are restricted; only with a free weekday can a date be impossible.
    if fields.last?.hasPrefix("*") == true, !dateExists(values) {
      throw Malformed(reason: "no month has that day, so that it would never run")
    }
  }

  private static func dateExists(_ values: [CronField: Set<Int>]) -> Bool {
    let firstDay = values[.dayOfMonth]?.min() ?? 1
    return (values[.month] ?? []).contains { firstDay <= longest(month: $0) }
  }

  private static func longest(month: Int) -> Int {
    switch month {
    case 2: 29
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}

/// One of the five fields: which values it may hold, and by which names.
private enum CronField: String, CaseIterable {
  case minute, hour
  case dayOfMonth = "day of month"
  case month
  case dayOfWeek = "day of week"

  private var range: ClosedRange<Int> {
    switch self {
    case .minute: 0...59
    case .hour: 0...23
    case .dayOfMonth: 1...31
    case .month: 1...12
    case .dayOfWeek: 0...7
    }
  }

  private var names: [String] {
    switch self {
    case .month: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    case .dayOfWeek: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    default: []
    }
  }

  func values(of field: String) throws(CronExpression.Malformed) -> Set<Int> {
    var values: Set<Int> = []
    for item in field.split(separator: ",", omittingEmptySubsequences: false) {
      values.formUnion(try self.values(ofItem: item))
    }
    return values
  }

  /// `*`, `5`, `1-5`, and with a step `*/2`, `1-5/2`.
  private func values(ofItem item: Substring) throws(CronExpression.Malformed) -> Set<Int> {
    let parts = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let base = parts.first, !base.isEmpty else { throw malformed("a value is missing") }
    let bounds = try self.bounds(of: base)
    guard parts.count == 2, let last = parts.last else { return Set(bounds) }
    // Cron itself reads `5/10` as `5`, which is never what was meant.
    guard base == "*" || base.contains("-") else {
      throw malformed("a step needs * or a range before it, such as \(base)-\(range.upperBound)/\(last)")
    }
    guard let step = number(last), step > 0 else { throw malformed("the step after / must be a number above 0") }
    return Set(stride(from: bounds.lowerBound, through: bounds.upperBound, by: min(step, range.upperBound + 1)))
  }

  private func bounds(of base: Substring) throws(CronExpression.Malformed) -> ClosedRange<Int> {
    if base == "*" { return range }
    let ends = base.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = ends.first, let last = ends.last else { throw malformed("a value is missing") }
    let low = try value(first)
    let high = try value(last)
    guard low <= high else {
      throw malformed("\(base) ends before it begins; write two ranges with a comma between them")
    }
    return low...high
  }

  private func value(_ text: Substring) throws(CronExpression.Malformed) -> Int {
    let named = names.firstIndex(of: String(text)).map { self == .month ? $0 + 1 : $0 }
    guard let value = named ?? number(text) else {
      throw malformed(text.isEmpty ? "a value is missing" : "'\(text)' is no value of this field")
    }
    guard range.contains(value) else {
      throw malformed("\(text) is not between \(range.lowerBound) and \(range.upperBound)")
    }
    return value
  }

  /// Digits only: `Int` alone would take a sign as well.
  private func number(_ text: Substring) -> Int? {
    text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
  }

  private func malformed(_ reason: String) -> CronExpression.Malformed {
    CronExpression.Malformed(reason: "\(rawValue): \(reason)")
  }
}
