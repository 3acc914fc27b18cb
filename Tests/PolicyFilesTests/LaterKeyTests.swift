import PolicyFiles
import Testing

/// Keys whose feature is not there yet: checked like all others, and never silently ignored.
@Suite struct LaterKeyTests {
  @Test(arguments: [
    ("backup: {full_every: 7d}", "backup.full_every: differential backups are not in this version; every backup is "),
    ("schedule: {cron: '@daily'}", "schedule.cron: the scheduler is not in this version; "),
    ("schedule: {timezone: Europe/Berlin}", "schedule.timezone: the scheduler is not in this version; "),
    ("verify: {after_backup: drill}", "verify.after_backup: restore drills are not in this version: write archive, "),
    ("verify: {drill_cron: '0 5 * * 0'}", "verify.drill_cron: restore drills are not in this version: take "),
    ("migrations: {rehearse: yes}", "migrations.rehearse: rehearsals are not in this version, "),
    ("seed: {attempts: 5}", "seed.attempts: seeding is not in this version: take the key out"),
    ("hooks: {on_failure: [[a, b]]}", "hooks.on_failure: hooks are not in this version; nothing is called: take the"),
    ("notify: [{webhook: x}]", "notify: alerts are not in this version; nobody is told: take the key out"),
    ("encryption: {recipients: [age1x]}", "encryption.recipients: encryption is not in this version; "),
    ("encryption: {identity_file: x}", "encryption.identity_file: encryption is not in this version; "),
  ])
  func `a value that asks for it is refused`(text: String, problem: String) throws {
    let found = try problems(of: withURL(text))
    #expect(found.count == 1)
    #expect(found.first?.hasPrefix("3: " + problem) == true, "\(found)")
  }

  @Test(arguments: ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+3"])
  func `a time zone of this machine is known`(name: String) throws {
    #expect(try problems(of: withURL("schedule: {timezone: \(name)}")).first?.contains("the scheduler") == true)
  }

  @Test(arguments: ["Mars/Olympus", "leapseconds", "Europe", "/etc/localtime", "UTC UTC"])
  func `a time zone that there is not is refused`(name: String) throws {
    #expect(try problems(of: withURL("schedule: {timezone: \(name)}")).first?.contains("must be a time zone") == true)
  }

  @Test func `a value that is refused afterwards is not offered`() throws {
    let found = try problems(of: withURL("verify: {after_backup: dril}"))
    #expect(found == ["3: verify.after_backup: must be checksum or archive, not 'dril'"])
  }

  @Test func `a value that asks for nothing is taken, and changes nothing`() throws {
    let off = """
      tools: {wrapper: [], directory: null}
      backup: {format: directory, full_every: 0}
      schedule: {cron: null, timezone: ~, jitter: 0s, catch_up: false}
      retention:
        {keep_last: 0, keep_daily: 0, keep_weekly: 0, keep_monthly: 0, keep_yearly: 0, keep_within: 0s,
        minimum_verified: 3}
      verify: {after_backup: archive, drill_cron: null}
      migrations:
        rehearse: false
        on_failure: stop
        standby_copy: off
        health_checks: []
        hold_for: 14d
      seed: {command: [], sql: [], required: [], attempts: 3, backoff: 2s}
      hooks: {before_backup: [], after_backup: [], before_swap: [], after_swap: [], on_failure: []}
      notify: []
      encryption: {recipients: [], identity_file: null}
      """
    #expect(try policy(adding: off) == policy(adding: ""))
  }

  @Test(arguments: PolicyTable.keys.filter { $0.comesLater }.map(\.path))
  func `each of them has a sentence that says what to do`(path: String) throws {
    let key = try #require(PolicyTable.keys.first { $0.path == path })
    let sentence = try #require(key.refusal(of: .text("a value that none of them accepts")))
    #expect(sentence.contains("in this version"))
    #expect(sentence.contains("take the key out"))
    #expect(key.refusal(of: .null) == nil)
  }
}
