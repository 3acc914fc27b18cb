import BackupModel
import Foundation
import TestSupport
import Testing

/// Without a proven snapshot no migration is begun: a program in the migrations' place, which notes that it was run, proves it.
@Suite struct DeploySnapshotTests {
  private static let name = "20240201000000_more"

  /// Something that goes wrong with a tool, and what the deploy ends with.
  struct Harm: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var tool = "pg_dump"
    var script: String
    var exit: Int32
  }

  /// Copies all data files but the largest, of which half arrives.
  private static let halfOfIt = """
    "$real" "$@" -f "$here/staged" || exit
    largest=$(ls -S "$here"/staged | grep -v toc | head -n 1)
    for file in $(ls "$here"/staged | grep -v "$largest"); do cp "$here/staged/$file" "$target"; done
    head -c $(($(wc -c < "$here/staged/$largest") / 2)) "$here/staged/$largest" > "$target/$largest"
    """

  static let harms: [Harm] = [
    Harm(testDescription: "fails at once", script: "echo 'no' >&2; exit 1", exit: 1),
    Harm(testDescription: "fails after all of it", script: "\"$real\" \"$@\"; exit 1", exit: 1),
    Harm(testDescription: "succeeds without doing anything", script: "exit 0", exit: 65),
    Harm(testDescription: "succeeds with half the bytes", script: halfOfIt, exit: 65),
    Harm(testDescription: "is killed", script: "\"$real\" \"$@\"; kill -9 $$", exit: 1),
    Harm(
      testDescription: "cannot read the contents", tool: "pg_restore",
      script: "echo 'pg_restore: error: no' >&2; exit 1", exit: 65),
    Harm(
      testDescription: "has a byte changed afterwards", tool: "pg_restore",
      script: """
        for file in "$here"/../backups/app/.partial-*/data/*.zst; do
          [ -e "$file" ] && printf 'X' | dd of="$file" bs=1 seek=20 conv=notrunc 2> /dev/null
        done
        exec "$real" "$@"
        """, exit: 65),
    Harm(
      testDescription: "loses the deploy's session", tool: "pg_restore",
      script: """
        "$(dirname "$real")/psql" -XAtq -d postgres -c \
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast deploy'
            AND datname = '$DATABASE'" > /dev/null
        exec "$real" "$@"
        """, exit: 69),
  ]

  private static let largeTable =
    DeployBench.sql + "CREATE TABLE large AS SELECT n, md5(n::text) AS s FROM generate_series(1, 3000) n;"

  @Test(arguments: harms) func `the migration is not begun when the tool`(_ harm: Harm) throws {
    try DeployBench.with(sql: Self.largeTable) { bench in
      let tools = try StoppableTools(in: "\(bench.bench.folder)/tools", real: bench.cluster.binaries)
      let connection = "export PGHOST='\(bench.cluster.socket)' PGPORT=\(bench.cluster.port) PGUSER=postgres"
      try tools.replace(
        harm.tool,
        harm.tool == "pg_restore" ? "DATABASE='\(bench.database)'\n\(connection)\n\(harm.script)" : harm.script)
      try bench.writePolicy(more: "tools: {directory: \"\(tools.folder)\"}")
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      try expectNotSpawned(bench, exit: harm.exit)
      try expectNotApplied(bench)
    }
  }

  @Test(.enabled(if: SmallDisk.isToBeTested, "needs root, or name spaces for users"))
  func `the migration is not begun when the disk is full`() throws {
    try DeployBench.with(sql: Self.largeTable) { bench in
      let disk = try SmallDisk.holdingRepository(at: bench.bench.repository, bytes: 4 << 20)
      try disk.fill(leaving: 40 << 10)
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      let run = try ProgramRun(running: disk.command(bench.command(["deploy", "--json", "--"] + bench.spy)))
      #expect(run.exit == 73, "\(run.stdout)")
      #expect(!bench.spyWasRun)
      #expect(try bench.history() == [DeployBench.firstRow])
      try bench.expectNothingLeft()
    }
  }

  @Test func `the migration is not begun while another session holds the deploy lock, and that one is named`() throws {
    try DeployBench.with { bench in
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      try bench.cluster.holding("SELECT pg_advisory_lock(1751084132, 1)", database: bench.database) {
        let run = try bench.run("deploy", "--json", program: bench.spy)
        #expect(run.exit == 75)
        #expect(run.json.string("error", "code") == "locked")
        #expect(run.json.string("error", "why")?.contains(/pid \d+ \(other-\d+\)/) == true, "\(run.stdout)")
        #expect(!bench.spyWasRun)
        #expect(try bench.backups() == [])
      }
      #expect(try bench.run("deploy").exit == 0)
    }
  }

  @Test func `the migration is not begun while a backup runs`() throws {
    try DeployBench.with { bench in
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      let tools = try StoppableTools(in: "\(bench.bench.folder)/tools", real: bench.cluster.binaries)
      try bench.writePolicy(more: "tools: {directory: \"\(tools.folder)\"}")
      let moment = StoppableTools.Moment("pg_dump.end")
      try tools.arm(moment)
      let backup = try bench.start("backup")
      try tools.reach(moment)
      let run = try bench.run("deploy", "--json", program: bench.spy)
      #expect(run.exit == 75)
      #expect(run.json.string("error", "why")?.contains("holdfast backup") == true, "\(run.stdout)")
      #expect(!bench.spyWasRun)
      try tools.release(moment)
      tools.disarm(moment)
      #expect(try backup.end().succeeded)
    }
  }

  @Test func `an interrupted snapshot begins no migration, and leaves nothing`() throws {
    try DeployBench.with { bench in
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      let tools = try StoppableTools(in: "\(bench.bench.folder)/tools", real: bench.cluster.binaries)
      try bench.writePolicy(more: "tools: {directory: \"\(tools.folder)\"}")
      let moment = StoppableTools.Moment("pg_dump.end")
      try tools.arm(moment)
      let deploy = try bench.start("deploy", program: bench.spy)
      try tools.reach(moment)
      #expect(try deploy.end(bySending: SIGTERM).exit.code == 143)
      tools.disarm(moment)
      #expect(!bench.spyWasRun)
      try expectNotApplied(bench)
    }
  }

  // MARK: What holds in every case

  private func expectNotSpawned(_ bench: DeployBench, exit: Int32) throws {
    let run = try bench.run("deploy", "--json", program: bench.spy)
    #expect(run.exit == exit, "\(run.stdout)")
    let details = run.json.array("error", "details") as? [String] ?? []
    #expect(details.contains { $0.hasPrefix("No migration was run") }, "\(run.stdout)")
    #expect(!bench.spyWasRun)
  }

  private func expectNotApplied(_ bench: DeployBench) throws {
    #expect(try bench.history() == [DeployBench.firstRow])
    #expect(try bench.psql("SELECT to_regclass('more')").isEmpty)
    let record = try #require(try bench.deploys().first)
    #expect(record.state == .abandoned)
    #expect(record.backup == nil)
    try bench.expectNothingLeft()
  }
}
