import BackupModel
import Diagnostics
import Foundation
import PostgresTools
import TestSupport
import Testing

/// Where a run is broken off: before a line of its journal, when all before it is done, or as soon as the line is written.
struct CrashPoint: Sendable, CustomTestStringConvertible {
  /// Lines that were written before.
  var lines: Int
  var isWritten: Bool
  var testDescription: String { isWritten ? "with line \(lines + 1)" : "before line \(lines + 1)" }

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

  /// Which state a client finds.
  func seen(_ name: String? = nil) throws -> Seen {
    let name = name ?? database
    let content = """
      SELECT to_regclass('more') IS NOT NULL, to_regclass('busy') IS NOT NULL, (SELECT count(*) FROM customers),
        (SELECT count(*) FROM customers WHERE name ~ '^CUSTOMER'), (SELECT count(*) FROM orders)
      """
    let found: String
    do { found = try psql(content, database: name) } catch let failure as Failure {
      guard "\(failure)".contains("not currently accepting connections") else { throw failure }
      return .closed
    }
    let sum = try found.hasPrefix("t") ? psql("SELECT sum(a) FROM more", database: name) : "none"
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

  func journal(of id: String) -> String { "\(bench.shelf)/deploys/\(id)/journal.jsonl" }

  /// Starts a deploy, and waits until it has a journal.
  func startDeploy(program: [String] = []) throws -> (run: ChildProcess, journal: String) {
    let known = Set(try deploys().map(\.id))
    let run = try start("deploy", program: program)
    var journal: String?
    try waitUntil("the deploy has a journal") {
      journal = try deploys().map(\.id).first { !known.contains($0) }.map(self.journal)
      return journal != nil
    }
    return (run, try #require(journal))
  }

  /// Kills a run at a point of a journal.
  ///
  /// - Parameter lines: in the journal before the run began.
  /// - Returns: whether it was at that very point; sometimes a run is too quick.
  func kill(_ run: ChildProcess, at point: CrashPoint, _ gate: JournalGate, lines: Int) throws -> Bool {
    defer { gate.open() }
    let wanted = lines + point.lines
    var stands = try gate.reach(run)
    while stands, gate.lines < wanted {
      gate.pass()
      stands = try gate.reach(run)
    }
    let isExact = stands && gate.lines == wanted
    if stands, point.isWritten { gate.letThrough() }
    Foundation.kill(run.pid, SIGKILL)
    _ = try run.end()
    return isExact
  }

  /// The same with a command on a deploy that has a journal.
  func kill(_ command: String, at point: CrashPoint, of journal: String) throws -> Bool {
    let gate = try JournalGate(journal)
    let lines = gate.lines
    return try kill(try start(command, "--confirm", database), at: point, gate, lines: lines)
  }

  /// Kills a command at each of some points, and has `body` settle it; once more where the run was too quick.
  func killing(
    _ command: String, at points: [CrashPoint], of journal: String? = nil, _ body: (CrashPoint) throws -> Void
  ) throws {
    for point in points {
      var isExact = false
      for _ in 0..<5 where !isExact {
        if let journal {
          isExact = try kill(command, at: point, of: journal)
        } else {
          let (run, journal) = try startDeploy()
          isExact = try kill(run, at: point, JournalGate(journal), lines: 0)
        }
        try body(point)
      }
      #expect(isExact, "\(point.testDescription)")
    }
  }
}
