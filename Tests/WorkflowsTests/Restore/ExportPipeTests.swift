import Foundation
import PostgresTools
import TestSupport
import Testing

/// `holdfast export` into pipes that are not read at once.
@Suite struct ExportPipeTests {
  private static let table = "CREATE TABLE t AS SELECT i, repeat('x', 1000) FROM generate_series(1, 2000) i"

  /// Without the key of psql's `\restrict`, which is another one each time.
  private static let sum = "grep -v restrict | sha256sum"

  @Test func `one that nobody reads ends when it is told to, and leaves nothing`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let id = try bench.backUp()
      let temporary = "\(bench.folder)/temporary"
      try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true)
      let command = ProgramRun.command(["export", id, "--policies", bench.policies], ["TMPDIR": temporary])
      let run = try ChildProcess(starting: command, capturesOutput: true)
      try waitUntil("the pipe is full") { try bytesWaiting(in: run) >= 60_000 }
      let end = try run.end(bySending: SIGTERM)
      #expect(end.exit.status == .exited(143), "\(end.exit.standardError)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: temporary).isEmpty)
    }
  }

  @Test func `a terminal that is not read does not keep it from ending`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let id = try bench.backUp()
      let terminal = try Terminal()
      let export = "'\(SourceTree.program)' --quiet export \(id) --policies '\(bench.policies)'"
      let run = try shell("timeout -k 10 -s TERM 3 \(export) > \(terminal.path)", in: bench.folder)
      #expect(run.exit == 124, "it had to be killed: \(run.stderr)")
    }
  }

  private func bytesWaiting(in run: ChildProcess) throws -> Int32 {
    var count: Int32 = 0
    #expect(ioctl(try #require(run.output), UInt(FIONREAD), &count) == 0)
    return count
  }

  @Test func `a reader that ends before the end is told as that`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let id = try bench.backUp()
      let export = "'\(SourceTree.program)' --quiet export \(id) --policies '\(bench.policies)'"
      let run = try shell("set -o pipefail; \(export) | head -n 3", in: bench.folder)
      #expect(run.exit == 73, "\(run.stderr)")
      #expect(
        run.stderr.contains("error: writing stdout: what reads it has ended before the end of it"), "\(run.stderr)")
    }
  }

  @Test func `what a newer pg_dump wrote of an older server can be loaded into that server`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let line = "SET transaction_timeout = 0;"
      let tools = try StoppableTools(in: "\(bench.folder)/tools", real: bench.cluster.binaries)
      try tools.replace("pg_dump", "\"$real\" \"$@\" | sed 's/^SET lock_timeout = 0;$/&\\n\(line)/'")
      try bench.writePolicy(more: "backup: {format: plain, globals: false}\ntools: {directory: \"\(tools.folder)\"}")
      let id = try bench.backUp()
      let stored = try shell("zstd -dc '\(bench.path(of: id))/data.sql.zst' | grep -c '^\(line)'", in: bench.folder)
      #expect(stored.stdout == "1\n", "\(stored.stdout)\(stored.stderr)")
      let sql = try bench.holdfast("export", id, "--output", "\(bench.folder)/export.sql")
      #expect(sql.exit == 0, "\(sql.stderr)")
      let copy = bench.newDatabaseName()
      try bench.createDatabase(copy)
      try bench.cluster.psql(file: "\(bench.folder)/export.sql", database: copy)
      #expect(try bench.differences(copy) == "")
    }
  }

  @Test func `a slow reader gets it whole, also by a pipe that waits for nobody`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let id = try bench.backUp()
      let export = "'\(SourceTree.program)' --quiet export \(id) --policies '\(bench.policies)'"
      let nonBlocking = "perl -e 'use Fcntl; fcntl(STDOUT, F_SETFL, O_WRONLY | O_NONBLOCK); exec @ARGV'"
      let sums = try ["", nonBlocking].map { prefix in
        try shell("set -o pipefail; \(prefix) \(export) | { sleep 1; \(Self.sum); }", in: bench.folder)
      }
      #expect(sums.allSatisfy { $0.exit == 0 }, "\(sums.map(\.stderr))")
      #expect(sums[0].stdout == sums[1].stdout)
      let file = try shell("\(export) --output export.sql && cat export.sql | \(Self.sum)", in: bench.folder)
      #expect(file.stdout.hasSuffix(sums[0].stdout), "\(file.stdout)\(file.stderr)")
    }
  }
}
