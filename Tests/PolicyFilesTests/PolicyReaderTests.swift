import BackupModel
import Diagnostics
import Foundation
import PolicyFiles
import Testing

@Suite struct PolicyReaderTests {
  @Test func `a policy with nothing but a connection has the defaults`() throws {
    let expected = Policy(
      name: "app", environment: "development", target: .unread(secretURL), repository: "/srv/app/backups",
      backup: BackupSettings(), verifyAfterBackup: .archive)
    #expect(try policy(adding: "") == expected)
  }

  @Test func `every key that works now is taken over`() throws {
    let read = try policy(
      adding: """
        version: 1
        environment: production
        tools:
          directory: /usr/lib/postgresql/15/bin
        repository: /mnt/backups/./app/..
        jobs: 4
        backup:
          format: directory
          compression: zstd:19
          full_every: 0s
          globals: no
          lock_wait_timeout: 500ms
          exclude_table_data: [public.sessions, "audit.*"]
        verify:
          after_backup: checksum
        """)
    let expected = Policy(
      name: "app", environment: "production", target: .unread(secretURL),
      tools: ToolSettings(directory: "/usr/lib/postgresql/15/bin"), repository: "/mnt/backups",
      jobs: 4,
      backup: BackupSettings(
        compression: .zstd(level: 19), globals: .none, lockWaitTimeout: .milliseconds(500),
        excludeTableData: ["public.sessions", "audit.*"]),
      verifyAfterBackup: .checksum)
    #expect(read == expected)
  }

  @Test(arguments: [
    ("0", Duration.zero), ("0s", .zero), ("500ms", .milliseconds(500)), ("30s", .seconds(30)), ("5m", .seconds(300)),
    ("48h", .seconds(172_800)), ("7d", .seconds(604_800)), ("2w", .seconds(1_209_600)), ("\"30s\"", .seconds(30)),
  ])
  func `durations have units`(text: String, duration: Duration) throws {
    #expect(try policy(adding: "backup: {lock_wait_timeout: \(text)}").backup.lockWaitTimeout == duration)
  }

  @Test(arguments: [
    ("auto", Compression.auto), ("zstd", .auto), ("zstd:1", .zstd(level: 1)), ("zstd:19", .zstd(level: 19)),
    ("none", .none), ("'none'", .none),
  ])
  func `compressions have levels`(text: String, compression: Compression) throws {
    #expect(try policy(adding: "backup:\n  compression: \(text)\n").backup.compression == compression)
  }

  @Test(arguments: [
    ("true", true), ("yes", true), ("on", true), ("True", true), ("false", false), ("no", false), ("off", false),
  ])
  func `booleans have the words of YAML`(text: String, value: Bool) throws {
    #expect(try policy(adding: "trust_owner: \(text)").trustsOwner == value)
    #expect(try policy(adding: "backup: {globals: \(text)}").backup.globals == (value ? .whole : .none))
  }

  @Test func `passwords may be left out`() throws {
    #expect(try policy(adding: "backup: {globals: without_passwords}").backup.globals == .withoutPasswords)
  }

  @Test(arguments: ["1.10", "no", "off", "2026-11-22", "010", "0x1F", "'null'", "true"])
  func `where text is meant a word stays the text that it is`(text: String) throws {
    #expect(try policy(adding: "environment: \(text)").environment == text.replacing("'", with: ""))
  }

  @Test func `a variable is filled in after YAML was read and cannot break it`() throws {
    let wild = "it's \"x\": [1, {2}] # no comment ${DATABASE_URL} $$ *a &b"
    #expect(try policy(adding: "environment: ${E}", environment: ["DATABASE_URL": "x", "E": wild]).environment == wild)
  }

  @Test func `variables stand anywhere in a text, also in quotes and lists, and in numbers`() throws {
    let read = try policy(
      adding: """
        environment: "a-${E_1}-$$-${E_1}-$E_1"
        backup: {jobs: "auto", exclude_table_data: ["${T}.x"]}
        """, environment: ["DATABASE_URL": "x", "E_1": "b", "T": "audit"])
    #expect(read.environment == "a-b-$$-b-$E_1")
    #expect(read.backup.excludeTableData == ["audit.x"])
    let jobs = try policy(adding: "backup:\n  jobs: ${J}", environment: ["DATABASE_URL": "x", "J": "3"]).jobs
    #expect(jobs == 3)
  }

  @Test(arguments: [
    ("", nil), ("jobs: auto", nil), ("jobs: 3", 3), ("backup: {jobs: 3}", 3), ("backup: {jobs: auto}", nil),
    ("jobs: 2\nbackup: {jobs: 3}", 2), ("jobs: auto\nbackup: {jobs: 3}", nil),
  ])
  func `jobs stand at the top, and their older name serves where that is not written`(text: String, jobs: Int?) throws {
    #expect(try policy(adding: text).jobs == jobs)
  }

  @Test(arguments: [
    ("../backups", "/srv/app/backups"), ("backups", "/srv/app/policies/backups"), ("/b//c/", "/b/c"),
    ("../../../../..", "/"), ("./a/../b", "/srv/app/policies/b"),
  ])
  func `the repository is relative to the file`(text: String, path: String) throws {
    #expect(try policy(adding: "repository: \(text)").repository == path)
  }

  @Test func `a relative file is beside the working folder`() throws {
    let read = try PolicyReader(environment: onlyURL).read(text: withURL(""), file: "policies/app.yaml", name: "app")
    #expect(read.repository == FileManager.default.currentDirectoryPath + "/backups")
  }

  @Test func `a folder behind a symbolic link is the one that is meant`() throws {
    try withFolder { folder in
      let files = FileManager.default
      try files.createDirectory(atPath: folder + "/real/policies", withIntermediateDirectories: true)
      try files.createSymbolicLink(atPath: folder + "/link", withDestinationPath: folder + "/real/policies")
      let read = try PolicyReader(environment: onlyURL).read(
        text: withURL(""), file: folder + "/link/app.yaml", name: "app")
      #expect(read.repository.hasSuffix("/real/backups"))
    }
  }

  @Test func `a byte order mark and Windows line ends are read over`() throws {
    let text = "\u{FEFF}database:\r\n  url: ${DATABASE_URL}\r\nenvironment: staging\r\n"
    #expect(try policy(text).environment == "staging")
  }

  @Test func `an empty section that says so is one without keys`() throws {
    #expect(try policy(adding: "backup: {}\ntools: null\nretention: ~\n") == policy(adding: ""))
  }

  @Test(arguments: ["app", "a.b_c-1", "1", "_", String(repeating: "x", count: 100)])
  func `a name that can name a folder is taken`(name: String) throws {
    #expect(try PolicyReader(environment: onlyURL).read(text: withURL(""), file: "x", name: name).name == name)
  }

  @Test(arguments: [
    "", ".", "..", ".app", "-app", "a/b", "a b", "größe", "a\u{0}", "٣", String(repeating: "x", count: 101),
  ])
  func `a name that cannot name a folder is refused`(name: String) throws {
    let failure = try #require(throws: Failure.self) {
      try PolicyReader(environment: onlyURL).read(text: withURL(""), file: "policies/app.yaml", name: name)
    }
    #expect(failure.exit == .configuration)
    #expect(failure.why.contains("name of a folder"))
    #expect(!failure.lines.joined().contains("\u{0}"))
  }
}
