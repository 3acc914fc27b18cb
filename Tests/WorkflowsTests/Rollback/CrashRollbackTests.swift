import BackupModel
import Foundation
import TestSupport
import Testing

/// A rollback, or its undoing, that is killed at any step: only whole states are visible, `resume` ends where an uninterrupted run
/// ends, and `abandon` where it began.
@Suite struct CrashRollbackTests {
  private func withDeploy(_ body: (DeployBench) throws -> Void) throws {
    try DeployBench.with { bench in
      try bench.writeCrashMigrations()
      let run = try bench.run("deploy", "--json")
      try #require(run.exit == 0, "\(run.stdout)")
      try body(bench)
    }
  }

  private func state(_ bench: DeployBench) throws -> DeployRecord.State? { try bench.deploys().first?.state }

  @Test func `a killed rollback that is resumed ends as one that was not`() throws {
    try withDeploy { bench in
      try bench.killing("rollback", at: CrashPoint.all(CrashPoint.rollbackLines)) { point in
        #expect([.before, .after, .closed].contains(try bench.seen()), "\(point.testDescription)")
        if try #require(try bench.deploys().first).isUnfinished {
          #expect(try bench.run("status", "--json").json.string("open_deploy") != nil)
          let resume = try bench.confirmed("resume")
          #expect(resume.exit == 0, "\(point.testDescription): \(resume.stdout)")
        } else if try state(bench) == .applied {
          #expect(point.lines == 0 && !point.isWritten)
          #expect(try bench.confirmed("resume").json.string("error", "code") == "nothing_interrupted")
          #expect(try bench.confirmed("rollback").exit == 0)
        }
        try expectRolledBack(bench, "\(point.testDescription)")
        #expect(try bench.confirmed("undo").exit == 0)
        #expect(try bench.seen() == .after)
        bench.dropCopies()
      }
    }
  }

  @Test func `what was restored whole is not restored again by resume, unless somebody was in it`() throws {
    try withDeploy { bench in
      let whole = CrashPoint(lines: 1, isWritten: true)
      for isOpened in [false, true] {
        try bench.killing("rollback", at: [whole]) { _ in
          let copy = try #require(try bench.databases().first { $0.contains("__restore_") })
          let oid = try bench.maintain("SELECT oid FROM pg_database WHERE datname = '\(copy)'")
          let door = "SELECT datallowconn FROM pg_database WHERE datname = '\(copy)'"
          #expect(try bench.maintain(door) == "f")
          if isOpened {
            for allows in ["true", "false"] {
              if allows == "false" {
                try bench.cluster.psql("INSERT INTO customers (name) VALUES ('forged')", database: copy)
              }
              try bench.maintain("ALTER DATABASE \"\(copy)\" ALLOW_CONNECTIONS \(allows)")
            }
          }
          #expect(try bench.confirmed("resume").exit == 0)
          let live = try bench.maintain("SELECT oid FROM pg_database WHERE datname = '\(bench.database)'")
          #expect((live == oid) == !isOpened)
          if isOpened {
            // Kept as it is, and listed.
            #expect(try bench.run("status", "--json").stdout.contains(copy))
            try bench.maintain("ALTER DATABASE \"\(copy)\" ALLOW_CONNECTIONS true")
            #expect(try bench.psql("SELECT count(*) FROM customers WHERE name = 'forged'", database: copy) == "1")
            try bench.maintain("DROP DATABASE \"\(copy)\"")
          }
          try expectRolledBack(bench, "opened: \(isOpened)")
          #expect(try bench.confirmed("undo").exit == 0)
          bench.dropCopies()
        }
      }
    }
  }

  @Test func `a killed rollback that is abandoned leaves what was before`() throws {
    try withDeploy { bench in
      try bench.killing("rollback", at: CrashPoint.before(CrashPoint.rollbackLines)) { point in
        #expect([.before, .after, .closed].contains(try bench.seen()), "\(point.testDescription)")
        let open = try #require(try bench.deploys().first)
        let abandon = try bench.confirmed(open.state == .rolledBack ? "undo" : "abandon")
        #expect(abandon.exit == (open.state == .applied ? 66 : 0), "\(point.testDescription): \(abandon.stdout)")
        #expect(try bench.seen() == .after, "\(point.testDescription)")
        #expect(try bench.live() == [DeployBench.first] + DeployBench.crashed)
        #expect(try state(bench) == .applied)
        try bench.expectNothingLeft("\(point.testDescription)")
        bench.dropCopies()
      }
      #expect(try bench.confirmed("rollback").exit == 0)
      try expectRolledBack(bench, "at last")
    }
  }

  @Test(arguments: ["resume", "abandon"]) func `a killed undo is finished by resume, and taken back by abandon`(
    ending: String
  ) throws {
    try withDeploy { bench in
      #expect(try bench.confirmed("rollback").exit == 0)
      try bench.killing("undo", at: CrashPoint.all(CrashPoint.undoLines)) { point in
        #expect([.before, .after, .closed].contains(try bench.seen()), "\(point.testDescription)")
        if try #require(try bench.deploys().first).isUnfinished {
          let run = try bench.confirmed(ending)
          #expect(run.exit == 0, "\(point.testDescription): \(run.stdout)")
          #expect(try state(bench) == (ending == "resume" ? .applied : .rolledBack), "\(point.testDescription)")
        }
        #expect(try bench.seen() == (state(bench) == .applied ? .after : .before), "\(point.testDescription)")
        #expect(try bench.databases().count == 2)
        try bench.expectNothingLeft("\(point.testDescription)")
        guard try state(bench) == .applied else { return }
        bench.dropCopies()
        #expect(try bench.confirmed("rollback").exit == 0)
      }
    }
  }

  @Test func `what resume and abandon are about to do is told before it is confirmed`() throws {
    try withDeploy { bench in
      try bench.killing("rollback", at: [CrashPoint(lines: 1, isWritten: false)]) { _ in
        let id = try #require(try bench.deploys().first?.id)
        for (command, words) in [("resume", "goes on with the rollback"), ("abandon", "gives up the rollback")] {
          let run = try bench.run(command)
          #expect(run.exit == 64)
          #expect(run.stderr.contains("\(words) \(id)"), "\(run.stderr)")
        }
        #expect(try bench.confirmed("abandon").exit == 0)
        bench.dropCopies()
      }
    }
  }

  @Test func `a rollback after the exchange that is abandoned keeps what was written to it meanwhile`() throws {
    try withDeploy { bench in
      try bench.killing("rollback", at: [Self.exchanged]) { _ in
        #expect(try bench.seen() == .before, "the names are exchanged")
        try bench.psql("CREATE TABLE written_meanwhile ()")
        #expect(try bench.confirmed(state(bench) == .rolledBack ? "undo" : "abandon").exit == 0)
        #expect(try bench.seen() == .after)
        let kept = try bench.databases().filter { $0.contains("__undone_") }
        let name = try #require(kept.first)
        #expect(kept.count == 1)
        let table = try bench.psql("SELECT to_regclass('written_meanwhile')", database: name)
        #expect(table == "written_meanwhile")
        #expect(try bench.run("status", "--json").json.string("kept", 0, "database") == name)
        try bench.expectNothingLeft()
        bench.dropCopies()
      }
    }
  }

  @Test(arguments: ["resume", "abandon"])
  func `a restored database that has gone before the exchange is no exchange`(ending: String) throws {
    try withDeploy { bench in
      try bench.killing(
        "rollback", at: [CrashPoint(lines: 2, isWritten: false), CrashPoint(lines: 2, isWritten: true)]
      ) {
        point in
        for name in try bench.databases() where name != bench.database {
          try bench.maintain("DROP DATABASE \"\(name)\"")
        }
        let run = try bench.confirmed(ending)
        #expect(run.exit == 0, "\(point.testDescription): \(run.stdout)")
        #expect(try bench.seen() == (ending == "resume" ? .before : .after), "\(point.testDescription)")
        #expect(try state(bench) == (ending == "resume" ? .rolledBack : .applied))
        if ending == "resume" { #expect(try bench.confirmed("undo").exit == 0) }
        try bench.expectNothingLeft("\(point.testDescription)")
        bench.dropCopies()
      }
    }
  }

  @Test func `a database that somebody has put in the live one's place is not swapped away`() throws {
    try withDeploy { bench in
      try bench.stand("rollback", at: CrashPoint(lines: 1, isWritten: false)).kill()
      let aside = "\(bench.database)__aside"
      try bench.maintain("ALTER DATABASE \(bench.database) RENAME TO \(aside)")
      try bench.maintain("CREATE DATABASE \(bench.database)")
      let run = try bench.confirmed("resume")
      #expect(run.exit == 1)
      #expect(run.json.string("error", "code") == "another_database", "\(run.stdout)")
      #expect(try bench.confirmed("abandon").exit == 0)
      try bench.maintain("DROP DATABASE \(bench.database)")
      try bench.maintain("ALTER DATABASE \(aside) RENAME TO \(bench.database)")
      #expect(try bench.seen() == .after)
    }
  }

  /// The names are exchanged, and the journal does not say so yet.
  private static let exchanged = CrashPoint(lines: 3, isWritten: false)

  @Test(arguments: [CrashPoint(lines: 2, isWritten: false), exchanged])
  func `a database that was gone when the rollback was killed comes back`(point: CrashPoint) throws {
    try withDeploy { bench in
      try bench.maintain("DROP DATABASE \(bench.database) WITH (FORCE)")
      try bench.stand("rollback", at: point).kill()
      if point.lines == Self.exchanged.lines {
        #expect(try bench.confirmed("abandon").json.string("error", "code") == "already_rolled_back")
      }
      let run = try bench.confirmed("resume")
      #expect(run.exit == 0, "\(run.stdout)")
      #expect(run.json.value(["kept_as"]) is NSNull)
      #expect(try bench.seen() == .before)
      #expect(try bench.databases() == [bench.database])
      try bench.expectNothingLeft()
    }
  }

  private func expectRolledBack(_ bench: DeployBench, _ comment: Comment) throws {
    #expect(try bench.seen() == .before, comment)
    #expect(try state(bench) == .rolledBack, comment)
    #expect(try bench.history().dropFirst() == DeployBench.crashed.map { "\($0)|f|t|t|0" }[...], comment)
    let kept = try bench.databases().filter { $0 != bench.database }
    #expect(kept.count == 1 && kept.allSatisfy { $0.contains("__before_") }, comment)
    for name in kept { #expect(try bench.seen(name) == .after, comment) }
    try bench.expectNothingLeft(comment)
  }
}
