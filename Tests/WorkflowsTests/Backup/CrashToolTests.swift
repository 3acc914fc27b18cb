import Foundation
import PostgresTools
import TestSupport
import Testing

/// PostgreSQL tools that fail, lie, hang, flood or talk too much.
@Suite struct CrashToolTests {
  /// Runs a backup with a tool that misbehaves. It has to fail, to leave nothing, and not to touch the older backup.
  private func expectRefusal(
    of tool: String, _ script: String, exit: Int32, saying words: String,
    at place: SourceLocation = #_sourceLocation
  ) throws {
    try CrashBench.with { crash in
      let older = try crash.backUp()
      try crash.tools.replace(tool, script)
      let backup = try crash.run("backup")
      #expect(backup.exit == exit, "\(backup.stderr)", sourceLocation: place)
      #expect(backup.stderr.contains(words), "\(backup.stderr)", sourceLocation: place)
      try crash.expectNothingLeft(at: place)
      #expect(try crash.listed() == [older], sourceLocation: place)
      try crash.tools.restore(tool)
      try crash.expectAllProven(at: place)
    }
  }

  private static let dumpElsewhere = "\"$real\" \"$@\" -f \"$here/staged\" || exit\n"

  @Test func `pg_dump that is killed makes no backup`() throws {
    try expectRefusal(of: "pg_dump", "\"$real\" \"$@\"; kill -9 $$", exit: 1, saying: "killed by signal 9")
  }

  @Test func `pg_dump that is killed within a file is named as the cause, not the file that lacks its end`() throws {
    try expectRefusal(
      of: "pg_dump",
      Self.dumpElsewhere + """
        set -- "$here"/staged/[0-9]*.dat
        head -c $(($(stat -c %s "$1") / 2)) "$1" > "$target/${1##*/}"
        sleep 0.5
        kill -9 $$
        """, exit: 1, saying: "killed by signal 9")
  }

  @Test func `pg_dump that fails after half of the files makes no backup`() throws {
    try expectRefusal(
      of: "pg_dump",
      Self.dumpElsewhere + """
        rm "$here"/staged/*[02468].dat
        cp "$here"/staged/* "$target"
        echo "pg_dump: error: out of luck" >&2
        exit 1
        """, exit: 1, saying: "out of luck")
  }

  @Test func `pg_dump that says it is done after half of the bytes makes no backup`() throws {
    try expectRefusal(
      of: "pg_dump",
      Self.dumpElsewhere + """
        for file in "$here"/staged/[0-9]*; do
          head -c $(($(stat -c %s "$file") / 2)) "$file" > "$target/${file##*/}"
        done
        cp "$here"/staged/*.toc "$here"/staged/toc.dat "$here"/staged/blob_* "$target"
        """, exit: 65, saying: "end line")
  }

  @Test func `pg_dump that says it is done without one of the files makes no backup`() throws {
    try expectRefusal(
      of: "pg_dump",
      Self.dumpElsewhere + """
        set -- "$here"/staged/[0-9]*.dat
        rm "$2"
        cp "$here"/staged/* "$target"
        """, exit: 65, saying: "No such file")
  }

  @Test func `pg_dump that says it is done without a table of contents makes no backup`() throws {
    try expectRefusal(
      of: "pg_dump", Self.dumpElsewhere + "rm \"$here/staged/toc.dat\"; cp \"$here\"/staged/* \"$target\"",
      exit: 65, saying: "toc.dat")
  }

  @Test func `pg_dump that says it is done without a large object makes no backup`() throws {
    try expectRefusal(
      of: "pg_dump",
      Self.dumpElsewhere + """
        set -- "$here"/staged/blob_*
        rm "$1"
        cp "$here"/staged/* "$target"
        """, exit: 65, saying: "blob_")
  }

  @Test func `pg_dump that leaves a file of its own makes no backup`() throws {
    try expectRefusal(
      of: "pg_dump", "\"$real\" \"$@\"; cp \"$here/pg_dump\" \"$target/99999.dat\"", exit: 65, saying: "99999.dat")
  }

  @Test func `two workers of pg_dump that speak at once of a full disk are understood`() throws {
    try expectRefusal(
      of: "pg_dump",
      """
      echo 'pg_dump:pg_dump: error: could not write to output file: No space left on device' >&2
      echo 'pg_dump: error: a worker process died unexpectedly' >&2
      exit 1
      """, exit: 73, saying: "No space left on device")
  }

  @Test func `pg_dumpall that fails makes no backup`() throws {
    try expectRefusal(
      of: "pg_dumpall", "\"$real\" \"$@\" | head -3; echo 'no roles today' >&2; exit 1", exit: 1,
      saying: "no roles today")
  }

  @Test func `a table of contents that pg_restore does not read to its end makes no backup`() throws {
    try expectRefusal(of: "pg_restore", "\"$real\" \"$@\" | head -c 3000", exit: 65, saying: "not whole")
    try expectRefusal(of: "pg_restore", "\"$real\" \"$@\"; kill -9 $$", exit: 1, saying: "killed by signal 9")
  }

  @Test func `a tool that cannot be run is named`() throws {
    try expectRefusal(of: "pg_dumpall", "exit 127", exit: 1, saying: "pg_dumpall")
  }

  @Test func `a tool that floods stderr fills neither the memory nor the report`() throws {
    try CrashBench.with { crash in
      try crash.tools.replace("pg_dump", "head -c 100000000 /dev/zero | tr '\\0' 'x' >&2; echo last words >&2; exit 1")
      let backup = try crash.start("backup")
      let (exit, peak) = try PeakMemory(of: backup.pid).whileRunning { try backup.end() }
      #expect(exit.code == 1)
      #expect(exit.standardError.contains("last words"))
      #expect(peak > 0 && peak < 100 << 20)
      try crash.expectNothingLeft()
    }
  }

  @Test func `a password that a tool prints is taken out of what is shown`() throws {
    try CrashBench.with { crash in
      let url = crash.cluster.url(crash.bench.database, password: "hunter2:secret")
      try crash.bench.writePolicy(url: url, more: "tools:\n  directory: \"\(crash.tools.folder)\"")
      try crash.tools.replace("pg_dump", "cat \"$PGPASSFILE\" >&2; echo hunter2:secret >&2; exit 1")
      for arguments in [["backup"], ["backup", "--json"]] {
        let backup = try ProgramRun(running: crash.command(arguments))
        #expect(backup.exit == 1)
        #expect((backup.stdout + backup.stderr).contains("***"))
        #expect(!(backup.stdout + backup.stderr).contains("secret"), "\(backup.stdout)\(backup.stderr)")
      }
      try crash.expectNothingLeft()
    }
  }

  @Test func `pg_dump that hangs and ignores SIGTERM is killed after a grace period`() throws {
    try CrashBench.with { crash in
      try crash.tools.replace("pg_dump", "trap '' TERM INT; : > \"$here/running\"; while :; do sleep 0.1; done")
      let backup = try crash.start("backup")
      #expect(eventually { access("\(crash.tools.folder)/running", F_OK) == 0 })
      let (exit, seconds) = try backup.end(bySending: SIGTERM)
      #expect(exit.code == 143)
      #expect(seconds > 4 && seconds < 60)
      try crash.expectNothingLeft()
    }
  }

  /// The wrong end is that of the tool: nobody waits for what it left behind.
  @Test(arguments: ["pg_dumpall", "pg_dump", "pg_restore"])
  func `a grandchild that holds stdout and stderr open is not waited for`(tool: String) throws {
    try CrashBench.with { crash in
      try crash.tools.replace(tool, "sleep 300 &\n exec \"$real\" \"$@\"")
      let start = Date()
      let backup = try crash.run("backup")
      #expect(backup.exit == 0, "\(backup.stderr)")
      #expect(Date().timeIntervalSince(start) < 60)
      try crash.expectNothingLeft()
    }
  }

  @Test func `a grandchild in a session of its own is not waited for either`() throws {
    try CrashBench.with { crash in
      try crash.tools.replace(
        "pg_dumpall", "setsid sh -c 'echo $$ > \"$0/pid\"; exec sleep 300' \"$here\" &\n\"$real\" \"$@\"")
      let backup = try crash.run("backup")
      #expect(backup.exit == 0, "\(backup.stderr)")
      let pid = pid_t((try String(contentsOfFile: "\(crash.tools.folder)/pid", encoding: .utf8)).dropLast())
      kill(try #require(pid), SIGKILL)
      try crash.expectNothingLeft()
    }
  }

  @Test func `pg_restore that is killed half way leaves no database`() throws {
    try CrashBench.with { crash in
      let (id, copy) = (try crash.backUp(), crash.bench.newDatabaseName())
      try crash.tools.replace(
        "pg_restore", "case \"$*\" in *--section=post-data*) kill -9 $$;; esac; exec \"$real\" \"$@\"")
      let restore = try crash.run("restore", id, "--into", copy)
      #expect(restore.exit == 1)
      #expect(restore.stderr.contains("killed by signal 9"), "\(restore.stderr)")
      #expect(restore.stderr.contains("half-made database was dropped"))
      try crash.expectNothingLeft()
    }
  }

  /// What a tool claims is compared with the backup.
  @Test(arguments: ["--section=pre-data", "--section=data", "--section=post-data"])
  func `pg_restore that says it is done and did nothing leaves no database`(part: String) throws {
    try CrashBench.with { crash in
      let (id, copy) = (try crash.backUp(), crash.bench.newDatabaseName())
      try crash.tools.replace("pg_restore", "case \"$*\" in *\(part)*) exit 0;; esac; exec \"$real\" \"$@\"")
      let restore = try crash.run("restore", id, "--into", copy)
      // Without its tables nothing can be filled; what else is missing is found by comparing.
      #expect(restore.exit == (part == "--section=pre-data" ? 1 : 65), "\(restore.stderr)")
      try crash.expectNothingLeft()
    }
  }
}
