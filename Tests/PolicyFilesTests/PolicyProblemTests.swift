import Diagnostics
import PolicyFiles
import Testing

@Suite struct PolicyProblemTests {
  @Test func `all problems are told at once in the order of their lines`() throws {
    let text = """
      version: 2
      enviroment: staging
      backup:
        jobs: 0
        globals: "no"
        jobs: 3
        compresion: auto
        lock_wait_timeout: 30
      verify: archive
      databse:
        url: ${DATABASE_URL}
      retention:
        keep_last: seven
        keep_daily: 14
      """
    #expect(
      try problems(of: text) == [
        "1: database.url: is missing, and nothing works without it",
        "1: version: must be 1, not '2'",
        "2: enviroment: unknown key; did you mean environment?",
        "4: backup.jobs: must be auto or a whole number from 1 to 64, not '0'",
        "5: backup.globals: must be true, false or without_passwords, not 'no'",
        "6: backup.jobs: is set twice; the first is on line 4",
        "7: backup.compresion: unknown key; did you mean backup.compression?",
        "8: backup.lock_wait_timeout: must be a number with its unit, such as 500ms, 30s, 5m, 48h, 7d or 2w, not '30'",
        "9: verify: must hold keys of its own, indented below it: after_backup, drill_cron",
        "10: databse: unknown key; did you mean database?",
        "13: retention.keep_last: must be a whole number from 0 to 100000, not 'seven'",
      ])
    let failure = try failure(of: text)
    #expect(failure.what == "policy app")
    #expect(failure.why == "11 problems")
    #expect(failure.nextStep == "correct /srv/app/policies/app.yaml, then: holdfast check app")
  }

  @Test func `a single problem is the reason itself`() throws {
    let failure = try failure(of: withURL("colour: red"))
    #expect(failure.why.hasPrefix("colour: unknown key; there are backup, database, "))
    #expect(failure.details.count == 1)
  }

  @Test(arguments: [
    ("", "1: the file is empty; a policy needs at least database.url"),
    ("# only\n\n# comments\n", "1: the file is empty; a policy needs at least database.url"),
    ("---\n", "1: the file is empty; a policy needs at least database.url"),
    ("\n- a\n- b\n", "2: a policy must be a mapping, with lines such as environment: staging"),
    ("text", "1: a policy must be a mapping, with lines such as environment: staging"),
    ("environment: x\n", "1: database.url: is missing, and nothing works without it"),
    ("environment: x\ndatabase: {}\n", "2: database.url: is missing, and nothing works without it"),
    ("database:\n  url:\n", "2: database.url: has no value: give it one, or take the key out"),
    ("database:\n  url: null\n", "2: database.url: has no value: give it one, or take the key out"),
    ("database:\n  url: ''\n", "2: database.url: is empty"),
    ("database:\n  url: [a]\n", "2: database.url: must be text, not a list"),
    ("database:\n  url: {a: b}\n", "2: database.url: must be text, not a mapping"),
    ("database:\n", "1: database: has no keys: indent them below it, or take the line out"),
    ("database: postgresql://db\n", "1: database: must hold keys of its own, indented below it: url"),
  ])
  func `a policy needs its connection`(text: String, problem: String) throws {
    #expect(try problems(of: text) == [problem])
  }

  @Test(arguments: [
    ("environment: &e x\n", "3: environment: anchors (&name) are not allowed in a policy"),
    ("backup: !!map {}\n", "3: backup: tags (!name) are not allowed in a policy"),
    ("environment: !env x\n", "3: environment: tags (!name) are not allowed in a policy"),
    ("repository: *e\n", "3: repository: aliases (*name) are not allowed in a policy; write the value out"),
    ("backup: *e\n", "3: backup: aliases (*name) are not allowed in a policy; write the value out"),
    ("? [a, b]\n: c\n", "3: a key must be a word"),
    ("<<: {}\n", "3: <<: unknown key; there are "),
    ("---\nenvironment: x\n", "3: a second document starts here; a policy is one document"),
    ("backup:\n  jobs: 1\n\tglobals: true\n", "5: not valid YAML: "),
    ("environment: 'x\n", "4: not valid YAML: "), ("environment: {x\n", "4: not valid YAML: "),
    ("environment: a: b\n", "3: not valid YAML: "), (" environment: x\n", "3: not valid YAML: "),
    ("environment: \"\\q\"\n", "3: not valid YAML: "), ("environment: @x\n", "3: not valid YAML: "),
    ("%YAML 3.0\n---\n", "3: not valid YAML: "), ("a\u{7F}: b\n", "3: not valid YAML: "),
    ("environment: \(String(repeating: "[", count: 5000))\n", "3: environment: is nested too deeply"),
    ("environment: \"a\u{0}b\"\n", "3: holds a NUL or another control character"),
    ("environment: \"a\\0b\"\n", "3: environment: holds a line break, a tab or another control character"),
    ("environment: |\n  a\n  b\n", "3: environment: holds a line break, a tab or another control character"),
  ])
  func `what YAML can do and a policy may not is refused`(text: String, problem: String) throws {
    let found = try problems(of: withURL(text))
    #expect(found.count == 1)
    #expect(found.first?.hasPrefix(problem) == true, "\(found)")
  }

  @Test(arguments: [
    ("backup:\n\tjobs: 1\n", "; indent with spaces, not with tabs"),
    ("tools: {directory: ${DIR}}\n", "; put ${NAME} in quotes inside [ ] and { }"),
    ("environment: a: b\n", "; a value with a colon in it needs quotes"),
  ])
  func `common slips in YAML get a hint`(text: String, hint: String) throws {
    #expect(try problems(of: withURL(text)).first?.hasSuffix(hint) == true)
  }

  @Test(arguments: [
    ("environment:", "environment: has no value: give it one, or take the key out"),
    ("environment: [a]", "environment: must be text, not a list"),
    ("backup:", "backup: has no keys: indent them below it, or take the line out"),
    ("backup: 5", "backup: must hold keys of its own, indented below it: format, compression, "),
    ("backup: [a]", "backup: must hold keys of its own, indented below it: format, compression, "),
    ("backup: {globals: null}", "backup.globals: has no value: give it one, or take the key out"),
    (
      "backup: {accept_missing: [subscriptions]}",
      "backup.accept_missing: must be a list of some of table, view, sequence, publication, subscription, "
    ),
    ("backup: {accept_missing: subscription}", "backup.accept_missing: must be a list of some of "),
    ("backup: {globals: 1}", "backup.globals: must be true, false or without_passwords, not '1'"),
    ("backup: {jobs: '4'}", "backup.jobs: must be a number, not text: take the quotes away"),
    ("backup: {jobs: -1}", "backup.jobs: must be auto or a whole number from 1 to 64, not '-1'"),
    ("backup: {jobs: 04}", "backup.jobs: must be auto or a whole number from 1 to 64, not '04'"),
    ("backup: {jobs: 1.0}", "backup.jobs: must be auto or a whole number from 1 to 64, not '1.0'"),
    ("backup: {jobs: 99999999999999999999}", "backup.jobs: must be auto or a whole number from 1 to 64, not '9"),
    ("backup: {jobs: aut}", "backup.jobs: must be auto or a whole number from 1 to 64, not 'aut'; did you mean auto?"),
    ("backup: {compression: 'zstd:20'}", "backup.compression: must be auto, zstd, zstd:1 to zstd:19, gzip,"),
    ("backup: {compression: 'zstd:0'}", "backup.compression: must be auto"),
    ("backup: {compression: 'zstd:'}", "backup.compression: must be auto"),
    ("backup: {compression: 'zstd:3:3'}", "backup.compression: must be auto"),
    ("backup: {compression: 'none:1'}", "backup.compression: must be auto"),
    ("backup: {compression: lz4}", "backup.compression: must be auto"),
    ("backup: {format: dirctory}", "backup.format: must be directory, custom or plain, not 'dirctory'; did you m"),
    ("backup: {lock_wait_timeout: 1.5h}", "backup.lock_wait_timeout: must be a number with its unit"),
    ("backup: {lock_wait_timeout: 1h30m}", "backup.lock_wait_timeout: must be a number with its unit"),
    ("backup: {lock_wait_timeout: -5s}", "backup.lock_wait_timeout: must be a number with its unit"),
    ("backup: {lock_wait_timeout: s}", "backup.lock_wait_timeout: must be a number with its unit"),
    ("backup: {lock_wait_timeout: 25d}", "backup.lock_wait_timeout: may be at most 24d"),
    ("backup: {lock_wait_timeout: 999999999999w}", "backup.lock_wait_timeout: may be at most 24d"),
    ("backup: {lock_wait_timeout: 9999999999999w}", "backup.lock_wait_timeout: must be a number with its unit"),
    ("backup: {exclude_table_data: a}", "backup.exclude_table_data: must be a list of texts, such as [one, two], not "),
    ("backup: {exclude_table_data: [[a]]}", "backup.exclude_table_data: must be a list of texts, such as [one, two]; "),
    ("backup: {exclude_table_data: [a, ]}\nversion: 3", "version: must be 1, not '3'"),
    ("backup:\n  exclude_table_data:\n    -\n", "backup.exclude_table_data: has an entry without a value"),
    ("backup: {exclude_table_data: ['']}", "backup.exclude_table_data: is empty"),
    ("backup.jobs: 4", "backup.jobs: unknown key; backup.jobs is written as its section, and indented below that"),
    ("globals: true", "globals: unknown key here; did you mean backup.globals?"),
    ("jobs: 65", "jobs: must be auto or a whole number from 1 to 64, not '65'"),
    ("verify: {repository: x}", "verify.repository: unknown key here; did you mean repository?"),
    ("${X}: x", "${X}: unknown key; there are backup, "),
    ("repository: ~/backups", "repository: ~ is not replaced by a home folder: write the path out, or ${HOME}"),
    ("schedule: {cron: '* * * *'}", "schedule.cron: is not a cron expression: it has 4 fields and needs five"),
    ("schedule: {timezone: Europe/Berln}", "schedule.timezone: must be a time zone such as UTC or Europe/Berlin, n"),
    ("schedule: {timezone: ../../../etc/passwd}", "schedule.timezone: must be a time zone such as UTC"),
    ("encryption: {identity_file: [x]}", "encryption.identity_file: must be text, not a list"),
    ("notify: webhook", "notify: must be a list, not 'webhook'"),
  ])
  func `each value is checked`(text: String, problem: String) throws {
    let found = try problems(of: withURL(text))
    #expect(found.count == 1, "\(found)")
    #expect(found.first?.drop { $0 != " " }.dropFirst().hasPrefix(problem) == true, "\(found)")
  }

  @Test func `bytes that are not UTF-8 are named by their line`() throws {
    let failure = try #require(throws: Failure.self) {
      try PolicyReader(environment: [:]).read(bytes: Array("a: b\nc: ".utf8) + [0xFF, 0x0A], file: "p.yaml", name: "p")
    }
    #expect(failure.details == ["p.yaml:2: is not UTF-8: save the file in that encoding"])
  }

  @Test func `a file larger than any policy is not read`() throws {
    let text = String(repeating: "# comment\n", count: 110_000)
    #expect(try problems(of: text) == ["1: is larger than 1 MiB: this is no policy"])
  }

  @Test func `an error of syntax does not hide what was refused before it`() throws {
    #expect(try problems(of: "a: &x 1\nb: 'c\n").count == 2)
  }
}
