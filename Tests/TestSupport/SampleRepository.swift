import BackupModel
import BackupRepository
import Foundation

/// A repository with sealed backups of a few small files, made without any server.
package final class SampleRepository {
  package let path: String
  package let repository: Repository

  package init() throws {
    path = "\(TestCluster.temporary)/hf repository ü \(UInt32.random(in: 0...UInt32.max))"
    try Repository.create(path)
    repository = try Repository.open(path)
    try FileManager.default.createDirectory(atPath: "\(path)/app", withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Runs a test on a repository of its own with one backup.
  package static func with<Result>(_ body: (SampleRepository, Backup) throws -> Result) throws -> Result {
    let sample = try SampleRepository()
    return try body(sample, try sample.add("20261122T021500Z-3f9a7c"))
  }

  package var shelf: String { "\(path)/app" }
  package var listing: Listing { get throws { try repository.listing(of: "app") } }

  /// A held backup with two verifications, so that every kind of file is there.
  @discardableResult
  package func add(
    _ id: String, policy: String = "app", database: String = "app", minutesLater: Double = 0
  ) throws -> Backup {
    try add(
      id, policy: policy, database: database, at: Self.time.addingTimeInterval(minutesLater * 60),
      hold: Hold(reason: "it is precious", at: Self.time), verified: VerificationLevel.allCases)
  }

  @discardableResult
  package func add(
    _ id: String, policy: String = "app", database: String = "app", at time: Date, hold: Hold?,
    verified levels: [VerificationLevel]
  ) throws -> Backup {
    try FileManager.default.createDirectory(atPath: "\(path)/\(policy)", withIntermediateDirectories: true)
    let partial = try PartialBackup(repository, policy: policy, id: id)
    var files = [
      try partial.write("CREATE ROLE app;\n", to: "globals.sql"), try partial.write("-- nothing\n", to: "database.sql"),
      try partial.write("# by hand\n", to: "RESTORE.md"),
    ]
    files += try ["toc.dat", "1.dat", "2.dat"].map { try partial.write("content of \($0)\n", to: "data/\($0)") }
    if let hold { try partial.place(hold) }
    let manifest = Self.manifest(id, policy, database, files, time)
    var backup = Backup(manifest: manifest, path: try partial.commit(manifest), hold: nil, verifications: [])
    for level in levels { try backup.record(Self.verification(level, ok: true)) }
    return try listed(backup)
  }

  /// The same backup as the repository shows it now.
  package func listed(_ backup: Backup) throws -> Backup {
    try BackupFinder(repository.listing(of: backup.manifest.policy)).find(backup.id)
  }

  package static let time = Date(timeIntervalSince1970: 1_795_000_000)

  package static func verification(_ level: VerificationLevel, ok: Bool) -> Verification {
    Verification(
      level: level, ok: ok, at: time, seconds: 0.5,
      problems: ok ? [] : [Problem(file: "data/1.dat", problem: "SHA-256 differs")])
  }

  private static func manifest(
    _ id: String, _ policy: String, _ database: String, _ files: [StoredFile], _ time: Date
  ) -> Manifest {
    let properties = DatabaseProperties(
      owner: "app", encoding: "UTF8", collate: "C", ctype: "C", localeProvider: "libc", locale: nil, icuRules: nil,
      tablespace: "pg_default", connectionLimit: -1, comment: nil, privileges: nil, settings: [])
    let none = CountedDigest(count: 0, digest: "0")
    return Manifest(
      id: id, policy: policy, environment: "test", reason: "manual", createdAt: time, finishedAt: time, holdfast: "0",
      source: Manifest.Source(
        systemIdentifier: "1", database: database, oid: 1, serverVersion: "15.20", serverVersionNumber: 150_020,
        host: "db:5432", standby: false, bytes: 1, properties: properties),
      tools: [], format: .directory, compression: "none",
      snapshot: Manifest.Snapshot(pgCurrentSnapshot: "1:1:", walLsn: "0/0"), files: files,
      digests: DatabaseDigest(tables: [], sequences: none, largeObjects: none, schema: none),
      needs: Manifest.Needs(roles: [], extensions: [], tablespaces: []), excludeTableData: [], timings: [])
  }
}
