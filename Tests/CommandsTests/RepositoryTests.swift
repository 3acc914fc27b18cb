import Foundation
import TestSupport
import Testing

/// A repository that cannot be written or holds what it should not, as the commands show it.
@Suite struct RepositoryTests {
  private static let table = "CREATE TABLE t AS SELECT 1 AS a"

  @Test func `a repository that cannot be written is 73, and named by check`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let file = "\(bench.folder)/file"
      try Data("precious".utf8).write(to: URL(fileURLWithPath: file))
      let closed = "\(bench.folder)/closed"
      try FileManager.default.createDirectory(
        atPath: closed, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o500])
      // Permissions do not hold root back; the kernel's own file systems do.
      for path in [file, "\(file)/below", getuid() == 0 ? "/proc/holdfast" : "\(closed)/backups"] {
        try writePolicy(bench, repository: path)
        let run = try bench.holdfast("backup", "--create-repository", "--json")
        #expect(run.exit == 73, "\(path): \(run.stdout)")
        #expect(run.json.string("error", "code") == "cannot_write")
        #expect(run.json.string("error", "what")?.contains(path) == true)
        let check = try bench.holdfast("check", "--json")
        #expect(check.exit == 2, "\(path)")
        #expect(check.json.string("problems", 0, "problem")?.contains(path) == true, "\(check.stdout)")
        // A file in its place is not a repository that is not there.
        #expect(try bench.holdfast("list").exit == (path.hasPrefix(file) ? 65 : 66), "\(path)")
      }
      #expect(FileManager.default.contents(atPath: file) == Data("precious".utf8))
      chmod(closed, 0o700)
    }
  }

  @Test func `a folder with files of somebody's is made no repository, and hidden from nobody`() throws {
    try Workbench.with(sql: Self.table) { bench in
      for (name, isFree) in [("empty", true), ("kept", true), ("project", false), ("folders", false)] {
        let path = "\(bench.folder)/\(name)"
        try FileManager.default.createDirectory(atPath: "\(path)/", withIntermediateDirectories: true)
        switch name {
        case "kept": try Data().write(to: URL(fileURLWithPath: "\(path)/.gitkeep"))
        case "project": try Data().write(to: URL(fileURLWithPath: "\(path)/schema.prisma"))
        case "folders":
          try FileManager.default.createDirectory(atPath: "\(path)/migrations/x", withIntermediateDirectories: true)
        default: break
        }
        let before = try FileManager.default.contentsOfDirectory(atPath: path)
        try writePolicy(bench, repository: path)
        let run = try bench.holdfast("backup", "--create-repository", "--json")
        #expect(run.exit == (isFree ? 0 : 73), "\(name): \(run.stdout)")
        if !isFree {
          #expect(run.json.string("error", "why")?.contains("not empty") == true, "\(run.stdout)")
          #expect(try FileManager.default.contentsOfDirectory(atPath: path) == before)
        }
      }
    }
  }

  @Test func `to verify every backup of none is an error`() throws {
    try Workbench.with { bench in
      let run = try bench.holdfast("verify", "--all", "--json")
      #expect(run.exit == 66)
      #expect(run.json.string("error", "code") == "no_such_backup")
    }
  }

  @Test func `a repository that lost its marker is damage to all who read it, and the next backup marks it again`()
    throws
  {
    try Workbench.with(sql: Self.table) { bench in
      let id = try bench.backUp()
      try FileManager.default.removeItem(atPath: "\(bench.repository)/holdfast.json")
      for line in [["list"], ["show", id], ["verify", "--all"], ["restore", id, "--into", "x"], ["status"]] {
        let run = try ProgramRun(line + ["--json", "--policies", bench.policies])
        #expect(run.exit == 65, "\(line)")
        #expect(run.json.string("error", "code") == "unmarked_repository", "\(line)")
      }
      let check = try bench.holdfast("check", "--json")
      #expect(check.exit == 2)
      #expect(check.json.string("problems", 0, "problem")?.contains("holdfast.json is missing") == true)
      #expect(try bench.holdfast("backup").stderr.contains("had lost its holdfast.json, which was written again"))
      #expect(try bench.holdfast("list", "--json").json.array("backups")?.count == 2)
    }
  }

  @Test
  func `a repository that is not there is 66, as after its disk was not mounted, and is made only when asked for`()
    throws
  {
    try Workbench.with(sql: Self.table) { bench in
      let manager = FileManager.default
      try bench.writePolicy(more: "migrations: {directory: ../migrations}")
      try manager.createDirectory(atPath: "\(bench.folder)/migrations", withIntermediateDirectories: false)
      for isMountPoint in [false, true] {
        try manager.removeItem(atPath: bench.repository)
        if isMountPoint { try manager.createDirectory(atPath: bench.repository, withIntermediateDirectories: false) }
        for line in [
          ["backup"], ["snapshot"], ["deploy"], ["list"], ["show", "latest"], ["verify", "--all"], ["prune"],
          ["rollback", "--plan"], ["restore", "latest", "--into", "x"], ["hold", "latest"],
        ] {
          let run = try ProgramRun(line + ["--json", "--policies", bench.policies])
          #expect(run.exit == 66, "\(line): \(run.stdout)")
          #expect(run.json.string("error", "code") == "no_repository", "\(line): \(run.stdout)")
          #expect(run.json.string("error", "next_step")?.contains("mount its disk") == true, "\(line)")
          #expect(run.json.string("error", "next_step")?.contains("--create-repository") == true, "\(line)")
        }
        let check = try bench.holdfast("check", "--json")
        #expect(check.exit == 2 && check.stdout.contains("there is none"), "\(check.stdout)")
        let status = try bench.holdfast("status")
        #expect(status.exit == 2 && status.stdout.contains("there is no repository"), "\(status.stdout)")
        #expect(access("\(bench.repository)/holdfast.json", F_OK) != 0)
        let made = try bench.holdfast(isMountPoint ? "backup" : "snapshot", "--create-repository")
        #expect(made.exit == 0 && made.stderr.contains("did not exist and was created"), "\(made.stderr)")
        #expect(try String(contentsOfFile: "\(bench.repository)/.gitignore", encoding: .utf8) == "*\n")
        #expect(try bench.holdfast("backup", "--create-repository").exit == 0)
      }
    }
  }

  @Test func `another repository than that of the policy's backups is 66`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let marker = "\(bench.repository)/holdfast.json"
      try bench.backUp()
      let id = try #require(JSONDocument(try String(contentsOfFile: marker, encoding: .utf8)).string("id"))
      try Data(#"{"version":1,"id":"other"}"#.utf8).write(to: URL(fileURLWithPath: marker))
      let run = try bench.holdfast("backup", "--create-repository", "--json")
      #expect(run.exit == 66 && run.json.string("error", "code") == "other_repository", "\(run.stdout)")
      #expect(try bench.holdfast("check").exit == 2)
      #expect(try bench.holdfast("status", "--json").json.array("reasons") as? [String] == ["other_repository"])
      // The last way out may be a copy: it is read, with a word.
      let list = try bench.holdfast("list")
      #expect(list.exit == 0 && list.stderr.contains("were written into \(id)"), "\(list.stderr)")
      // Whoever says that it is the right one is believed.
      try bench.writePolicy(more: "repository_id: other")
      #expect(try bench.holdfast("backup").exit == 0)
      try bench.writePolicy()
      #expect(try bench.holdfast("backup").exit == 0)
      // And that only this one is meant.
      try bench.writePolicy(more: "repository_id: \(id)")
      for line in [["backup"], ["list"], ["restore", "latest", "--into", "x"]] {
        let run = try ProgramRun(line + ["--json", "--policies", bench.policies])
        #expect(run.exit == 66 && run.json.string("error", "code") == "other_repository", "\(line): \(run.stdout)")
      }
      try FileManager.default.removeItem(atPath: bench.repository)
      #expect(try bench.holdfast("backup", "--create-repository").exit == 0)
      #expect(try String(contentsOfFile: marker, encoding: .utf8).contains(id))
    }
  }

  @Test func `a repository that lost its marker gets the id back that its backups know it by`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let marker = "\(bench.repository)/holdfast.json"
      let before = try String(contentsOfFile: marker, encoding: .utf8)
      try bench.backUp()
      try FileManager.default.removeItem(atPath: marker)
      #expect(try bench.holdfast("backup").exit == 0)
      #expect(try String(contentsOfFile: marker, encoding: .utf8) == before)
    }
  }

  @Test func `what a backup warned of stands in its document, with how long it took`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let first = try bench.holdfast("backup", "--json").json
      // Of the client's age, at most.
      #expect((first.array("warnings") as? [String])?.filter { !$0.hasPrefix("PostgreSQL client") } == [])
      #expect((first.value(["seconds"]) as? Double ?? 0) > 0)
      try FileManager.default.removeItem(atPath: "\(bench.repository)/holdfast.json")
      let second = try bench.holdfast("backup", "--json", "--quiet").json
      #expect((second.array("warnings") as? [String])?.contains { $0.contains("had lost its holdfast.json") } == true)
    }
  }

  @Test func `a policy's folder that cannot be written is 73`() throws {
    try Workbench.with(sql: Self.table) { bench in
      try Data().write(to: URL(fileURLWithPath: bench.shelf))
      let run = try bench.holdfast("backup", "--json")
      #expect(run.exit == 73)
      #expect(run.json.string("error", "what")?.contains(bench.shelf) == true)
    }
  }

  @Test func `symbolic links in a repository are never followed`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let manager = FileManager.default
      let id = try bench.backUp()
      let elsewhere = "\(bench.folder)/elsewhere"
      for path in ["\(bench.path(of: id))/data/toc.dat", bench.path(of: id), bench.shelf] {
        try manager.moveItem(atPath: path, toPath: elsewhere)
        try manager.createSymbolicLink(atPath: path, withDestinationPath: elsewhere)
        #expect(try bench.holdfast("verify", id).exit == 65, "\(path)")
        #expect(try bench.holdfast("restore", id, "--into", bench.newDatabaseName()).exit == 65, "\(path)")
        if path == bench.shelf { #expect(try bench.holdfast("backup").exit == 65) }
        try manager.removeItem(atPath: path)
        try manager.moveItem(atPath: elsewhere, toPath: path)
      }
      #expect(try bench.holdfast("verify", id).exit == 0)
    }
  }

  @Test func `folders that are no backups are told of, left alone, and never used`() throws {
    try Workbench.with(sql: Self.table) { bench in
      let manager = FileManager.default
      let good = try bench.backUp()
      for name in ["missing", "foreign", "newer", "spoilt"] {
        try manager.copyItem(atPath: bench.path(of: good), toPath: bench.path(of: name))
      }
      try manager.removeItem(atPath: "\(bench.path(of: "missing"))/manifest.json")
      try Data(#"{"version":2}"#.utf8).write(to: URL(fileURLWithPath: "\(bench.path(of: "newer"))/manifest.json"))
      try Data("{".utf8).write(to: URL(fileURLWithPath: "\(bench.path(of: "spoilt"))/manifest.json"))
      for (name, code) in [
        ("missing", "not_a_backup"), ("foreign", "not_a_backup"), ("newer", "newer_backup"),
        ("spoilt", "backup_damaged"),
      ] {
        let copy = bench.newDatabaseName()
        for line in [["show", name], ["verify", name], ["restore", name, "--into", copy], ["hold", name]] {
          let run = try ProgramRun(line + ["--json", "--policies", bench.policies])
          #expect(run.exit == 65)
          #expect(run.json.string("error", "code") == code, "\(line)")
        }
      }
      let list = try bench.holdfast("list", "--json")
      #expect(list.exit == 0)
      #expect(list.json.array("backups")?.count == 1)
      #expect(list.json.array("broken")?.count == 4)
      #expect(try bench.holdfast("show", "latest", "--json").json.string("backup", "id") == good)
      #expect(try bench.holdfast("verify", "--all").exit == 65)
      let check = try bench.holdfast("check", "--json")
      #expect(check.json.array("problems")?.count == 4)
      try bench.backUp()
      #expect(bench.shelfContents().count == 6)
    }
  }

  @Test func `backups of a policy without a file are told of`() throws {
    try Workbench.with(sql: Self.table) { bench in
      try bench.backUp()
      #expect(try bench.holdfast("list", "--json").json.array("without_policy")?.isEmpty == true)
      try FileManager.default.moveItem(atPath: bench.shelf, toPath: "\(bench.shelf)-once")
      let told = try bench.holdfast("list")
      #expect(
        told.stdout.contains("of policies that are not in \(bench.policies): app-once (1 backup)"), "\(told.stdout)")
      let json = try bench.holdfast("list", "--json").json
      #expect(json.string("without_policy", 0, "policy") == "app-once")
      #expect(json.number("without_policy", 0, "backups") == 1)
      #expect(try !bench.holdfast("list", "app").stdout.contains("app-once"))
      // What is another user's keeps nobody from his own.
      #expect(chmod("\(bench.shelf)-once", 0) == 0)
      var list = ProgramRun.command(["list", "--policies", bench.policies])
      if getuid() == 0 {
        // Without them root is stopped by a folder's mode as anybody is.
        list.arguments = ["--bounding-set=-dac_override,-dac_read_search", list.executable] + list.arguments
        list.executable = "/usr/bin/setpriv"
      }
      let other = try ProgramRun(running: list)
      #expect(other.exit == 0, "\(other.stderr)")
      #expect(other.stdout.contains("There is no backup yet") && !other.stdout.contains("app-once"), "\(other.stdout)")
      #expect(chmod("\(bench.shelf)-once", 0o700) == 0)
      try FileManager.default.moveItem(atPath: "\(bench.shelf)-once", toPath: bench.shelf)
    }
  }

  @Test func `a repository by another name has no strangers, and a changed URL shows in the list`() throws {
    try Workbench.with(sql: Self.table) { bench in
      try bench.backUp()
      try FileManager.default.createSymbolicLink(
        atPath: "\(bench.folder)/link", withDestinationPath: bench.repository)
      try FileManager.default.copyItem(atPath: "\(bench.policies)/app.yaml", toPath: "\(bench.policies)/web.yaml")
      try writePolicy(bench, repository: "\(bench.folder)/link")
      let several = try bench.holdfast("list")
      #expect(!several.stdout.contains("Also there") && !several.stdout.contains("database"), "\(several.stdout)")
      try FileManager.default.removeItem(atPath: "\(bench.policies)/web.yaml")

      let other = bench.newDatabaseName("other")
      try bench.cluster.psql("CREATE DATABASE \"\(other)\"")
      try bench.writePolicy(url: bench.cluster.url(other))
      let id = try bench.backUp()
      let list = try bench.holdfast("list").stdout
      #expect(list.contains("database") && list.contains(other) && list.contains(bench.database), "\(list)")
      #expect(try bench.holdfast("list", "--json").json.string("backups", 0, "database") == other)
      #expect(try bench.holdfast("show", "latest", "--json").json.string("backup", "id") == id)
      let prune = try bench.holdfast("prune").stdout
      #expect(prune.contains("\(id)  \(other) ") && prune.contains("  \(bench.database) "), "\(prune)")
      try bench.writePolicy()
      #expect(try bench.holdfast("show", "latest", "--json").json.string("backup", "database") == bench.database)
    }
  }

  private func writePolicy(_ bench: Workbench, repository: String) throws {
    try bench.writePolicy()
    let path = "\(bench.policies)/app.yaml"
    try String(contentsOfFile: path, encoding: .utf8).replacing("../backups", with: "\"\(repository)\"")
      .write(toFile: path, atomically: false, encoding: .utf8)
  }
}
