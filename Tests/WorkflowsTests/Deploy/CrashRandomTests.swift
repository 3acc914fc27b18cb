import BackupModel
import Foundation
import PostgresTools
import TestSupport
import Testing

/// Runs, or their servers, killed at any moment whatever: each line of the journal, and everything between two of them, comes up sooner or
/// later.
@Suite struct CrashRandomTests {
  /// HOLDFAST_CRASH_ROUNDS=25 makes some two hundred kills of each.
  private static let rounds = ProcessInfo.processInfo.environment["HOLDFAST_CRASH_ROUNDS"].flatMap(Int.init) ?? 2

  enum Victim: Sendable { case program, server }

  /// Deploy, rollback and undo over and over, each killed at a random moment, and settled by the same word.
  @Test(arguments: ["resume", "abandon"]) func `only whole states are visible, and each can be settled`(
    ending: String
  ) throws {
    try DeployBench.with { try rounds(of: .program, $0, ending) }
  }

  @Test(arguments: ["resume", "abandon"]) func `a server that crashes under them leaves whole states too`(
    ending: String
  ) throws {
    let cluster = try TestCluster()
    defer { cluster.stop() }
    try DeployBench.with(cluster: cluster) { try rounds(of: .server, $0, ending) }
  }

  private func rounds(of victim: Victim, _ bench: DeployBench, _ ending: String) throws {
    try bench.writeCrashMigrations()
    for _ in 0..<Self.rounds {
      try killDeploy(victim, bench, ending)
      for command in ["rollback", "undo", "rollback"] { try killSwap(victim, command, bench, ending) }
      try bench.resetCrash()
      try? FileManager.default.removeItem(atPath: "\(bench.bench.shelf)/deploys")
    }
  }

  private func killDeploy(_ victim: Victim, _ bench: DeployBench, _ ending: String) throws {
    let moment = try kill(victim, of: bench.start("deploy"), bench, within: 1.2)
    #expect([.before, .half, .after].contains(try bench.seen()), "\(moment)")
    if let open = try bench.deploys().first, open.isUnfinished {
      let run = try bench.confirmed(ending)
      #expect(run.exit == 0, "\(moment), \(open): \(run.stdout)")
      #expect(try bench.seen() == (ending == "resume" ? .after : .before), "\(moment), \(open)")
      try bench.expectNothingLeft("\(moment)")
    }
    if try bench.seen() != .after {
      let again = try bench.run("deploy", "--json")
      #expect(again.exit == 0, "\(moment): \(again.stdout)")
    }
    // The database of a trial that was killed before anything began goes with the next deploy.
    try bench.expectNothingLeft("\(moment)")
  }

  /// Afterwards the command has taken its effect, by itself or once more.
  private func killSwap(_ victim: Victim, _ command: String, _ bench: DeployBench, _ ending: String) throws {
    let (from, to): (DeployBench.Seen, DeployBench.Seen) = command == "undo" ? (.before, .after) : (.after, .before)
    #expect(try bench.seen() == from)
    let run = try bench.start(command, "--confirm", bench.database)
    let moment = try kill(victim, of: run, bench, within: command == "undo" ? 0.4 : 2)
    #expect([from, to, .closed].contains(try bench.seen()), "\(command) \(moment)")
    let open = try #require(try bench.deploys().first { $0.backup != nil && $0.state != .abandoned })
    if open.isUnfinished {
      let settled = try bench.confirmed(ending)
      #expect(settled.exit == 0, "\(command) \(moment), \(open): \(settled.stdout)")
      #expect(try bench.seen() == (ending == "resume" ? to : from), "\(command) \(moment), \(open)")
    }
    try bench.expectNothingLeft("\(command) \(moment)")
    guard try bench.seen() != to else { return }
    let again = try bench.confirmed(command)
    #expect(again.exit == 0, "\(command) \(moment): \(again.stdout)")
    #expect(try bench.seen() == to)
  }

  /// - Returns: when it was killed, for those who look for the reason.
  private func kill(_ victim: Victim, of run: ChildProcess, _ bench: DeployBench, within seconds: Double) throws
    -> String
  {
    let moment = Double.random(in: 0...seconds)
    usleep(UInt32(moment * 1_000_000))
    switch victim {
    case .program: _ = try run.end(bySending: SIGKILL)
    case .server:
      bench.cluster.kill()
      _ = try run.end()
      try bench.cluster.start()
    }
    return "\(victim) killed after \(moment) s"
  }
}
