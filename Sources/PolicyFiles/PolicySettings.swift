import BackupModel

/// The checked values of a policy, with the table's defaults behind them, as the model's types.
struct PolicySettings {
  private let values: [String: PolicyValue]

  init(values: [String: PolicyValue]) { self.values = values }

  private subscript(_ path: String) -> PolicyValue? { values[path] ?? PolicyTable.byPath[path]?.fallback }

  func text(_ path: String) -> String? {
    if case .text(let text) = self[path] { text } else { nil }
  }

  /// - Parameter absolute: makes a path absolute; behind a wrapper it is one of another file system.
  func tools(_ absolute: (String) -> String) -> ToolSettings {
    var tools = ToolSettings(directory: text("tools.directory"))
    if case .list(let words) = self["tools.wrapper"] { tools.wrapper = words }
    if tools.wrapper.isEmpty { tools.directory = tools.directory.map(absolute) }
    return tools
  }

  /// Nil: `auto`. The older name holds where the key itself is not there.
  var jobs: Int? {
    if case .integer(let jobs) = values["jobs"] ?? self["backup.jobs"] { jobs } else { nil }
  }

  var trustsOwner: Bool { self["trust_owner"] != .boolean(false) }

  func backup() -> BackupSettings {
    var settings = BackupSettings()
    let isWrapped = values["tools.wrapper"].map { $0 != .list([]) } ?? false
    // What is behind a wrapper cannot write into our folders.
    settings.format = text("backup.format").flatMap(BackupFormat.init) ?? (isWrapped ? .custom : .directory)
    if case .compression(let word, let level) = self["backup.compression"] {
      settings.compression = compression(word, level: level)
    }
    switch self["backup.globals"] {
    case .boolean(false): settings.globals = .none
    case .text: settings.globals = .withoutPasswords
    default: settings.globals = .whole
    }
    if case .duration(let timeout) = self["backup.lock_wait_timeout"] { settings.lockWaitTimeout = timeout }
    if case .list(let patterns) = self["backup.exclude_table_data"] { settings.excludeTableData = patterns }
    if case .duration(let age) = self["backup.max_age"] { settings.maxAge = age }
    if case .list(let kinds) = self["backup.accept_missing"] { settings.acceptMissing = kinds }
    return settings
  }

  func retention() -> RetentionRules {
    var rules = RetentionRules()
    if case .integer(let count) = self["retention.keep_last"] { rules.keepLast = count }
    if case .integer(let count) = self["retention.keep_daily"] { rules.keepDaily = count }
    if case .integer(let count) = self["retention.keep_weekly"] { rules.keepWeekly = count }
    if case .integer(let count) = self["retention.keep_monthly"] { rules.keepMonthly = count }
    if case .integer(let count) = self["retention.keep_yearly"] { rules.keepYearly = count }
    if case .duration(let period) = self["retention.keep_within"] { rules.keepWithin = period }
    if case .integer(let count) = self["retention.minimum_verified"] { rules.minimumVerified = count }
    return rules
  }

  /// - Parameter absolute: makes a path absolute.
  func migrations(_ absolute: (String) -> String) -> MigrationSettings {
    var settings = MigrationSettings(directory: text("migrations.directory").map(absolute))
    if case .checks(let checks) = self["migrations.health_checks"] { settings.healthChecks = checks }
    if let word = text("migrations.on_failure").flatMap(MigrationSettings.OnFailure.init) { settings.onFailure = word }
    if case .list(let command) = self["migrations.command"] { settings.command = command }
    settings.commandTimeout = limit("migrations.command_timeout")
    settings.healthCheckTimeout = limit("migrations.health_check_timeout")
    if case .duration(let timeout) = self["migrations.lock_timeout"] { settings.lockTimeout = timeout }
    if case .duration(let timeout) = self["migrations.statement_timeout"] { settings.statementTimeout = timeout }
    if let word = text("migrations.standby_copy").flatMap(MigrationSettings.StandbyCopy.init) {
      settings.standbyCopy = word
    }
    if case .duration(let period) = self["migrations.hold_for"] { settings.holdFor = period }
    return settings
  }

  /// Nil: none, as zero means.
  private func limit(_ path: String) -> Duration? {
    if case .duration(let limit) = self[path], limit > .zero { limit } else { nil }
  }

  /// zstd without a level is zstd at the level that `auto` takes.
  private func compression(_ word: String, level: Int?) -> Compression {
    if word == "none" { return .none }
    if word == "gzip" { return level.map { .gzip(level: $0) } ?? .gzip }
    return level.map { .zstd(level: $0) } ?? .auto
  }
}
