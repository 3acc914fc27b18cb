import BackupModel
import Foundation
import TestSupport
import Testing

/// A deploy that is killed at any step: only what whole scripts leave is visible, `resume` ends where an uninterrupted deploy ends, and
/// `abandon` where it began.
@Suite struct CrashDeployTests {
  private func withMigrations(_ body: (DeployBench) throws -> Void) throws {
    try DeployBench.with { bench in
      try bench.writeCrashMigrations()
      try body(bench)
    }
  }

  @Test func `a killed deploy that is resumed ends as one that was not`() throws {
    try withMigrations { bench in
      try bench.killing("deploy", at: CrashPoint.all(CrashPoint.deployLines)) { point in
        #expect([.before, .half, .after].contains(try bench.seen()), "\(point.testDescription)")
        if try #require(try bench.deploys().first).isUnfinished {
          #expect(try bench.run("deploy", "--json").json.string("error", "code") == "deploy_interrupted")
          #expect(try bench.confirmed("rollback").json.string("error", "code") == "deploy_interrupted")
          let resume = try bench.run("resume", "--json")
          #expect(resume.exit == 0, "\(point.testDescription): \(resume.stdout)")
          #expect(resume.json.string("state") == "applied")
          #expect(resume.json.array("applied") as? [String] == DeployBench.crashed, "\(point.testDescription)")
        }
        try expectDeployed(bench, point)
        try bench.resetCrash()
      }
      let last = try bench.startDeploy()
      #expect(try last.end().succeeded)
      #expect(try bench.confirmed("rollback").exit == 0)
      #expect(try bench.seen() == .before)
    }
  }

  private func expectDeployed(_ bench: DeployBench, _ point: CrashPoint) throws {
    #expect(try bench.seen() == .after, "\(point.testDescription)")
    #expect(try bench.live() == [DeployBench.first] + DeployBench.crashed, "\(point.testDescription)")
    // A script that was in doubt is applied again, with a row of its own.
    let others = try bench.history().filter { !$0.hasSuffix("|t|f|f|1") }
    #expect(others.allSatisfy { $0.hasSuffix("|f|t|f|0") } && others.count < 2, "\(point.testDescription)")
    #expect(try bench.deploys().first?.state == .applied, "\(point.testDescription)")
    try bench.expectNothingLeft("\(point.testDescription)")
  }

  @Test func `a killed deploy that is abandoned leaves what was before`() throws {
    try withMigrations { bench in
      try bench.killing("deploy", at: CrashPoint.before(CrashPoint.deployLines)) { point in
        #expect([.before, .half, .after].contains(try bench.seen()), "\(point.testDescription)")
        if try #require(try bench.deploys().first).isUnfinished {
          let abandon = try bench.confirmed("abandon")
          #expect(abandon.exit == 0, "\(point.testDescription): \(abandon.stdout)")
          #expect([.abandoned, .rolledBack].contains(try bench.deploys().first?.state), "\(point.testDescription)")
        } else {
          #expect(try bench.confirmed("rollback").exit == 0)
        }
        #expect(try bench.seen() == .before, "\(point.testDescription)")
        #expect(try bench.live() == [DeployBench.first], "\(point.testDescription)")
        try bench.expectNothingLeft("\(point.testDescription)")
        try bench.resetCrash()
      }
      #expect(try bench.run("deploy").exit == 0)
      #expect(try bench.seen() == .after)
    }
  }
}
