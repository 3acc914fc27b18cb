import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import TestSupport
import Testing

/// Where a run is broken off: before a line of its journal, when all before it is done, or as soon as the line is written.
struct CrashPoint: Sendable, CustomTestStringConvertible {
  /// Lines that the run wrote before.
  var lines: Int
  var isWritten: Bool
  /// As the program calls it.
  var stop: String { "\(isWritten ? "appended" : "append") journal.jsonl#\(lines + 1)" }
  var testDescription: String { isWritten ? "with line \(lines + 1)" : "before line \(lines + 1)" }

  /// began, snapshot-taken, applying, applied, applying, applied, finished; the journal comes into being with its first.
  static let deployLines = 1..<7
  /// rollback-began, restored, swapping, swapped, rolled-back.
  static let rollbackLines = 0..<5
  /// undoing, undone.
  static let undoLines = 0..<2

  /// Before each of some lines.
  static func before(_ lines: Range<Int>) -> [CrashPoint] { lines.map { CrashPoint(lines: $0, isWritten: false) } }

  /// Before each of them, and with it.
  static func all(_ lines: Range<Int>) -> [CrashPoint] {
    before(lines).flatMap { [$0, CrashPoint(lines: $0.lines, isWritten: true)] }
  }
}

/// A database of three states, of which only whole ones may be seen: before a deploy, after it, and with one of its two
/// migrations.
extension DeployBench {
  static let crashed = ["20240201000000_more", "20240202000000_rows"]

  /// Two scripts of one transaction each.
  func writeCrashMigrations() throws {
    try migration(
      Self.crashed[0], "CREATE TABLE more AS SELECT 1 AS a;\nUPDATE customers SET name = upper(name) WHERE id < 9;")
    try migration(Self.crashed[1], "INSERT INTO more VALUES (2);\nDROP VIEW busy;")
  }

  enum Seen: String { case before, half, after, closed }

  /// Nil: the database lets nobody in.
  private func look(at name: String, _ query: String) throws -> String? {
    do { return try psql(query, database: name) } catch let failure as Failure {
      guard "\(failure)".contains("not currently accepting connections") else { throw failure }
      return nil
    }
  }

  /// Which state a client finds.
  func seen(_ name: String? = nil) throws -> Seen {
    let name = name ?? database
    let content = """
      SELECT to_regclass('more') IS NOT NULL, to_regclass('busy') IS NOT NULL, (SELECT count(*) FROM customers),
        (SELECT count(*) FROM customers WHERE name ~ '^CUSTOMER'), (SELECT count(*) FROM orders)
      """
    var (found, sum) = ("", "")
    // What a killed run had sent may take effect between two looks: then they are taken again.
    repeat {
      guard let first = try look(at: name, content) else { return .closed }
      let rows = first.hasPrefix("t") ? "SELECT sum(a) FROM more" : "SELECT 'none'"
      guard let second = try look(at: name, rows) else { return .closed }
      (found, sum) = (first, second)
    } while try look(at: name, content) != found
    let states: [String: Seen] = [
      "f|t|40|0|200 none": .before, "t|t|40|8|200 1": .half, "t|f|40|8|200 3": .after,
    ]
    guard let state = states["\(found) \(sum)"] else {
      throw Failure.internalError("\(name) is in a state that never was: \(found) \(sum)")
    }
    return state
  }

  /// The live rows of the history.
  func live() throws -> [String] {
    try psql(
      """
      SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY 1
      """
    ).split(separator: "\n").map(String.init)
  }

  /// Takes the database back to before by hand, and forgets what was tried.
  func resetCrash() throws {
    dropCopies()
    try psql(
      """
      DROP TABLE IF EXISTS more; DELETE FROM _prisma_migrations WHERE migration_name <> '\(Self.first)';
      UPDATE customers SET name = lower(name) WHERE name <> lower(name);
      CREATE OR REPLACE VIEW busy AS SELECT customer, count(*) FROM orders GROUP BY customer
      """)
  }

  /// Starts a deploy that runs on.
  ///
  /// - Returns: once it has a journal.
  func startDeploy(program: [String] = []) throws -> ChildProcess {
    let known = try deploys().count
    let run = try start("deploy", program: program)
    try waitUntil("the deploy has a journal") { try deploys().count > known }
    return run
  }

  /// Starts a command that stops where a test says.
  func startStepping(_ arguments: String..., at stop: String) throws -> SteppedRun {
    try SteppedRun(command(arguments), at: stop, notesIn: bench.folder)
  }

  /// The same, waited for until it stands there.
  func stand(_ command: String, at point: CrashPoint) throws -> SteppedRun {
    let run =
      try command == "deploy"
      ? startStepping(command, at: point.stop) : startStepping(command, "--confirm", database, at: point.stop)
    try #require(try run.reach() != nil, "\(command) does not come to \(point.testDescription)")
    return run
  }

  /// Kills a command at each of some points, and has `body` settle it.
  func killing(_ command: String, at points: [CrashPoint], _ body: (CrashPoint) throws -> Void) throws {
    for point in points {
      try stand(command, at: point).kill()
      try body(point)
    }
  }

  /// Brings a deploy that was broken off to its end, and the database back to before it.
  func settleDeploy(_ comment: Comment) throws {
    #expect([.before, .half, .after].contains(try seen()), comment)
    if try deploys().first?.isUnfinished == true {
      let resume = try run("resume", "--json")
      #expect(resume.exit == 0, "\(comment): \(resume.stdout)")
    }
    if try seen() == .before { #expect(try run("deploy").exit == 0, comment) }
    #expect(try seen() == .after, comment)
    try expectNothingLeft(comment)
    try resetCrash()
  }

  /// Brings a rollback that was broken off to its end, and undoes it.
  func settleRollback(_ comment: Comment) throws {
    #expect([.before, .after, .closed].contains(try seen()), comment)
    if try #require(try deploys().first).isUnfinished {
      let resume = try confirmed("resume")
      #expect(resume.exit == 0, "\(comment): \(resume.stdout)")
    }
    if try deploys().first?.state == .rolledBack {
      #expect(try seen() == .before, comment)
      #expect(try confirmed("undo").exit == 0, comment)
    }
    #expect(try seen() == .after, comment)
    try expectNothingLeft(comment)
    dropCopies()
  }
}
