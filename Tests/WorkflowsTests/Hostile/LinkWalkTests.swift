import Foundation
import PostgresTools
import TestSupport
import Testing

/// Every step of the commands that work in a repository: while a run stands there, one of its folders becomes a link to somebody else's, which looks
/// the same. The run may fail; nothing of somebody else's is written, renamed or removed.
@Suite struct LinkWalkTests {
  private static let documented: Set<Int32> = [0, 1, 2, 65, 66, 73, 75, 77, 78]

  @Test(arguments: [
    ["backup"], ["verify", "ID"], ["hold", "ID"], ["release", "ID"], ["prune", "--confirm"],
    ["remove", "ID", "--confirm"], ["restore", "ID", "--into", "COPY"], ["snapshot"], ["deploy"],
  ])
  func `a folder that becomes a link at any step leads nowhere`(words: [String]) throws {
    try DeployBench.with { deploy in
      let bench = deploy.bench
      try deploy.writePolicy(more: "retention: {keep_last: 1, minimum_verified: 1}\n")
      for _ in 0..<2 { #expect(try deploy.run("backup").exit == 0) }
      try deploy.deploy("20240201000000_more", "CREATE TABLE more (a int);")
      try deploy.migration("20240301000000_next", "CREATE TABLE IF NOT EXISTS next (a int);")
      let id = try #require(bench.shelfContents().sorted().first { $0.hasPrefix("2") })
      if words[0] == "release" { #expect(try deploy.run("hold", id).exit == 0) }
      let copy = "\(deploy.database)_copy"
      let (pristine, outside) = ("\(bench.folder)/pristine", "\(bench.folder)/outside")
      for place in [pristine, outside] { try FileManager.default.copyItem(atPath: bench.repository, toPath: place) }
      func reset() throws {
        try FileManager.default.removeItem(atPath: bench.repository)
        try FileManager.default.copyItem(atPath: pristine, toPath: bench.repository)
        try deploy.maintain("DROP DATABASE IF EXISTS \"\(copy)\" WITH (FORCE)")
        try deploy.psql(
          "DROP TABLE IF EXISTS next; DELETE FROM _prisma_migrations WHERE migration_name = '20240301000000_next'")
      }
      let before = try Self.contents(of: "outside", in: bench.folder)
      let arguments = words.map { $0.replacing("ID", with: id).replacing("COPY", with: copy) }
      var number = 0
      let steps = try walk(deploy.command(arguments), notesIn: bench.folder, reset: reset) { run, step in
        let folders = try Self.folders(in: bench.repository)
        let name = folders[number % folders.count]
        number += 1
        try Self.exchange(name, in: bench, forLinkTo: outside)
        let end = try run.end()
        #expect(Self.documented.contains(end.code), "\(step), \(name): \(end.code) \(end.standardError)")
        let after = try Self.contents(of: "outside", in: bench.folder)
        #expect(after == before, "\(step), \(name): \(after.symmetricDifference(before).sorted())")
        try reset()
      }
      #expect(steps.count > 2 || words[0] == "release", "\(steps)")
    }
  }

  /// Some of the steps, others in each run, since each needs a deploy of its own; HOLDFAST_LINK_WALK=all walks them all.
  @Test(arguments: ["rollback", "undo", "resume", "abandon"])
  func `nor does one under a rollback and what settles it`(command: String) throws {
    let isWhole = ProcessInfo.processInfo.environment["HOLDFAST_LINK_WALK"] == "all"
    let steps = try prepared(command) { deploy in
      let whole = try deploy.startStepping(command, "--confirm", deploy.database, at: "*")
      #expect(try whole.end().succeeded)
      return whole.stops
    }
    #expect(steps.count > 4, "\(steps)")
    var walked = 0
    for step in isWhole ? steps : Array(steps.shuffled().prefix(4)) {
      try prepared(command) { deploy in
        let bench = deploy.bench
        try FileManager.default.copyItem(atPath: bench.repository, toPath: "\(bench.folder)/outside")
        let run = try deploy.startStepping(command, "--confirm", deploy.database, at: step)
        guard try run.reach() != nil, let name = try Self.folders(in: bench.repository).randomElement() else { return }
        walked += 1
        let before = try Self.contents(of: "outside", in: bench.folder)
        try Self.exchange(name, in: bench, forLinkTo: "\(bench.folder)/outside")
        let end = try run.end()
        #expect(Self.documented.contains(end.code), "\(step), \(name): \(end.code) \(end.standardError)")
        let after = try Self.contents(of: "outside", in: bench.folder)
        #expect(after == before, "\(step), \(name): \(after.symmetricDifference(before).sorted())")
      }
    }
    #expect(walked > 0, "\(steps)")
  }

  /// A database in which the command has something to do.
  private func prepared<Result>(_ command: String, _ body: (DeployBench) throws -> Result) throws -> Result {
    try DeployBench.with { deploy in
      try deploy.deploy("20240201000000_more", "CREATE TABLE more (a int);")
      if command == "undo" { #expect(try deploy.confirmed("rollback").exit == 0) }
      if command == "resume" || command == "abandon" {
        try deploy.startStepping("rollback", "--confirm", deploy.database, at: "prove the database").killAtStop()
      }
      return try body(deploy)
    }
  }

  // MARK: Helpers

  /// Takes a folder of the repository away; a link to the one of that name somewhere else stands in its place.
  private static func exchange(_ name: String, in bench: Workbench, forLinkTo outside: String) throws {
    let path = "\(bench.repository)/\(name)"
    try FileManager.default.moveItem(atPath: path, toPath: "\(bench.folder)/taken-\(UInt32.random(in: 0...UInt32.max))")
    #expect(symlink("\(outside)/\(name)", path) == 0)
  }

  private static func contents(of folder: String, in place: String) throws -> Set<Substring> {
    let state = "find \(folder) -printf '%p %y %s %T@ %i\\n' | sort; find \(folder) -type f | sort | xargs sha256sum"
    return Set(try shell(state, in: place).stdout.split(separator: "\n"))
  }

  /// Folders of the repository by their paths in it, as they are just now: those of a run, too.
  private static func folders(in repository: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: repository).sorted().filter {
      var status = stat()
      return lstat("\(repository)/\($0)", &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
  }
}
