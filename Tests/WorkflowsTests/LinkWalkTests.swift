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
      let state = "find outside -printf '%p %y %s %T@ %i\\n' | sort; find outside -type f | sort | xargs sha256sum"
      var before = Set(try shell(state, in: bench.folder).stdout.split(separator: "\n"))
      let arguments = words.map { $0.replacing("ID", with: id).replacing("COPY", with: copy) }
      var number = 0
      let steps = try walk(deploy.command(arguments), notesIn: bench.folder, reset: reset) { run, step in
        let folders = try self.folders(in: bench.repository)
        let name = folders[number % folders.count]
        number += 1
        let path = "\(bench.repository)/\(name)"
        let taken = "\(bench.folder)/taken-\(number)"
        try FileManager.default.moveItem(atPath: path, toPath: taken)
        #expect(symlink("\(outside)/\(name)", path) == 0)
        let end = try run.end()
        #expect(Self.documented.contains(end.code), "\(step), \(name): \(end.code) \(end.standardError)")
        let after = Set(try shell(state, in: bench.folder).stdout.split(separator: "\n"))
        #expect(after == before, "\(step), \(name): \(after.symmetricDifference(before).sorted())")
        before = after
        try FileManager.default.removeItem(atPath: taken)
        try reset()
      }
      #expect(steps.count > 2 || words[0] == "release", "\(steps)")
    }
  }

  /// Folders of the repository by their paths in it, as they are just now: those of a run, too.
  private func folders(in repository: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: repository).sorted().filter {
      var status = stat()
      return lstat("\(repository)/\($0)", &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
  }
}
