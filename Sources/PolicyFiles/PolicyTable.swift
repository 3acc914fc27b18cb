import BackupModel

/// Every key of a policy: its path, what it may hold, what holds when it is left out, and whether this version has
/// the feature behind it. A feature that arrives changes its rows here, and nothing else in this target's checks.
package enum PolicyTable {
  package static let keys: [PolicyKey] =
    general + backup + scheduling + rotation + verification + migrations + others

  /// Keys that have another name now. They still hold where that is not written.
  static let olderNames: [PolicyKey] = [
    .now("backup.jobs", .integerOr("auto", 1...64), default: .text("auto"))
  ]

  private static let general: [PolicyKey] = [
    .now("version", .integer(1...1), default: .integer(1)),
    .now("environment", .text, default: .text("development")),
    .required("database.url", .secret),
    .now("tools.directory", .path, default: .null),
    .now("tools.wrapper", .texts, default: .list([])),
    .now("repository", .path, default: .text("../backups")),
    .now("jobs", .integerOr("auto", 1...64), default: .text("auto")),
    .now("repository_id", .text, default: .null),
    .now("trust_owner", .boolean, default: .boolean(true)),
  ]

  private static let backup: [PolicyKey] = [
    .now("backup.format", .choice(BackupFormat.allCases.map(\.rawValue)), default: .null),
    .now("backup.compression", .compression, default: .compression("auto", level: nil)),
    .now(
      "backup.full_every", .duration(days: 3660), default: .duration(.zero),
      .only([.duration(.zero)], "differential backups are not in this version; every backup is full: write 0s")),
    .now("backup.globals", .booleanOr("without_passwords"), default: .boolean(true)),
    // pg_dump takes milliseconds in 31 bits.
    .now("backup.lock_wait_timeout", .duration(days: 24), default: .duration(.seconds(30))),
    .now("backup.exclude_table_data", .texts, default: .list([])),
    .now("backup.max_age", .duration(days: 3660), default: .null),
    .now("backup.accept_missing", .choices(CensusKind.acceptable), default: .list([])),
  ]

  private static let noSchedule =
    "the scheduler is not in this version; start backups with cron or systemd: take the key out"

  private static let scheduling: [PolicyKey] = [
    .later("schedule.cron", .cron, noSchedule),
    .later("schedule.timezone", .timeZone, noSchedule),
    .later("schedule.jitter", .duration(days: 7), off: .duration(.zero), noSchedule),
    .later("schedule.catch_up", .boolean, off: .boolean(false), noSchedule),
  ]

  private static let rotation: [PolicyKey] =
    ["keep_last", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly"].map {
      .now("retention.\($0)", .integer(0...100_000), default: .integer(0))
    } + [
      .now("retention.keep_within", .duration(days: 36_600), default: .duration(.zero)),
      .now("retention.minimum_verified", .integer(0...100_000), default: .integer(3)),
    ]

  private static let verification: [PolicyKey] = [
    .now(
      "verify.after_backup", .choice(["checksum", "archive", "drill"]), default: .text("archive"),
      .only(
        [.text("checksum"), .text("archive")],
        "restore drills are not in this version: write archive, which is the most thorough level")),
    .later("verify.drill_cron", .cron, "restore drills are not in this version: take the key out"),
  ]

  private static let noRehearsal = "rehearsals are not in this version, nor a proven rollback time: take the key out"

  private static let migrations: [PolicyKey] = [
    .now("migrations.directory", .path, default: .null),
    .now("migrations.command", .texts, default: .list([])),
    .now("migrations.command_timeout", .duration(days: 24), default: .duration(.seconds(3600))),
    .later("migrations.rehearse", .boolean, off: .boolean(false), noRehearsal),
    .now("migrations.lock_timeout", .duration(days: 24), default: .duration(.seconds(5))),
    .now("migrations.statement_timeout", .duration(days: 24), default: .duration(.zero)),
    .now("migrations.on_failure", .choice(["stop", "rollback"]), default: .text("stop")),
    .later("migrations.max_rollback_time", .duration(days: 366), noRehearsal),
    .now("migrations.standby_copy", .choice(["off", "restored", "cloned"]), default: .text("off")),
    .now("migrations.health_checks", .healthChecks, default: .checks([])),
    .now("migrations.health_check_timeout", .duration(days: 24), default: .duration(.seconds(60))),
    .now("migrations.hold_for", .duration(days: 3660), default: .duration(.seconds(14 * 86_400))),
  ]

  private static let noSeed = "seeding is not in this version: take the key out"
  private static let noHooks = "hooks are not in this version; nothing is called: take the key out"
  private static let noEncryption =
    "encryption is not in this version; backups are stored as they are: take the key out, and protect the repository"

  private static let others: [PolicyKey] =
    ["command", "sql", "required"].map { .later("seed.\($0)", .texts, off: .list([]), noSeed) }
    + [
      // Without anything to seed, the usual numbers ask for nothing.
      .later("seed.attempts", .integer(1...100), off: .integer(3), noSeed),
      .later("seed.backoff", .duration(days: 1), off: .duration(.seconds(2)), noSeed),
    ]
    + ["before_backup", "after_backup", "before_swap", "after_swap", "on_failure"].map {
      .later("hooks.\($0)", .entries, off: .list([]), noHooks)
    }
    + [
      .later("notify", .entries, off: .list([]), "alerts are not in this version; nobody is told: take the key out"),
      .later("encryption.recipients", .texts, off: .list([]), noEncryption),
      .later("encryption.identity_file", .path, noEncryption),
    ]
}

extension PolicyTable {
  static let byPath = Dictionary((keys + olderNames).map { ($0.path, $0) }) { first, _ in first }

  static func isOlderName(_ name: String, in section: String?) -> Bool {
    olderNames.contains { $0.path == "\(section ?? "").\(name)" }
  }

  /// The names that may stand in a section, or with nil at the top of the file.
  static func names(in section: String?) -> [String] {
    let parts = keys.map { $0.path.split(separator: ".").map(String.init) }
    guard let section else { return Array(Set(parts.compactMap(\.first))) }
    return parts.compactMap { $0.count == 2 && $0.first == section ? $0.last : nil }
  }
}
