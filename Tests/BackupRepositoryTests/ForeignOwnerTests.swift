import Diagnostics
import Foundation
import TestSupport
import Testing

/// As root: what another user can change is not worked with, and what is root's is.
@Suite(.enabled(if: geteuid() == 0, "only root is led by others")) struct ForeignOwnerTests {
  @Test func `root does not work in another user's repository`() throws {
    try Workbench.with(sql: "CREATE TABLE t (a int)") { bench in
      let id = try bench.backUp()
      for (place, mode) in [(bench.repository, 0o700), ("\(bench.repository)/app", 0o700)] {
        #expect(chown(place, 65534, 65534) == 0)
        let run = try bench.holdfast("backup", "--json")
        #expect(run.exit == 77 && run.json.string("error", "code") == "foreign_owner", "\(run.stdout)")
        #expect(run.json.string("error", "next_step")?.contains("chown -R root") == true)
        #expect(chown(place, 0, 0) == 0)
        #expect(chmod(place, 0o777) == 0)
        #expect(try bench.holdfast("prune", "--confirm").exit == 77)
        #expect(chmod(place, mode_t(mode)) == 0)
      }
      #expect(try bench.holdfast("verify", id).exit == 0)
      // What somebody else may have put into the current folder.
      let project = "\(bench.folder)/project"
      try FileManager.default.createDirectory(atPath: project, withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: bench.policies, toPath: "\(project)/policies")
      #expect(chown("\(project)/policies", 65534, 65534) == 0)
      #expect(try bench.holdfast(in: project, ["check"]).exit == 77)
      #expect(try bench.holdfast(in: project, ["list", "--policies", "\(project)/policies"]).exit != 77)
    }
  }

  private static let nobody: uid_t = 65534

  private func refusal(of path: String, isNew: Bool = false) -> Failure? {
    ForeignOwner.refusal(of: path, code: "foreign_owner", what: "x", isNew: isNew)
  }

  /// `body` gets a folder of root's with `way/place/file` in it.
  private func withPlace(_ body: (_ folder: String) throws -> Void) throws {
    let folder = "\(TestCluster.temporary)/owner-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: "\(folder)/way/place", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try Data("x".utf8).write(to: URL(fileURLWithPath: "\(folder)/way/place/file"))
    for path in ["", "/way", "/way/place"] { #expect(chmod(folder + path, 0o755) == 0) }
    try body(folder)
  }

  @Test func `every folder on the way has to be root's`() throws {
    try withPlace { folder in
      for path in ["\(folder)/way/place", "\(folder)/way/place/file"] { #expect(refusal(of: path) == nil) }
      #expect(chown("\(folder)/way", Self.nobody, 0) == 0)
      for path in ["\(folder)/way/place", "\(folder)/way/place/file", "\(folder)/way/place/../place"] {
        let refusal = try #require(self.refusal(of: path))
        #expect(refusal.exit == .noPermission && refusal.why.contains("\(folder)/way, on the way to"), "\(refusal.why)")
        // Nobody is told to take somebody's folder away from them.
        #expect(!refusal.nextStep.contains("chown"), "\(refusal.nextStep)")
      }
      #expect(refusal(of: "\(folder)/way/missing") == nil)
      #expect(refusal(of: "\(folder)/way/missing/deep", isNew: true) != nil)
      #expect(refusal(of: "\(folder)/missing/deep", isNew: true) == nil)
    }
  }

  @Test func `a link on the way is looked at, and what it leads through`() throws {
    try withPlace { folder in
      try FileManager.default.createSymbolicLink(atPath: "\(folder)/link", withDestinationPath: "way/place")
      #expect(refusal(of: "\(folder)/link/file") == nil)
      #expect(lchown("\(folder)/link", Self.nobody, 0) == 0)
      #expect(refusal(of: "\(folder)/link/file") != nil && refusal(of: "\(folder)/link") != nil)
      #expect(lchown("\(folder)/link", 0, 0) == 0 && chown("\(folder)/way", Self.nobody, 0) == 0)
      #expect(refusal(of: "\(folder)/link/file") != nil)
    }
  }

  @Test func `nobody else may write to it, and nobody exchange it`() throws {
    try withPlace { folder in
      let (place, file) = ("\(folder)/way/place", "\(folder)/way/place/file")
      for mode in [0o757, 0o1777] as [mode_t] {
        #expect(chmod(place, mode) == 0)
        #expect(refusal(of: place)?.nextStep == "chmod o-w \(place)", "\(mode)")
      }
      // In a folder like /tmp nobody removes what is another's.
      #expect(refusal(of: file) == nil)
      #expect(chmod(place, 0o777) == 0)
      #expect(refusal(of: file) != nil)
      #expect(chmod(place, 0o775) == 0)
      #expect(refusal(of: place) == nil, "root's own group")
      #expect(chown(place, 0, 50) == 0 && chmod(place, 0o775) == 0)
      #expect(refusal(of: place)?.nextStep == "chmod g-w \(place)")
      #expect(refusal(of: file) == nil, "a group of the system's")
      #expect(chown(place, 0, 1234) == 0 && chmod(place, 0o775) == 0)
      #expect(refusal(of: file) != nil)
      #expect(chmod(place, 0o755) == 0 && chmod(file, 0o666) == 0)
      #expect(refusal(of: file)?.nextStep == "chmod o-w \(file)")
    }
  }

  @Test(arguments: [
    "holdfast.json", "app/ID", "app/ID/manifest.json", "app/ID/SHA256SUMS", "app/ID/hold.json",
    "app/ID/verifications.jsonl",
  ])
  func `a file in the repository has to be root's`(name: String) throws {
    try Workbench.with(sql: "CREATE TABLE t (a int)") { bench in
      let id = try bench.backUp()
      #expect(try bench.holdfast("hold", id).exit == 0 && bench.holdfast("verify", id).exit == 0)
      let path = "\(bench.repository)/\(name.replacing("ID", with: id))"
      #expect(chown(path, Self.nobody, 0) == 0)
      let run = try bench.holdfast("restore", id, "--into", bench.newDatabaseName(), "--json")
      #expect(run.exit == 77 && run.json.string("error", "code") == "foreign_owner", "\(run.stdout)")
      #expect(chown(path, 0, 0) == 0)
      #expect(try bench.holdfast("verify", id).exit == 0)
    }
  }
}
