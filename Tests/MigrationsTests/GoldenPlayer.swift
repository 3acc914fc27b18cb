import Foundation
import TestSupport

/// Plays a golden case with Holdfast's own commands and notes every difference from what Prisma's CLI did.
final class GoldenPlayer {
  /// Deploys that end otherwise than Prisma's, as promised; the value tells whether they succeed. Prisma fails two of
  /// them needlessly, and calls the third a success with nothing recorded.
  private static let betterDeploys = [
    "concurrently-mixed": true, "search-path-changed": true, "open-transaction": false,
  ]
  /// Refused as a whole, where Prisma applies what comes before the folder without a script.
  private static let refusedDeploys = ["no-script"]
  /// After these steps a file is another one than the history says. Prisma tells nobody.
  private static let edited = ["edited": 2...3, "legacy-checksum": 2...3]

  private let golden: GoldenCase
  private let bench: Workbench
  /// Whether `migrate deploy` is played by `holdfast deploy`. Otherwise the state that Prisma's left is loaded.
  private let playsDeploys: Bool
  private let folder: MigrationsOnDisk
  private var schema = "public"
  private(set) var problems: [String] = []

  init(_ golden: GoldenCase, on bench: Workbench, playingDeploys: Bool) throws {
    self.golden = golden
    playsDeploys = playingDeploys
    self.bench = bench
    folder = try MigrationsOnDisk(bench)
    try writePolicy()
  }

  func play() throws {
    for step in golden.steps {
      switch step {
      case .files(let files): try folder.write(files)
      case .sql(let sql): try bench.cluster.psql(sql, database: bench.database)
      case .schema(let name):
        schema = name
        try writePolicy()
      case .run(let command): try play(command)
      }
    }
  }

  private func play(_ command: GoldenCase.Command) throws {
    switch command.run.dropFirst().first {
    case "status": break  // The reading below is ours.
    case "resolve": try resolve(command)
    case "deploy" where playsDeploys: try deploy(command)
    case "deploy": try load(command)
    default: problems.append("\(command.run) cannot be played")
    }
    try compareRows(command)
    // Every state that Prisma left is read; of those that Holdfast leaves, the ones that Prisma's status was asked for.
    if !playsDeploys || command.run == ["migrate", "status"] { try compareReading(command) }
  }

  // MARK: Commands

  private func resolve(_ command: GoldenCase.Command) throws {
    let words = command.run.dropFirst(2)
    let flags = words.filter { $0.hasPrefix("--") }
    let names = Set(words).subtracting(flags)
    compare(command, try holdfast(["resolve"] + names + flags), "resolve")
  }

  private func deploy(_ command: GoldenCase.Command) throws {
    let before = try bench.cluster.historyRows(bench.database, schema: schema)
    let run = try holdfast(["deploy"])
    if Self.refusedDeploys.contains(golden.name), run.exit != 0 {
      compare(command, run, "deploy")
      note(command, "history", try bench.cluster.historyRows(bench.database, schema: schema), before)
      return try load(command)
    }
    guard let succeeds = Self.betterDeploys[golden.name] else { return compare(command, run, "deploy") }
    let applied = try bench.cluster.historyRows(bench.database, schema: schema)?.allSatisfy(\.isApplied)
    note(command, "deploy's success", run.exit == 0, succeeds)
    note(command, "all applied", applied, succeeds)
    try load(command)
  }

  /// Exits alike, and fails with Prisma's code where Prisma's error has one.
  private func compare(_ command: GoldenCase.Command, _ run: ProgramRun, _ what: String) {
    note(command, "\(what)'s success", run.exit == 0, command.exit == 0)
    if let code = command.errorCode { note(command, "\(what)'s error", run.json.string("error", "code"), code) }
  }

  private func load(_ command: GoldenCase.Command) throws {
    try bench.cluster.psql(
      "DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS shop CASCADE", database: bench.database)
    try bench.cluster.psql(file: golden.state(after: command.step), database: bench.database)
  }

  private func holdfast(_ words: [String]) throws -> ProgramRun {
    try ProgramRun(words + ["--json", "--policies", bench.policies])
  }

  private func writePolicy() throws {
    let url = bench.cluster.url(bench.database) + (schema == "public" ? "" : "?schema=\(schema)")
    try bench.writePolicy(url: url, more: folder.policy)
  }

  // MARK: Comparing

  private func compareRows(_ command: GoldenCase.Command) throws {
    note(command, "rows", try bench.cluster.historyRows(bench.database, schema: schema), command.rows)
  }

  private func compareReading(_ command: GoldenCase.Command) throws {
    let run = try holdfast(["migrations"])
    if let code = command.errorCode, code == "P3019" {
      note(command, "reading's error", run.json.string("error", "code"), code)
      return note(command, "reading's exit", run.exit, 1)
    }
    let rows = command.rows ?? []
    let live = Set(rows.filter { !$0.isRolledBack }.map(\.name))
    let onDisk = Set(folder.names)
    let edited = Self.edited[golden.name]?.contains(command.step) == true ? live : []
    let missing = live.subtracting(onDisk)
    let pending = onDisk.subtracting(live)
    note(command, "pending", run.names("pending"), pending)
    note(command, "applied", run.names("applied"), Set(rows.filter(\.isApplied).map(\.name)))
    note(command, "failed", run.names("failed"), Set(rows.filter(\.isFailed).map(\.name)))
    note(command, "rolled back", run.names("rolled_back"), Set(rows.map(\.name)).subtracting(live))
    note(command, "edited", run.names("edited"), edited)
    note(command, "missing", run.names("missing"), missing)
    if command.run == ["migrate", "status"] {
      compareStatus(command, run, moreIsSeen: !edited.isEmpty || !missing.isEmpty)
    }
  }

  /// What Prisma's status printed, the order of the pending ones included.
  private func compareStatus(_ command: GoldenCase.Command, _ run: ProgramRun, moreIsSeen: Bool) {
    note(command, "exit of migrations", run.exit, command.exit == 0 && !moreIsSeen ? 0 : 2)
    note(command, "Prisma's pending", run.json.strings("pending"), command.names(after: "not yet been applied:"))
    let failed = command.names(after: "have failed:")
    // Hidden by Prisma while something pends.
    if !failed.isEmpty { note(command, "Prisma's failed", run.json.strings("failed"), failed) }
  }

  private func note<Value: Equatable>(_ command: GoldenCase.Command, _ what: String, _ ours: Value, _ golden: Value) {
    if ours != golden { problems.append("step \(command.step): \(what): \(ours) instead of \(golden)") }
  }
}

extension ProgramRun {
  /// Names in the printed JSON; nil when they are not there.
  fileprivate func names(_ key: String) -> Set<String>? { json.strings(key).map(Set.init) }
}

extension JSONDocument {
  func strings(_ key: String) -> [String]? { array(key) as? [String] }
}

extension GoldenCase.Command {
  /// `P3008` of `Error: P3008`.
  fileprivate var errorCode: String? {
    stderr.firstMatch(of: /Error: (P\d{4})\n/).map { String($0.1) }
  }

  /// The lines between a heading and the next empty line; none when the heading is not there.
  fileprivate func names(after heading: String) -> [String] {
    let lines = (stdout + stderr).split(separator: "\n", omittingEmptySubsequences: false)
    guard let start = lines.firstIndex(where: { $0.hasSuffix(heading) }) else { return [] }
    return lines[start...].dropFirst().prefix { !$0.isEmpty }.map(String.init)
  }
}
