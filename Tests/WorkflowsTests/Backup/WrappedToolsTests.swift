import Foundation
import PostgresTools
import TestSupport
import Testing

/// PostgreSQL's programs behind `docker exec`, played by a program that has no file of ours, another environment, and open eyes.
@Suite struct WrappedToolsTests {
  private static let sql = """
    CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 500) i;
    """
  private static let password = "pass word's"

  /// Writes the stand-in, and a policy that uses it.
  private func withWrapper(_ backup: String, _ body: (Workbench, _ policy: (String) throws -> Void) throws -> Void)
    throws
  {
    try Workbench.with(sql: Self.sql) { bench in
      let docker = "\(bench.folder)/docker"
      let script = """
        #!/bin/bash
        complain() { echo "$*" >> '\(bench.folder)/complaints'; echo "$*" >&2; exit 99; }
        case "$*" in *"\(Self.password)"*|*pass*word*) complain "the password is in the arguments";; esac
        for descriptor in /proc/$$/fd/*; do
          # The one by which this list was made is closed by now.
          [ -e "$descriptor" ] || continue
          case ${descriptor##*/} in 0|1|2|255) ;; *) complain "descriptor $descriptor is open";; esac
        done
        [ "$1" = exec ] || complain "exec was expected, not $1"
        shift
        variables=()
        while :; do
          case $1 in
            -i) shift;;
            -e) case $2 in *=*) complain "a value in the arguments";; esac; variables+=("$2=${!2}"); shift 2;;
            *) break;;
          esac
        done
        [ "$1" = "the container" ] || complain "the container was expected, not $1"
        shift
        for word; do case "$word" in *'\(bench.folder)'*|/tmp/holdfast*) complain "no such file here: $word";; esac; done
        case "$2" in --version) ;; *) printf '%s\\n' "${variables[*]}" >> '\(bench.folder)/variables';; esac
        cd / && exec env -i PATH='\(bench.cluster.binaries):/usr/bin:/bin' "${variables[@]}" "$@"

        """
      try Data(script.utf8).write(to: URL(fileURLWithPath: docker))
      chmod(docker, 0o755)
      let url = bench.cluster.url(bench.database).replacing(
        "postgres@", with: "postgres:\(Self.password.replacing(" ", with: "%20").replacing("'", with: "%27"))@")
      #expect(url.contains("pass%20word"))
      try body(bench) { backup in
        try bench.writePolicy(
          url: url, more: "tools: {wrapper: [\"\(docker)\", exec, -i, the container]}\n\(backup)")
      }
      #expect(FileManager.default.contents(atPath: "\(bench.folder)/complaints") == nil)
    }
  }

  @Test(arguments: ["", "backup: {format: plain}", "backup: {format: custom, compression: gzip}"])
  func `a backup is taken, proven, restored and exported through it`(backup: String) throws {
    try withWrapper(backup) { bench, write in
      try write(backup)
      let check = try bench.holdfast("check")
      #expect(check.stdout.contains("behind "), "\(check.stdout)")
      let id = try bench.backUp()
      let format = backup.contains("plain") ? "plain" : "custom"
      #expect(try bench.holdfast("show", id, "--json").json.string("backup", "format") == format)
      #expect(try bench.holdfast("verify", id, "--level", "archive").exit == 0)
      let copy = bench.newDatabaseName()
      try bench.restore(id, into: copy)
      #expect(try bench.differences(copy) == "")
      #expect(try bench.holdfast("export", id).stdout.contains("row 500"))
      let variables = try String(contentsOfFile: "\(bench.folder)/variables", encoding: .utf8)
      #expect(variables.contains("PGPASSWORD=\(Self.password)"), "\(variables)")
    }
  }

  /// As `docker exec` does: what runs in the container hears of no signal.
  @Test func `a dump that goes on behind a stopped wrapper is ended on the server`() throws {
    try Workbench.with(sql: "CREATE TABLE t AS SELECT repeat(md5(i::text), 20) FROM generate_series(1, 4000) i") {
      bench in
      let wrapper = "\(bench.folder)/wrapper"
      let script = """
        #!/bin/bash
        case "$*" in
          *--snapshot*) setsid bash -c 'exec "$0" "$@" > >(exec sleep 60)' "$@" & wait;;
          *) exec "$@";;
        esac

        """
      try Data(script.utf8).write(to: URL(fileURLWithPath: wrapper))
      chmod(wrapper, 0o755)
      try bench.writePolicy(
        more: "tools: {directory: \"\(bench.cluster.binaries)\", wrapper: [\"\(wrapper)\"]}\nbackup: {format: plain}")
      let run = try ChildProcess(
        starting: ProgramRun.command(["backup", "--policies", bench.policies]), capturesOutput: false)
      let dumps = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^holdfast backup .'"
      try waitUntil("pg_dump is connected") { try bench.cluster.psql(dumps) == "1" }
      #expect(try run.end(bySending: SIGTERM).exit.code == 143)
      try waitUntil("the server has ended it") { try bench.cluster.psql(dumps) == "0" }
      #expect(bench.shelfContents() == [])
    }
  }

  @Test func `directory format is refused, and a backup of that format says which policy restores it`() throws {
    try withWrapper("") { bench, write in
      try bench.writePolicy()
      let id = try bench.backUp()
      try write("backup: {format: directory}")
      let check = try bench.holdfast("check")
      #expect(check.exit == 78)
      #expect(check.stderr.contains("backup.format: cannot be directory behind tools.wrapper"), "\(check.stderr)")
      try write("")
      for command in [
        ["restore", id, "--into", bench.newDatabaseName()], ["verify", id],
        ["export", id, "--output", "\(bench.folder)/out.sql"],
      ] {
        let run = try ProgramRun(command + ["--json", "--policies", bench.policies])
        #expect(run.json.string("error", "code") == "wrapped_directory", "\(command): \(run.stdout)")
        #expect(run.exit == 78)
      }
    }
  }

  @Test func `a wrapper that is not there, or fails, is told`() throws {
    try Workbench.with(sql: Self.sql) { bench in
      for (wrapper, exit) in [("[no-such-wrapper]", 69), ("[\"false\"]", 1)] {
        try bench.writePolicy(more: "tools: {wrapper: \(wrapper)}")
        let run = try bench.holdfast("backup", "--json")
        #expect(run.exit == exit, "\(run.stdout)")
        #expect(bench.shelfContents() == [])
      }
    }
  }
}
