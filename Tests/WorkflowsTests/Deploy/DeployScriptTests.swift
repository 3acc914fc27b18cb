import Foundation
import TestSupport
import Testing

/// What scripts do to their session, and how they fail.
@Suite struct DeployScriptTests {
  private static let name = "20240201000000_more"

  /// A script, whether it goes well, and what it leaves.
  struct Script: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var text: String
    /// Nil: it is applied.
    var failure: Failing?
    /// A query, and its answer.
    var leaves: [String: String]

    struct Failing: Sendable {
      var mentions: String
      var isAtomic: Bool
    }

    init(_ name: String, _ text: String, _ failure: Failing? = nil, leaves: [String: String] = [:]) {
      testDescription = name
      self.text = text
      self.failure = failure
      self.leaves = leaves
    }
  }

  private static let a = "SELECT to_regclass('public.a') IS NOT NULL"
  private static let index = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('public.i')"

  private static let sql =
    DeployBench.sql + """
      CREATE TYPE mood AS ENUM ('calm');
      CREATE TABLE parted (x int PRIMARY KEY) PARTITION BY RANGE (x);
      CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (9);
      CREATE PROCEDURE in_steps() LANGUAGE plpgsql AS 'BEGIN CREATE TABLE a (x int); COMMIT; END';
      """

  static let scripts: [Script] = [
    Script("empty", "-- This is an empty migration."),
    Script("no end of line, no semicolon", "CREATE TABLE a (x int)", leaves: [a: "t"]),
    Script("ends in a comment", "CREATE TABLE a (x int); -- done", leaves: [a: "t"]),
    Script(
      "an error", "CREATE TABLE a (x int);\nSELECT 1/0;", .init(mentions: "22012", isAtomic: true), leaves: [a: "f"]),
    Script(
      "a syntax error", "CREATE TABLE a (x int);\n\nCREATE TABEL b ();",
      .init(mentions: "migration.sql line 3: CREATE TABEL b ();", isAtomic: true), leaves: [a: "f"]),
    Script("no end of a quote", "CREATE TABLE a (x int); SELECT 'x", .init(mentions: "42601", isAtomic: false)),
    Script(
      "COMMIT, then an error", "CREATE TABLE a (x int); COMMIT; SELECT 1/0;",
      .init(mentions: "22012", isAtomic: false), leaves: [a: "t"]),
    Script("its own transaction", "BEGIN; CREATE TABLE a (x int); COMMIT;", leaves: [a: "t"]),
    Script(
      "an open transaction", "BEGIN; CREATE TABLE a (x int);",
      .init(mentions: "left a transaction open", isAtomic: false), leaves: [a: "f"]),
    Script(
      "an error in its own transaction", "BEGIN; CREATE TABLE a (x int); SELECT 1/0; COMMIT;",
      .init(mentions: "22012", isAtomic: false), leaves: [a: "f"]),
    Script("another search path", "SET search_path = nowhere; CREATE TABLE public.a (x int);", leaves: [a: "t"]),
    Script(
      "an error under another search path", "SELECT set_config('search_path', '', false); SELECT 1/0;",
      .init(mentions: "22012", isAtomic: true)),
    Script("another role", "CREATE TABLE a (x int); SET ROLE pg_monitor;", leaves: [a: "t"]),
    Script(
      "another user", "CREATE TABLE a (x int); SET SESSION AUTHORIZATION pg_monitor;", leaves: [a: "t"]),
    Script("an index built concurrently", "CREATE INDEX CONCURRENTLY i ON orders (note);", leaves: [index: "t"]),
    Script(
      "the same among others",
      "CREATE TABLE a (x int);\nCREATE INDEX CONCURRENTLY i ON orders (note);\nDROP VIEW busy;",
      leaves: [a: "t", index: "t", "SELECT to_regclass('busy') IS NULL": "t"]),
    Script(
      "an error after it", "CREATE TABLE a (x int);\nCREATE INDEX CONCURRENTLY i ON orders (note);\n\nSELECT 1/0;",
      .init(mentions: "2 statements before it were committed and stay.", isAtomic: false),
      leaves: [a: "t", index: "t"]),
    Script(
      "an index that cannot be built", "CREATE UNIQUE INDEX CONCURRENTLY i ON orders (note);",
      .init(mentions: "invalid index", isAtomic: false), leaves: [index: "f"]),
    Script("VACUUM", "VACUUM orders;"),
    Script(
      "a new value of an enum, used", "ALTER TYPE mood ADD VALUE 'angry';\nCREATE TABLE a (m mood DEFAULT 'angry');",
      leaves: [a: "t"]),
    Script(
      "a new value of an enum, not used", "ALTER TYPE mood ADD VALUE 'angry';\nCREATE TABLE a (x int);\nSELECT 1/0;",
      .init(mentions: "22012", isAtomic: true), leaves: [a: "f", "SELECT count(*) FROM pg_enum": "1"]),
    Script("a lone DISCARD ALL", "DISCARD ALL;", leaves: [:]),
    Script("a lone REINDEX of a partitioned table", "REINDEX TABLE parted;", leaves: [:]),
    Script(
      "a lone REINDEX that fails", "REINDEX TABLE nowhere;", .init(mentions: "42P01", isAtomic: true), leaves: [a: "f"]),
    Script("a NUL", "CREATE TABLE a (x int);\0", .init(mentions: "NUL", isAtomic: true), leaves: [a: "f"]),
    Script("a block that commits", "DO $$ BEGIN CREATE TABLE a (x int); COMMIT; END $$;", leaves: [a: "t"]),
    Script("a procedure that commits", "CALL in_steps();", leaves: [a: "t"]),
    Script(
      "a block that commits and fails", "DO $$ BEGIN CREATE TABLE a (x int); COMMIT; PERFORM 1/0; END $$;",
      .init(mentions: "22012", isAtomic: false), leaves: [a: "t"]),
    Script(
      "rows for COPY", "CREATE TABLE a (x int);\nCOPY a FROM stdin;\n1\n\\.\n",
      .init(mentions: "COPY", isAtomic: true), leaves: [a: "f"]),
  ]

  @Test func `scripts that go well, one after the other`() throws {
    try DeployBench.with(sql: Self.sql) { bench in
      let scripts = Self.scripts.filter { $0.failure == nil }
      for (number, script) in scripts.enumerated() {
        try bench.migration("\(20_240_201_000_000 + number)", script.text)
        // What each leaves goes before the next one.
        try bench.migration("\(20_240_201_000_000 + number)_looked_at", Self.look(for: script))
      }
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 0, "\(run.stdout)")
      #expect(try bench.history().allSatisfy { $0.hasSuffix("|t|f|f|1") })
      #expect(try bench.history().count == 1 + 2 * scripts.count)
      try bench.expectNothingLeft()
    }
  }

  /// A script that fails unless another one has left what it should, and takes it away.
  private static func look(for script: Script) -> String {
    let checks = script.leaves.map { query, answer in
      """
      IF (\(query))::text IS DISTINCT FROM '\(answer == "t" ? "true" : answer)' THEN
        RAISE 'not so after: \(script.testDescription)';
      END IF;
      """
    }
    return "DO $$ BEGIN \(checks.joined()) DROP TABLE IF EXISTS a; DROP INDEX IF EXISTS i; END $$;"
  }

  @Test(arguments: scripts.filter { $0.failure != nil }) func `a script that fails`(_ script: Script) throws {
    let failure = try #require(script.failure)
    try DeployBench.with(sql: Self.sql) { bench in
      try bench.migration(Self.name, script.text)
      let run = try bench.run("deploy", "--json")
      for (query, answer) in script.leaves { #expect(try bench.psql(query) == answer, "\(query)") }
      #expect(run.exit == 1)
      #expect(run.json.string("failed") == Self.name)
      #expect(run.json.string("error", "code") == "P3018")
      #expect(run.stdout.contains(failure.mentions), "\(run.stdout)")
      #expect(run.json.string("error", "next_step")?.contains("resolve") == failure.isAtomic)
      #expect(try bench.history().last == "\(Self.name)|f|f|t|0")
      let record = try #require(try bench.deploys().first)
      #expect(record.failed == Self.name)
      #expect(record.failedAtomically == failure.isAtomic)
      try bench.expectNothingLeft()
    }
  }

  /// A script that fails, and whether something of it may stay.
  @Test(arguments: [
    ("SELECT 1/0;", false), ("CREATE TABLE a (x int); COMMIT; SELECT 1/0;", true),
    ("CREATE TABLE a (x int);\nCREATE INDEX CONCURRENTLY i ON orders (note);\nSELECT 1/0;", true),
  ])
  func `resolve warns where statements of a failed script may stay`(script: String, stays: Bool) throws {
    try DeployBench.with { bench in
      try bench.migration(Self.name, script)
      #expect(try bench.run("deploy").exit == 1)
      let run = try bench.run("resolve", Self.name, "--rolled-back", "--json")
      #expect(run.exit == 0 && run.json.string("state") == "rolled-back", "\(run.stdout)")
      let warnings = run.json.array("warnings") as? [String]
      let warning = "statements of it may stay in the database; holdfast rollback removes them"
      #expect(warnings == (stays ? [warning] : []), "\(run.stdout)")
      #expect(run.stderr.contains("warning: \(warning)\n") == stays, "\(run.stderr)")
      guard stays else { return }
      #expect(try bench.confirmed("rollback").exit == 0)
      #expect(try bench.psql("SELECT to_regclass('a')").isEmpty)
    }
  }
}
