import BackupModel
import Foundation
import TestSupport
import Testing

/// A snapshot that is kept as a database too: a rollback is a rename, and everything else is as without it.
@Suite struct StandbyCopyTests {
  private static let name = "20240201000000_more"
  private static let script = "CREATE TABLE more AS SELECT 1 AS a; UPDATE customers SET name = upper(name);"

  private func copies(_ bench: DeployBench) throws -> [String] {
    try bench.databases().filter { $0.contains("__standby_") }
  }

  @Test(arguments: ["restored", "cloned"]) func `a rollback renames it, and brings back what was before`(
    mode: String
  ) throws {
    try DeployBench.with(settings: ["standby_copy: \(mode)"]) { bench in
      let properties = """
        ALTER DATABASE DATABASE_ SET work_mem TO '5MB'; COMMENT ON DATABASE DATABASE_ IS 'shop';
        ALTER DATABASE DATABASE_ CONNECTION LIMIT 50; REVOKE CONNECT ON DATABASE DATABASE_ FROM PUBLIC
        """
      try bench.give(properties, to: bench.database)
      let before = try bench.copy("was", properties: properties)
      try bench.deploy(Self.name, Self.script)
      let copy = try #require(try copies(bench).first)
      #expect(throws: (any Error).self, "nobody can connect to it") { try bench.psql("SELECT", database: copy) }
      let status = try bench.run("status").stdout
      let row = try #require(status.split(separator: "\n").first { $0.contains(copy) })
      #expect(row.hasSuffix(": the way back; the next deploy replaces it") && !status.contains("dropdb"), "\(status)")
      try bench.psql("DELETE FROM orders WHERE id > 190; INSERT INTO more VALUES (2)")
      let replaced = try bench.copy("now", properties: properties)

      let run = try bench.confirmed("rollback")
      #expect(run.exit == 0, "\(run.stdout)\(run.stderr)")
      #expect(!run.stderr.contains("restore") && run.stderr.contains("swap"), "\(run.stderr)")
      try bench.expectEqual(to: before)
      let kept = try #require(run.json.string("kept_as"))
      try bench.expectEqual(to: replaced, kept)
      #expect(try copies(bench) == [])
      #expect(try bench.history() == [DeployBench.firstRow, "\(Self.name)|f|t|t|0"])

      #expect(try bench.confirmed("undo").exit == 0)
      try bench.expectEqual(to: replaced)
      // The copy has gone into use; the way back is the backup again.
      #expect(try bench.confirmed("rollback").exit == 0)
      try bench.expectEqual(to: before)
      try bench.deploy(Self.name, "CREATE TABLE more (a int);")
      try bench.expectNothingLeft()
    }
  }

  @Test(arguments: ["restored", "cloned"]) func `what a rollback loses is counted since the copy`(mode: String) throws {
    // Of its own: any other open transaction would put rows in doubt.
    let cluster = try TestCluster()
    defer { cluster.stop() }
    try DeployBench.with(cluster: cluster, settings: ["standby_copy: \(mode)"]) { bench in
      try bench.deploy(Self.name, "SELECT 1")
      #expect(try bench.run("rollback", "--plan", "--json").json.array("lost_writes")?.count == 0)
      try bench.psql("UPDATE orders SET note = 'new' WHERE id <= 7")
      let plan = try bench.run("rollback", "--plan", "--json")
      #expect(plan.json.value(["lost_writes", 0, "inserted_or_updated"]) as? Int == 7, "\(plan.stdout)")
      #expect(plan.json.string("lost_writes", 0, "name") == "orders")
      #expect(try bench.run("rollback", "--plan").stdout.contains("renames"))
    }
  }

  @Test func `the next deploy drops that of the one before, and keeps one that somebody has opened`() throws {
    try DeployBench.with(settings: ["standby_copy: restored"]) { bench in
      try bench.deploy(Self.name, Self.script)
      let first = try #require(try copies(bench).first)
      #expect(try bench.run("status", "--json").json.string("kept", 0, "database") == first)
      try bench.deploy("20240202000000_b", "SELECT 1")
      let second = try #require(try copies(bench).first)
      #expect(try copies(bench) == [second] && second != first)
      try bench.maintain("ALTER DATABASE \(second) ALLOW_CONNECTIONS true")
      try bench.set(["standby_copy: off"])
      try bench.deploy("20240203000000_c", "SELECT 1")
      #expect(try copies(bench) == [second], "it may be in use")
      // Nor is it taken for what was before.
      let run = try bench.confirmed("rollback", "--before", "20240202000000_b")
      #expect(run.exit == 0 && run.stderr.contains("restore"), "\(run.stderr)")
    }
  }

  @Test(
    arguments: [
      "ALTER DATABASE COPY_ ALLOW_CONNECTIONS true; DELETE FROM orders; ALTER DATABASE COPY_ ALLOW_CONNECTIONS false",
      "DROP DATABASE COPY_; CREATE DATABASE COPY_ ALLOW_CONNECTIONS false",
      "ALTER DATABASE COPY_ ALLOW_CONNECTIONS true; DELETE FROM orders; DELETE FROM orders WHERE pg_stat_reset() IS NULL; "
        + "ALTER DATABASE COPY_ ALLOW_CONNECTIONS false",
      "ALTER DATABASE COPY_ SET work_mem = '9MB'", "REVOKE CONNECT ON DATABASE COPY_ FROM PUBLIC",
      "COMMENT ON DATABASE COPY_ IS 'another'",
    ], ["restored", "cloned"])
  func `one that was touched, or another in its place, is not used`(touch: String, mode: String) throws {
    try DeployBench.with(settings: ["standby_copy: \(mode)"]) { bench in
      try bench.deploy(Self.name, Self.script)
      let copy = try #require(try copies(bench).first)
      for sql in touch.replacing("COPY_", with: copy).split(separator: "; ") {
        _ = try sql.hasPrefix("DELETE") ? bench.psql(String(sql), database: copy) : bench.maintain(String(sql))
      }
      let run = try bench.confirmed("rollback")
      #expect(run.exit == 0, "\(run.stdout)")
      #expect(run.stderr.contains("restore"), "from the backup")
      #expect(try bench.psql("SELECT count(*) FROM orders") == "200")
    }
  }

  @Test(arguments: ["restored", "cloned"]) func `one that was touched before the server crashed is not used`(
    mode: String
  ) throws {
    let cluster = try TestCluster()
    defer { cluster.stop() }
    try DeployBench.with(cluster: cluster, settings: ["standby_copy: \(mode)"]) { bench in
      try bench.deploy(Self.name, Self.script)
      let copy = try #require(try copies(bench).first)
      try bench.maintain("ALTER DATABASE \(copy) ALLOW_CONNECTIONS true")
      try bench.psql("DELETE FROM orders", database: copy)
      try bench.maintain("ALTER DATABASE \(copy) ALLOW_CONNECTIONS false")
      cluster.kill()
      try cluster.start()
      #expect(try bench.confirmed("rollback").exit == 0)
      #expect(try bench.psql("SELECT count(*) FROM orders") == "200")
    }
  }

  @Test(arguments: ["restored", "cloned"]) func `where it cannot be made no migration is begun`(mode: String) throws {
    try DeployBench.with(settings: ["standby_copy: \(mode)"]) { bench in
      try bench.migration(Self.name, Self.script)
      let gid = "held_\(bench.database)"
      let tools = try StoppableTools(in: "\(bench.bench.folder)/tools", real: bench.cluster.binaries)
      if mode == "restored" {
        try tools.replace("pg_restore", "case \"$*\" in *' -f '*|'-l '*) exec \"$real\" \"$@\";; esac; kill -9 $$")
        try bench.writePolicy(more: "tools: {directory: \"\(tools.folder)\"}")
      } else {
        try bench.psql("BEGIN; INSERT INTO orders VALUES (999, 1, ''); PREPARE TRANSACTION '\(gid)'")
      }
      defer { _ = try? bench.psql("ROLLBACK PREPARED '\(gid)'") }
      let run = try bench.run("deploy", "--json", program: bench.spy)
      #expect(run.exit == 1, "\(run.stdout)")
      #expect(
        run.json.string("error", "code") == (mode == "restored" ? "child_failed" : "clone_failed"), "\(run.stdout)")
      #expect(!bench.spyWasRun)
      #expect(try bench.deploys().first?.state == .abandoned)
      #expect(try bench.databases() == [bench.database])
      try bench.expectNothingLeft()
    }
  }

  @Test(arguments: ["restored", "cloned"], ["resume", "abandon"])
  func `a deploy killed while it is made can be settled`(mode: String, ending: String) throws {
    try DeployBench.with(settings: ["standby_copy: \(mode)"]) { bench in
      try bench.writeCrashMigrations()
      // Before and with copying and copied.
      try bench.killing("deploy", at: CrashPoint.all(2..<4)) { point in
        #expect([.before, .half, .after].contains(try bench.seen()), "\(point.testDescription)")
        if try #require(try bench.deploys().first).isUnfinished {
          let run = try bench.confirmed(ending)
          #expect(run.exit == 0, "\(point.testDescription): \(run.stdout)")
          #expect(try bench.seen() == (ending == "resume" ? .after : .before), "\(point.testDescription)")
        }
        if ending == "resume" {
          #expect(try copies(bench).count == 1, "\(point.testDescription)")
        } else {
          #expect(try copies(bench) == [], "\(point.testDescription)")
        }
        try bench.expectNothingLeft("\(point.testDescription)")
        try bench.resetCrash()
        try FileManager.default.removeItem(atPath: "\(bench.bench.shelf)/deploys")
      }
    }
  }

  @Test(arguments: ["resume", "abandon"]) func `a killed rollback over it goes on with the backup`(ending: String)
    throws
  {
    try DeployBench.with(settings: ["standby_copy: restored"]) { bench in
      try bench.writeCrashMigrations()
      for point in CrashPoint.before(1..<4) {
        #expect(try bench.run("deploy").exit == 0)
        try bench.killing("rollback", at: [point]) { _ in
          guard try #require(try bench.deploys().first).isUnfinished else { return }
          let settled = try bench.confirmed(ending)
          #expect(settled.exit == 0, "\(point.testDescription): \(settled.stdout)")
          #expect(try bench.seen() == (ending == "resume" ? .before : .after), "\(point.testDescription)")
          if ending == "abandon" {
            let again = try bench.confirmed("rollback")
            #expect(again.exit == 0, "\(point.testDescription): \(again.stdout)")
          }
          #expect(try copies(bench) == [], "once opened it is not trusted any more")
          #expect(try bench.seen() == .before, "\(point.testDescription)")
          #expect(try bench.history().dropFirst() == DeployBench.crashed.map { "\($0)|f|t|t|0" }[...])
        }
        try bench.expectNothingLeft("\(point.testDescription)")
        try bench.resetCrash()
        try FileManager.default.removeItem(atPath: "\(bench.bench.shelf)/deploys")
      }
    }
  }

  @Test func `a killed rollback is resumed with the copy, or without it`() throws {
    for stop in ["appended journal.jsonl#1", "appended journal.jsonl#2"] {
      try DeployBench.with(settings: ["standby_copy: restored"]) { bench in
        let before = try bench.copy("was")
        try bench.deploy(Self.name, Self.script)
        try bench.startStepping("rollback", "--confirm", bench.database, at: stop).killAtStop()
        let run = try bench.confirmed("resume")
        #expect(run.exit == 0, "\(stop): \(run.stdout)")
        try bench.expectEqual(to: before)
        #expect(try copies(bench) == [])
        try bench.expectNothingLeft()
      }
    }
  }

  @Test func `the copy is the way back when the files of its snapshot are damaged`() throws {
    try DeployBench.with(settings: ["standby_copy: restored"]) { bench in
      let before = try bench.copy("was")
      try bench.deploy(Self.name, Self.script)
      let id = try #require(try bench.deploys().first?.backup)
      try Data().write(to: URL(fileURLWithPath: "\(bench.bench.path(of: id))/database.sql"))
      #expect(try bench.run("verify", id).exit == 65)
      #expect(try bench.run("status").stdout.contains("ready: a rename"))
      #expect(try bench.confirmed("rollback").exit == 0)
      try bench.expectEqual(to: before)
    }
  }
}
