import BackupModel
import Foundation
import PostgresTools
import TestSupport
import Testing

/// A deploy by another program: its output streams through, and the history is believed, not its exit.
@Suite struct DeployCommandTests {
  private static let name = "20240201000000_more"

  private func insert(finished: String = "now()", logs: String = "NULL") -> String {
    """
    INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, logs, applied_steps_count)
    VALUES (gen_random_uuid(), '', '\(Self.name)', \(finished), \(logs), 1)
    """
  }

  private func withPending(settings: [String] = [], _ body: (DeployBench) throws -> Void) throws {
    try DeployBench.with(settings: settings) { bench in
      try bench.migration(Self.name, "CREATE TABLE more (a int);")
      try body(bench)
      try bench.expectNothingLeft()
    }
  }

  @Test func `what it prints streams through, and what it applied is read from the history`() throws {
    try withPending { bench in
      let script = "echo to stdout; echo to stderr >&2; \(bench.psqlCommand(insert()))"
      let run = try bench.run("deploy", "--json", program: ["/bin/sh", "-c", script])
      #expect(run.exit == 0, "\(run.stdout)")
      #expect(run.json.string("state") == "applied")
      #expect(run.json.array("applied") as? [String] == [Self.name])
      #expect(run.stderr.contains("to stdout\n"))
      #expect(run.stderr.contains("to stderr\n"))
      let record = try #require(try bench.deploys().first)
      #expect(record.state == .applied)
      #expect(record.byCommand)
    }
  }

  @Test func `the policy's command is used, found in PATH, and what stands after -- goes before it`() throws {
    try withPending(settings: ["command: [sh, -c, 'echo by the policy; exit 3']"]) { bench in
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 1)
      #expect(run.stderr.contains("by the policy"))
      #expect(run.json.string("error", "why")?.contains("exit 3") == true)
      #expect(try bench.run("deploy", program: ["sh", "-c", bench.psqlCommand(insert())]).exit == 0)
    }
  }

  @Test func `Holdfast writes no core file, and programs of the user's may as before`() throws {
    try withPending { bench in
      let limited = "ulimit -S -c 100 && exec \"$0\" \"$@\""
      func command(_ words: [String]) -> ChildCommand {
        var command = bench.command(words)
        command.arguments = ["-c", limited, SourceTree.program] + command.arguments
        command.executable = "/bin/bash"
        return command
      }
      let run = try SteppedRun(command(["backup"]), at: "write database.sql", notesIn: bench.bench.folder)
      #expect(try run.reach() != nil)
      let limits = try String(contentsOfFile: "/proc/\(run.process.pid)/limits", encoding: .utf8)
      #expect(limits.contains(#/Max core file size +[01] /#), "\(limits)")
      #expect(try run.end().code == 0)
      let script = "echo core $(ulimit -S -c); \(bench.psqlCommand(insert()))"
      let deploy = try ProgramRun(running: command(["deploy", "--", "bash", "-c", script]))
      #expect(deploy.exit == 0 && deploy.stderr.contains("core 100"), "\(deploy.stderr)")
    }
  }

  @Test func `programs of the user's make files for whom its user lets read them, and Holdfast's stay private`() throws
  {
    try withPending(settings: ["health_checks: [{command: [sh, -c, 'echo check $(umask)']}]"]) { bench in
      let made = "\(bench.bench.folder)/made"
      let script = "echo command $(umask); : > '\(made)'; \(bench.psqlCommand(insert()))"
      var command = bench.command(["deploy", "--", "sh", "-c", script])
      command.umask = 0o027
      let run = try ProgramRun(running: command)
      #expect(
        run.exit == 0 && run.stderr.contains("command 0027") && run.stderr.contains("check 0027"), "\(run.stderr)")
      var status = stat()
      #expect(stat(made, &status) == 0 && status.st_mode & 0o777 == 0o640)
      let id = try #require(try bench.deploys().first?.backup)
      #expect(stat("\(bench.bench.path(of: id))/manifest.json", &status) == 0 && status.st_mode & 0o777 == 0o600)
    }
  }

  @Test func `commands of the user's get the environment that Holdfast was started with, libpq's variables too`() throws
  {
    try withPending(settings: ["health_checks: [{command: [sh, -c, 'echo check $PGAPPNAME']}]"]) { bench in
      let script = "echo command $PGAPPNAME; \(bench.psqlCommand(insert()))"
      let run = try bench.run("deploy", "--", "sh", "-c", script, environment: ["PGAPPNAME": "mine"])
      #expect(run.exit == 0, "\(run.stderr)")
      #expect(run.stderr.contains("command mine\n"))
      #expect(run.stderr.contains("check mine\n"))
    }
  }

  @Test(arguments: [
    "{sql: SELECT pg_sleep(600) IS NULL}", "{sql: SET statement_timeout = 0; SELECT pg_sleep(600) IS NULL}",
    "{command: [sleep, '600']}",
  ])
  func `a health check that does not end is ended, and the deploy's lock goes`(check: String) throws {
    try withPending(settings: ["health_checks: [\(check)]", "health_check_timeout: 1s"]) { bench in
      let start = Date()
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 1)
      #expect(run.json.string("error", "code") == "health_check_failed")
      let why = "it still ran after migrations.health_check_timeout (1 s), and was ended"
      #expect(run.json.string("error", "why") == why, "\(run.stdout)")
      #expect(Date().timeIntervalSince(start) < 60)
      #expect(try bench.deploys().first?.state == .failed)
      try bench.set([])
      #expect(try bench.run("deploy").exit == 0)
    }
  }

  /// It may start the application, whose entry looks for pending migrations itself.
  @Test func `a health check finds Prisma's lock free`() throws {
    try withPending(settings: ["health_checks: [{sql: SELECT pg_try_advisory_lock(72707369)}]"]) { bench in
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 0, "\(run.stdout)")
    }
  }

  /// It does not hear SIGTERM.
  @Test func `a command that does not end is ended with all that it started, and says what to do`() throws {
    let settings = ["command: [sh, -c, \"trap '' TERM; sleep 601 & sleep 600\"]", "command_timeout: 1s"]
    try withPending(settings: settings) { bench in
      let start = Date()
      let run = try bench.run("deploy", "--json")
      #expect(run.exit == 1)
      #expect(run.json.string("error", "code") == "command_timed_out", "\(run.stdout)")
      #expect(run.json.string("error", "why")?.contains("after 1 s") == true)
      #expect(run.json.string("error", "next_step")?.contains("migrations.command_timeout") == true)
      #expect(Date().timeIntervalSince(start) < 60)
      #expect(try bench.deploys().first?.state == .failed)
      #expect(try bench.run("deploy", program: ["sh", "-c", bench.psqlCommand(insert())]).exit == 0)
    }
  }

  @Test func `exit 0 with nothing applied is a failure`() throws {
    try withPending { bench in
      let run = try bench.run("deploy", "--json", program: bench.spy)
      #expect(bench.spyWasRun, "the spy of the other tests works")
      #expect(run.exit == 1)
      #expect(run.json.string("error", "code") == "nothing_applied")
      #expect(run.json.string("error", "why")?.contains(Self.name) == true)
      #expect(try bench.deploys().first?.state == .failed)
    }
  }

  @Test func `exit 0 with a failed row is a failure, with its logs`() throws {
    try withPending { bench in
      let script = bench.psqlCommand(insert(finished: "NULL", logs: "'it broke'"))
      let run = try bench.run("deploy", "--json", program: ["sh", "-c", script])
      #expect(run.exit == 1)
      #expect(run.json.string("error", "code") == "P3018")
      #expect(run.json.array("error", "details") as? [String] == ["it broke"])
      #expect(run.json.string("failed") == Self.name)
      let record = try #require(try bench.deploys().first)
      #expect(record.state == .failed)
      #expect(!record.failedAtomically, "nobody knows how the program ran the script")
    }
  }

  @Test func `another exit is a failure although everything was applied`() throws {
    try withPending { bench in
      let run = try bench.run("deploy", "--json", program: ["sh", "-c", "\(bench.psqlCommand(insert())); exit 4"])
      #expect(run.exit == 1)
      #expect(run.json.string("error", "code") == "command_failed")
      #expect(run.json.array("applied") as? [String] == [Self.name])
      #expect(try bench.deploys().first?.state == .failed)
    }
  }

  @Test func `a program that is not there is noticed before anything is done`() throws {
    try withPending { bench in
      for program in ["no-such-program", "/no/such/program"] {
        let run = try bench.run("deploy", "--json", program: [program])
        #expect(run.exit == 69)
        #expect(run.json.string("error", "code") == "command_missing")
      }
      #expect(try bench.backups() == [])
      #expect(try bench.deploys() == [])
    }
  }

  @Test func `an interrupt ends its whole process group, and the history is read all the same`() throws {
    try withPending { bench in
      let note = "\(bench.bench.folder)/pids"
      let script = """
        trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $$ $! > '\(note).new'
        \(bench.psqlCommand(insert())); mv '\(note).new' '\(note)'
        while :; do sleep 1; done
        """
      let deploy = try bench.start("deploy", program: ["sh", "-c", script])
      try waitUntil("the program runs") { access(note, F_OK) == 0 }
      let pids = try String(contentsOfFile: note, encoding: .utf8).split(whereSeparator: \.isWhitespace)
      let end = try deploy.end(bySending: SIGINT)
      #expect(end.exit.code == 130, "\(end.exit.standardError)")
      #expect(pids.count == 2)
      for pid in pids.compactMap({ pid_t($0) }) {
        try waitUntil("process \(pid) is gone") { kill(pid, 0) != 0 }
      }
      let record = try #require(try bench.deploys().first)
      #expect(record.state == .failed)
      #expect(record.applied == [Self.name])
    }
  }
}
