import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite struct CommitTests {
  @Test func `folders are 0700 and files 0600, whatever the umask`() throws {
    try SampleRepository.with { sample, backup in
      let inside = try FileManager.default.subpathsOfDirectory(atPath: backup.path).map { "\(backup.path)/\($0)" }
      #expect(inside.count == 11)
      for path in [sample.path, backup.path, "\(sample.path)/holdfast.json"] + inside {
        var status = stat()
        #expect(lstat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == (status.st_mode & S_IFMT == S_IFDIR ? 0o700 : 0o600), "\(path)")
      }
    }
  }

  @Test func `a backup that is not committed leaves nothing`() throws {
    let sample = try SampleRepository()
    do {
      let partial = try PartialBackup(sample.repository, policy: "app", id: "x")
      _ = try partial.write("half", to: "data/1.dat")
      #expect(try FileManager.default.contentsOfDirectory(atPath: sample.shelf) == [".partial-x"])
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: sample.shelf).isEmpty)
  }

  @Test func `a backup never takes the place of what has its name`() throws {
    try SampleRepository.with { sample, backup in
      let partial = try PartialBackup(sample.repository, policy: "app", id: backup.id)
      #expect(throws: Failure.self) { try partial.commit(backup.manifest) }
      #expect(try sample.listed(backup) == backup)
    }
  }

  @Test(arguments: [EINVAL, ENOSYS])
  func `a file system that cannot rename to a free name only takes backups all the same`(number: Int32) throws {
    try SampleRepository.with { sample, backup in
      let free = try PartialBackup(sample.repository, policy: "app", id: "20261122T031500Z-000000")
      var manifest = backup.manifest
      manifest.id = free.id
      #expect(try free.commit(manifest, rename: { _, _, _ in -number }) == "\(sample.shelf)/\(free.id)")
      #expect(try sample.listing.backups.map(\.id) == [free.id, backup.id])

      let taken = try PartialBackup(sample.repository, policy: "app", id: backup.id)
      #expect(throws: Failure.self) { try taken.commit(backup.manifest, rename: { _, _, _ in -number }) }
      #expect(try sample.listed(backup) == backup)
    }
  }

  @Test func `what killed runs left is swept, and nothing else`() throws {
    try SampleRepository.with { sample, backup in
      try FileManager.default.createDirectory(
        atPath: "\(sample.shelf)/.partial-20261122T031500Z-000000/data", withIntermediateDirectories: true)
      #expect(try sample.repository.sweep(policy: "app") == [".partial-20261122T031500Z-000000"])
      #expect(try FileManager.default.contentsOfDirectory(atPath: sample.shelf) == [backup.id])
    }
  }

  @Test func `the lock of a policy is one, names its holder, and goes with it`() throws {
    try SampleRepository.with { sample, _ in
      do {
        let lock = try PolicyLock(sample.repository, policy: "app", purpose: "backup", now: SampleRepository.time)
        let failure = #expect(throws: Failure.self) {
          try PolicyLock(sample.repository, policy: "app", purpose: "prune", now: Date())
        }
        #expect(failure?.exit == .locked)
        #expect(failure?.why.contains("backup, pid \(getpid()) on") == true)
        _ = try PolicyLock(sample.repository, policy: "web", purpose: "backup", now: Date())
        withExtendedLifetime(lock) {}
      }
      _ = try PolicyLock(sample.repository, policy: "app", purpose: "backup", now: Date())
    }
  }

  @Test func `ids sort by time and do not repeat`() {
    let ids = (0..<200).map { PartialBackup.makeID(now: SampleRepository.time.addingTimeInterval(Double($0 / 100))) }
    #expect(Set(ids.prefix(100).map { $0.prefix(16) }).count == 1)
    #expect(ids.prefix(100).allSatisfy { first in ids.suffix(100).allSatisfy { first < $0 } })
    #expect(Set(ids).count > 195)
    #expect(ids.allSatisfy { $0.wholeMatch(of: /\d{8}T\d{6}Z-[0-9a-f]{6}/) != nil })
  }
}
