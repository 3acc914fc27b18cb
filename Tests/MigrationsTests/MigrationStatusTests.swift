import Foundation
import Migrations
import Testing

@Suite struct MigrationStatusTests {
  /// `+` applied, `!` failed, `-` rolled back while unfinished, `~` rolled back though finished.
  private func row(_ name: String, _ state: Character, text: String? = nil, logs: String? = nil) throws -> HistoryRow {
    let checksum = try MigrationScript(name: name, text: text ?? "SELECT '\(name)';").checksum()
    return HistoryRow(
      id: UUID().uuidString, name: name, checksum: checksum ?? "", startedAt: "2026-11-24 06:31:16 UTC",
      finishedAt: "+~".contains(state) ? "2026-11-24 06:31:17" : nil,
      rolledBackAt: "-~".contains(state) ? "2026-11-24 06:31:18" : nil, logs: logs, steps: 1)
  }

  private func status(disk: [String], rows: [HistoryRow]) throws -> MigrationStatus {
    var status: MigrationStatus?
    try MigrationsOnDisk.with { folder in
      for name in disk { try folder.add(name, "SELECT '\(name)';") }
      status = try MigrationStatus(folder: try MigrationFolder(path: folder.path), rows: rows)
    }
    return try #require(status)
  }

  @Test func `everything applied is clean`() throws {
    let status = try status(disk: ["1", "2"], rows: [row("1", "+"), row("2", "+")])
    #expect(status.applied == ["1", "2"])
    #expect(status.isClean)
    #expect(try self.status(disk: [], rows: []).isClean)
  }

  @Test(arguments: [
    (Character("+"), ["applied"]), (Character("!"), ["failed"]), (Character("-"), ["pending", "rolled back"]),
    (Character("~"), ["pending", "rolled back"]),
  ])
  func `each state by itself is in its lists and in no other`(_ state: Character, _ expected: [String]) throws {
    let status = try status(disk: ["1"], rows: [row("1", state)])
    let lists = [
      "applied": status.applied, "failed": status.failed, "pending": status.pending, "rolled back": status.rolledBack,
      "edited": status.edited, "missing": status.missing,
    ]
    #expect(lists.filter { $0.value == ["1"] }.keys.sorted() == expected)
    #expect(lists.values.allSatisfy { $0.isEmpty || $0 == ["1"] })
    #expect(status.isClean == (state == "+"))
  }

  @Test(arguments: [
    ("-+", "applied"), ("~+", "applied"), ("--+", "applied"), ("-!", "failed"), ("-~", "pending"), ("+-", "applied"),
    ("+~", "applied"), ("!-", "failed"),
  ])
  func `of several rows of one name the live one counts, wherever it stands`(_ rows: String, _ expected: String) throws
  {
    let status = try status(disk: ["1"], rows: rows.map { try row("1", $0) })
    #expect(status.applied == (expected == "applied" ? ["1"] : []))
    #expect(status.failed == (expected == "failed" ? ["1"] : []))
    #expect(status.pending == (expected == "pending" ? ["1"] : []))
    #expect(status.rolledBack == (expected == "pending" ? ["1"] : []))
    #expect(status.isClean == (expected == "applied"))
  }

  @Test func `names are listed once, however many rows they have`() throws {
    let rows = try "-~-".map { try row("1", $0) } + "++".map { try row("2", $0) } + "!!".map { try row("3", $0) }
    let status = try status(disk: ["1"], rows: rows)
    #expect(status.rolledBack == ["1"])
    #expect(status.applied == ["2"])
    #expect(status.failed == ["3"])
    #expect(status.missing == ["2", "3"])
    #expect(status.pending == ["1"])
  }

  @Test func `a rolled back migration without a folder is neither pending nor missing`() throws {
    let status = try status(disk: [], rows: [row("1", "-")])
    #expect(status.rolledBack == ["1"])
    #expect(status.isClean)
  }

  @Test func `logs, counts and checksums of hand-edited rows do not make a state`() throws {
    var edited = try row("1", "+", logs: "ERROR: everything is wrong")
    edited.steps = -7
    #expect(try status(disk: ["1"], rows: [edited]).isClean)
    var failed = try row("1", "!", logs: "")
    failed.steps = 1
    #expect(try status(disk: ["1"], rows: [failed]).failed == ["1"])
  }

  @Test func `edited compares with the live row, not with that of a script mended since`() throws {
    let mended = try [row("1", "-", text: "bad"), row("1", "+")]
    #expect(try status(disk: ["1"], rows: mended).edited == [])
    let edited = try [row("1", "-"), row("1", "+", text: "other")]
    #expect(try status(disk: ["1"], rows: edited).edited == ["1"])
    #expect(try !status(disk: ["1"], rows: edited).isClean)
    // A failed one is going to be edited: that is no finding.
    #expect(try status(disk: ["1"], rows: [row("1", "!", text: "other")]).edited == [])
  }

  @Test func `an empty stored checksum is an edited file's`() throws {
    var row = try row("1", "+")
    row.checksum = ""
    #expect(try status(disk: ["1"], rows: [row]).edited == ["1"])
  }

  @Test func `pending ones stand in the order of application, whatever is applied already`() throws {
    let status = try status(
      disk: ["20240101000000_a", "20240101_a", "20250101000000_z", "b-1", "b_1"], rows: [row("20250101000000_z", "+")])
    #expect(status.pending == ["20240101_a", "20240101000000_a", "b_1", "b-1"])
  }

  @Test func `an applied migration whose script is gone is missing, its folder or not`() throws {
    try MigrationsOnDisk.with { folder in
      try folder.write(["1/down.sql": "", "2/down.sql": ""])
      let status = try MigrationStatus(
        folder: try MigrationFolder(path: folder.path), rows: [row("1", "+"), row("3", "+")])
      #expect(status.missing == ["1", "3"])
      #expect(status.pending == ["2"])
    }
  }
}
