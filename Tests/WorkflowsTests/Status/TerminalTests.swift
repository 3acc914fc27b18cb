import Diagnostics
import Foundation
import PostgresTools
import TestSupport
import Testing

/// A person at a terminal.
@Suite struct TerminalTests {
  @Test func `the question for the database's name can be answered, and interrupted`() throws {
    try DeployBench.with { bench in
      try bench.deploy("20240201000000_more", "CREATE TABLE more (a int);")
      let terminal = try Terminal()
      let first = try terminal.start(bench.command(["rollback"]))
      try waitUntil("it asks") { terminal.shows("to continue: ") }
      let (exit, seconds) = try first.end(bySending: SIGINT)
      #expect(exit.code == 130)
      #expect(seconds < 60)
      #expect(try bench.psql("SELECT to_regclass('more')") == "more")

      let second = try terminal.start(bench.command(["rollback"]))
      terminal.type("\(bench.database)\n")
      let end = try second.end()
      #expect(end.succeeded)
      #expect(try bench.psql("SELECT to_regclass('more')").isEmpty)
      try bench.expectNothingLeft()
    }
  }
}
