import BackupModel
import Foundation
import Testing

@Suite struct BackupStateTests {
  /// In time's order: `checksum+` passed, `archive-` failed.
  @Test(
    arguments: [
      ("", .complete), ("checksum+", .complete), ("archive+", .complete), ("checksum-", .damaged),
      ("archive-", .damaged),
      ("checksum- checksum+", .complete), ("checksum- archive+", .complete), ("archive- checksum+", .damaged),
      ("archive- archive+", .complete), ("archive- checksum+ archive+", .complete), ("archive+ checksum-", .damaged),
      ("archive- checksum-", .damaged), ("archive- checksum- checksum+", .damaged),
      ("archive- checksum- archive+", .complete), ("checksum- checksum+ checksum-", .damaged),
      ("archive- archive+ checksum-", .damaged), ("archive- archive+ checksum- checksum+", .complete),
    ] as [(String, Backup.State)])
  func `damage stays until a check at least as thorough has passed`(history: String, state: Backup.State) throws {
    #expect(try backup(history).state == state)
  }

  @Test(
    arguments: [
      ("", nil), ("checksum+", 0), ("archive+ checksum+", 0), ("checksum+ archive+", 1), ("archive+ archive+", 1),
      ("archive+ checksum-", 1), ("checksum- archive+", 1), ("archive- checksum+", 0), ("archive- checksum-", 1),
      ("archive- archive+ checksum+", 1),
    ] as [(String, Int?)])
  func `shows the check that proves the most, or the one that found the damage`(history: String, index: Int?) throws {
    let backup = try backup(history)
    #expect(backup.verification == index.map { backup.verifications[$0] })
  }

  private func backup(_ history: String) throws -> Backup {
    let verifications = try history.split(separator: " ").enumerated().map { place, word in
      let level = try #require(VerificationLevel(rawValue: String(word.dropLast())))
      return Verification(
        level: level, ok: word.hasSuffix("+"), at: Date(timeIntervalSince1970: Double(place)), seconds: 1, problems: [])
    }
    return Backup(manifest: sampleManifest, path: "/x", hold: nil, verifications: verifications)
  }
}

private let sampleManifest = Manifest(
  id: "id", policy: "app", environment: "test", reason: "manual", createdAt: Date(timeIntervalSince1970: 0),
  finishedAt: Date(timeIntervalSince1970: 1), holdfast: "1",
  source: Manifest.Source(
    systemIdentifier: "1", database: "app", oid: 1, serverVersion: "15.1", serverVersionNumber: 150_001, host: "h",
    standby: false, bytes: 1,
    properties: DatabaseProperties(
      owner: "o", encoding: "UTF8", collate: "C", ctype: "C", localeProvider: "libc", locale: nil, icuRules: nil,
      tablespace: "pg_default", connectionLimit: -1, comment: nil, privileges: nil, settings: [])),
  tools: [], format: .directory, compression: "zstd:2",
  snapshot: Manifest.Snapshot(pgCurrentSnapshot: "1:1:", walLsn: "0/1"),
  files: [
    StoredFile(path: "data/1.dat.zst", bytes: 10, sha256: "a", rawBytes: 100, table: "a.b"),
    StoredFile(path: "data/toc.dat", bytes: 5, sha256: "b"),
  ],
  digests: DatabaseDigest(
    tables: [], sequences: CountedDigest(MultisetHash()), largeObjects: CountedDigest(MultisetHash()),
    schema: CountedDigest(MultisetHash())),
  needs: Manifest.Needs(roles: [], extensions: [], tablespaces: []), excludeTableData: [], timings: [])

@Suite struct ManifestTests {
  @Test func `comes back from its JSON as it was`() throws {
    let json = try Manifest.encoder().encode(sampleManifest)
    #expect(try Manifest.decoder().decode(Manifest.self, from: json) == sampleManifest)
    let text = String(decoding: json, as: UTF8.self)
    #expect(text.contains("\"created_at\" : \"1970-01-01T00:00:00Z\""))
    #expect(text.contains("\"version\" : 1"))
  }

  @Test func `sums stored bytes, and raw bytes where a file was compressed`() {
    #expect(sampleManifest.storedBytes == 15)
    #expect(sampleManifest.rawBytes == 105)
  }
}
