import Foundation
import PostgresTools
import TestSupport
import Testing

/// Every step of a workflow, one after the other: the run is killed there. Afterwards only whole states are there, nothing is left that the next
/// run does not sweep, and the next run succeeds.
@Suite struct CrashTableTests {
  private static let sql = """
    CREATE TABLE customers (id serial PRIMARY KEY, name text);
    INSERT INTO customers (name) SELECT 'customer ' || i FROM generate_series(1, 50) i; SELECT lo_from_bytea(0, 'one');
    """

  @Test(arguments: ["directory", "custom", "plain"]) func `a backup killed at any step`(format: String) throws {
    try CrashBench.with(
      sql: Self.sql, policy: "backup: {format: \(format)}\nretention: {keep_last: 2, minimum_verified: 1}"
    ) { crash in
      for _ in 0..<2 { try crash.backUp() }
      let steps = try walk(crash.command(["backup"]), notesIn: crash.bench.folder) { run, step in
        try run.kill()
        try crash.expectOnlyWholeStates("killed at \(step)")
        #expect(try crash.listed().count >= 2, "killed at \(step)")
      }
      for wanted in ["dump#1", "write manifest.json#1", "rename the backup#1", "append verifications.jsonl#1"] {
        #expect(steps.contains(wanted), "\(steps)")
      }
      #expect(
        steps.contains { $0.hasPrefix("hide the backup") } && steps.contains { $0.hasPrefix("remove the backup") })
      try crash.backUp()
      #expect(crash.leavings().isEmpty)
      #expect(try crash.listed().count == 2)
      try crash.expectAllProven()
    }
  }

  @Test(arguments: ["directory", "custom", "plain"]) func `a restore killed at any step`(format: String) throws {
    try CrashBench.with(sql: Self.sql, policy: "backup: {format: \(format)}") { crash in
      let (id, copy) = (try crash.backUp(), crash.bench.newDatabaseName())
      let steps = try walk(
        crash.command(["restore", id, "--into", copy]), notesIn: crash.bench.folder,
        reset: { try crash.cluster.psql("DROP DATABASE IF EXISTS \"\(copy)\" WITH (FORCE)") }
      ) { run, step in
        try run.kill()
        // The name stands for a whole database, or for none.
        if try crash.databases().contains(copy) {
          let isLater = ["audit", "verifications"].contains { step.contains($0) }
          #expect(step.hasPrefix("published") || isLater, "killed at \(step)")
          #expect(try crash.cluster.psql("SELECT count(*) FROM customers", database: copy) == "50")
          try crash.cluster.psql("DROP DATABASE \"\(copy)\" WITH (FORCE)")
        }
        try crash.expectOnlyWholeStates("killed at \(step)")
      }
      for wanted in ["create the database#1", "mark the database#1", "fill the database#1", "commit the database#1"] {
        #expect(steps.contains(wanted), "\(steps)")
      }
      #expect(try crash.run("restore", id, "--into", copy).exit == 0)
      #expect(try crash.databases() == [copy], "the last run swept what the killed ones left")
      #expect(crash.leavings().isEmpty)
    }
  }

  @Test func `a verification killed at any step`() throws {
    try CrashBench.with(sql: Self.sql) { crash in
      let id = try crash.backUp()
      try walk(crash.command(["verify", id]), notesIn: crash.bench.folder) { run, step in
        try run.kill()
        try crash.expectOnlyWholeStates("killed at \(step)")
      }
      try crash.expectAllProven()
      #expect(crash.leavings().isEmpty)
    }
  }

  @Test func `a rollback killed at any step is resumed to its end`() throws {
    try DeployBench.with { bench in
      try bench.writeCrashMigrations()
      #expect(try bench.run("deploy").exit == 0)
      func undo() throws {
        #expect(try bench.confirmed("undo").exit == 0)
        bench.dropCopies()
      }
      try walk(
        bench.command(["rollback", "--confirm", bench.database]), notesIn: bench.bench.folder, reset: undo
      ) { run, step in
        try run.kill()
        try bench.settleRollback("killed at \(step)")
      }
      #expect(try bench.confirmed("rollback").exit == 0)
      #expect(try bench.seen() == .before)
    }
  }

  @Test func `a deploy killed at any step is resumed to its end`() throws {
    try DeployBench.with { bench in
      try bench.writeCrashMigrations()
      #expect(try bench.run("backup").exit == 0, "makes the repository")
      try walk(bench.command(["deploy"]), notesIn: bench.bench.folder, reset: { try bench.resetCrash() }) { run, step in
        try run.kill()
        try bench.settleDeploy("killed at \(step)")
      }
    }
  }

  @Test func `a pruning killed at any step`() throws {
    try CrashBench.with(sql: Self.sql) { crash in
      func fill() throws {
        try crash.bench.writePolicy()
        while try crash.listed().count < 3 { try crash.backUp() }
        try crash.bench.writePolicy(more: "retention: {keep_last: 1, minimum_verified: 1}")
      }
      try fill()
      let steps = try walk(crash.command(["prune", "--confirm"]), notesIn: crash.bench.folder, reset: fill) {
        run, step in
        try run.kill()
        try crash.expectOnlyWholeStates("killed at \(step)")
        #expect(try crash.listed().count >= 1, "killed at \(step)")
        #expect(try crash.run("prune", "--confirm").exit == 0, "killed at \(step)")
        #expect(try crash.listed().count == 1 && crash.leavings().isEmpty, "killed at \(step)")
        try fill()
      }
      #expect(steps.contains { $0.hasPrefix("hide the backup") })
    }
  }

  @Test(arguments: ["directory", "plain"]) func `an export killed at any step`(format: String) throws {
    try CrashBench.with(sql: Self.sql, policy: "backup: {format: \(format)}") { crash in
      let (id, folder) = (try crash.backUp(), "\(crash.bench.folder)/out")
      let file = "\(folder)/app.sql"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
      var bytes: Int?
      let steps = try walk(
        crash.command(["export", id, "--output", file]), notesIn: crash.bench.folder,
        reset: {
          bytes = FileManager.default.contents(atPath: file)?.count
          try FileManager.default.removeItem(atPath: file)
        }
      ) { run, step in
        try run.kill()
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(names == [] || names == ["app.sql"], "killed at \(step)")
        if !names.isEmpty {
          #expect(FileManager.default.contents(atPath: file)?.count == bytes, "killed at \(step)")
          try FileManager.default.removeItem(atPath: file)
        }
      }
      #expect(steps.contains("publish the export#1") && steps.contains("published the export#1"), "\(steps)")
    }
  }
}
