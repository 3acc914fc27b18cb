import Foundation
import TestSupport
import Testing

/// Every command in a database of traps, as every role. `CLUSTER_BIN` and `PATH` name the programs of another major.
@Suite struct TenantWalkTests {
  struct Walk: CustomTestStringConvertible {
    var user: String
    var trustsOwner: Bool
    var testDescription: String { "\(user), trust_owner: \(trustsOwner)" }
  }

  /// With `trust_owner` a superuser's restores run the owner's functions, as documented: they come last, and nobody looks.
  @Test(arguments: [
    Walk(user: "postgres", trustsOwner: false), Walk(user: "postgres", trustsOwner: true),
    Walk(user: "reader", trustsOwner: true), Walk(user: "tenant", trustsOwner: true),
  ])
  func `no command runs a function of the owner's with another's rights`(walk: Walk) throws {
    try TenantBench.with { deploy, sightings in
      try prepare(deploy, walk)
      for command in Self.commands(deploy) {
        if walk.trustsOwner, walk.user == "postgres", Self.restoring.contains(command[0]) || command.contains("--deep")
        {
          continue
        }
        let run = try ProgramRun(running: deploy.command(command), within: 120)
        let expected = Self.works(command, walk) ? [0, 2] : Self.documented
        #expect(expected.contains(run.exit), "\(command): \(run.exit) \(run.stdout)\(run.stderr)")
        #expect(try sightings() == ["tenant"], "\(command): \(run.stdout)\(run.stderr)")
        // No name or comment makes a line, or a control character.
        let lines = (run.stdout + run.stderr).split(separator: "\n")
        #expect(!lines.contains { $0.hasPrefix("  you lose    nothing") }, "\(command): \(run.stdout)\(run.stderr)")
        #expect(!(run.stdout + run.stderr).unicodeScalars.contains { ["\u{1B}", "\u{7}", "\u{202E}"].contains($0) })
      }
      guard walk.user != "reader" else { return }
      #expect(try deploy.psql("SELECT count(*) FROM ONLY public.t") == "50", "the walk has left the database as it was")
    }
  }

  /// The same where the history is no table, or is one that another one has its rows from.
  @Test(arguments: [
    "ALTER TABLE _prisma_migrations RENAME TO h; CREATE VIEW _prisma_migrations AS SELECT h.*, trap(1) AS more FROM h",
    "CREATE TABLE heir () INHERITS (_prisma_migrations); CREATE INDEX ON heir (trap(applied_steps_count))",
    "ALTER TABLE _prisma_migrations ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON _prisma_migrations USING (trap(id))",
    "ALTER TABLE _prisma_migrations ALTER started_at DROP DEFAULT, ALTER started_at TYPE mood USING 'a'",
    "ALTER TABLE _prisma_migrations ALTER id TYPE text; ALTER TABLE _prisma_migrations ADD CHECK (trap(id))",
  ])
  func `no command is led by another kind of history`(trap: String) throws {
    try TenantBench.with { deploy, sightings in
      try prepare(deploy, Walk(user: "postgres", trustsOwner: false))
      try deploy.cluster.psql(trap, database: deploy.database, user: "tenant")
      for command in Self.commands(deploy) where !["restore", "verify", "export"].contains(command[0]) {
        let run = try ProgramRun(running: deploy.command(command), within: 120)
        #expect(Self.documented.contains(run.exit), "\(command): \(run.exit) \(run.stdout)\(run.stderr)")
        #expect(try sightings() == ["tenant"], "\(command): \(run.stdout)\(run.stderr)")
      }
    }
  }

  private func prepare(_ deploy: DeployBench, _ walk: Walk) throws {
    try deploy.cluster.psql(
      TenantBench.moreTraps + TenantBench.historyTraps, database: deploy.database, user: "tenant")
    let name = deploy.database
    try deploy.cluster.psql(
      "ALTER DATABASE \(name) SET search_path = evil, public; COMMENT ON DATABASE \(name) IS E'\\033[31m\\nhint: x'",
      user: "tenant")
    try deploy.migration("20240201000000_more", "CREATE TABLE public.more (a int);")
    let tools = ProcessInfo.processInfo.environment["CLUSTER_BIN"].map { "tools: {directory: \"\($0)\"}\n" } ?? ""
    try deploy.writePolicy(
      url: deploy.cluster.url(name, user: walk.user), more: "\(tools)trust_owner: \(walk.trustsOwner)")
  }

  private static let restoring: Set<String> = [
    "restore", "snapshot", "deploy", "rollback", "undo", "resume", "abandon",
  ]

  /// What has to be done whatever the owner has made, and is not refused: reading, and everything as the owner.
  private static func works(_ command: [String], _ walk: Walk) -> Bool {
    let reading: Set<String> = [
      "check", "backup", "list", "show", "verify", "export", "hold", "release", "status", "migrations",
    ]
    if reading.contains(command[0]) { return !command.contains("--deep") }
    return walk.user == "tenant" && ["restore", "snapshot"].contains(command[0])
  }

  private static let documented: Set<Int32> = [0, 1, 2, 64, 65, 66, 69, 73, 74, 75, 77, 78]

  /// All commands that look at a database or a backup.
  private static func commands(_ deploy: DeployBench) -> [[String]] {
    let database = deploy.database
    let confirmed = ["--confirm", database]
    return [
      ["check"], ["backup", "--create-repository"], ["list"], ["show", "latest"], ["verify", "latest"],
      ["verify", "--all"],
      ["export", "latest", "--output", "\(deploy.bench.folder)/out.sql"], ["hold", "latest"], ["release", "latest"],
      ["status"],
      ["status", "--json"],
      ["migrations"], ["baseline", "--to", DeployBench.first], ["baseline", "--undo"],
      ["resolve", "20240201000000_more", "--applied"], ["resolve", "20240201000000_more", "--rolled-back"],
      ["rollback", "--plan", "--to", "latest"], ["check", "--deep"],
      ["restore", "latest", "--into", "\(database)_whole"],
      ["restore", "latest", "--into", "\(database)_rows", "--verify", "rows"],
      ["restore", "latest", "--into", "\(database)_table", "--table", "public.t"], ["snapshot"], ["deploy"],
      ["rollback"] + confirmed, ["undo"] + confirmed, ["resume"] + confirmed, ["abandon"] + confirmed,
      ["prune", "--confirm"],
      ["remove", "latest", "--confirm"],
    ]
  }
}
