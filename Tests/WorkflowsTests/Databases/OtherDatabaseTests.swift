import Diagnostics
import Foundation
import TestSupport
import Testing

/// Whoever changes `database.url` between the begin of something and its end does nothing to the other database.
@Suite struct OtherDatabaseTests {
  private static let name = "20240201000000_more"

  /// The policy names another database with content of its own; at the end the first one is named again.
  private func naming(_ other: String, in bench: DeployBench, _ body: () throws -> Void) throws {
    let first = bench.database
    _ = try bench.copy(other)
    let name = "\(first)_\(other)"
    try bench.psql("CREATE TABLE precious AS SELECT 1 AS a", database: name)
    try bench.move(to: name)
    try body()
    #expect(try bench.psql("SELECT a FROM precious", database: name) == "1")
    try bench.move(to: first)
  }

  @Test(arguments: ["resume", "abandon"]) func `an interrupted rollback is not settled on it`(command: String) throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      try bench.startStepping("rollback", "--confirm", bench.database, at: "prove the database").killAtStop()
      try naming("other", in: bench) {
        let run = try bench.confirmed(command)
        #expect(run.exit == 66)
        #expect(run.json.string("error", "code") == "deploy_of_another", "\(run.stdout)")
      }
      #expect(try bench.confirmed(command).exit == 0)
      #expect(try bench.psql("SELECT to_regclass('more') IS NULL") == (command == "resume" ? "t" : "f"))
      try bench.expectNothingLeft()
    }
  }

  @Test func `an interrupted deploy is not given up by a look into it`() throws {
    try DeployBench.with { bench in
      try bench.writeCrashMigrations()
      try bench.startStepping("deploy", at: "append journal.jsonl#5").killAtStop()
      try naming("other", in: bench) {
        let run = try bench.confirmed("abandon")
        #expect(run.json.string("error", "code") == "deploy_of_another", "\(run.stdout)")
      }
      #expect(try bench.confirmed("abandon").exit == 0)
      #expect(try bench.seen() == .before)
      try bench.expectNothingLeft()
    }
  }

  @Test func `a backup of one is never put in the place of another, and takes no place among its backups`() throws {
    try DeployBench.with { bench in
      try bench.writePolicy(more: "retention: {keep_last: 1}")
      #expect(try bench.run("backup").exit == 0)
      let id = try #require(try bench.run("list", "--json").json.string("backups", 0, "id"))
      try naming("other", in: bench) {
        for run in [try bench.confirmed("rollback", "--to", id), try bench.confirmed("restore", id, "--swap")] {
          #expect(run.exit == 66)
          #expect(run.json.string("error", "code") == "backup_of_another", "\(run.stdout)")
        }
        #expect(try bench.run("backup").exit == 0)
        #expect(try bench.run("list", "--json").json.array("backups")?.count == 2)
      }
      try bench.expectNothingLeft()
    }
  }

  @Test func `undo leaves it alone`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      #expect(try bench.confirmed("rollback").exit == 0)
      try naming("other", in: bench) {
        let run = try bench.confirmed("undo")
        #expect(run.json.string("error", "code") == "deploy_of_another", "\(run.stdout)")
      }
      #expect(try bench.confirmed("undo").exit == 0)
    }
  }

  @Test func `undo brings back nothing that somebody has put in the place of what was kept`() throws {
    try DeployBench.with { bench in
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      let kept = try #require(try bench.confirmed("rollback").json.string("kept_as"))
      try bench.maintain("ALTER DATABASE \"\(kept)\" RENAME TO \"\(kept)_moved\"")
      try bench.maintain("CREATE DATABASE \"\(kept)\"")
      let run = try bench.confirmed("undo")
      #expect(run.exit == 1)
      #expect(run.json.string("error", "code") == "another_database", "\(run.stdout)")
    }
  }

  /// Two policies of one database: one of them has rolled back below the other's deploy.
  @Test func `a deploy to a database that was replaced meanwhile is given up, and changes nothing`() throws {
    try DeployBench.with { bench in
      try bench.writeCrashMigrations()
      try bench.startStepping("deploy", at: "append journal.jsonl#5").killAtStop()
      let replacement = try bench.copy("new")
      try bench.maintain("ALTER DATABASE \(bench.database) RENAME TO \(bench.database)_old")
      try bench.maintain("ALTER DATABASE \(replacement) RENAME TO \(bench.database)")
      let run = try bench.run("abandon", "--confirm", bench.database)
      #expect(run.exit == 0, "\(run.stderr)")
      #expect(run.stdout.contains("is another database now"), "\(run.stdout)")
      #expect(try bench.seen() == .half)
      #expect(try bench.deploys().first?.state == .failed)
    }
  }
}
