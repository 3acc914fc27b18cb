import BackupModel
import BackupRepository
import Diagnostics
import Foundation
import TestSupport
import Testing

@testable import Workflows

/// The rules by which `status` needs attention.
@Suite struct AttentionTests {
  private static let now = Date(timeIntervalSince1970: 1_795_000_000)

  private static func report(_ change: (inout StatusReport) -> Void = { _ in }) throws -> StatusReport {
    let properties = DatabaseProperties(
      owner: "app", encoding: "UTF8", collate: "C", ctype: "C", localeProvider: "libc", locale: nil, icuRules: nil,
      tablespace: "pg_default", connectionLimit: -1, comment: nil, privileges: nil, settings: [])
    let none = CountedDigest(count: 0, digest: "0")
    let manifest = Manifest(
      id: "b", policy: "app", environment: "test", reason: "manual", createdAt: now, finishedAt: now, holdfast: "0",
      source: Manifest.Source(
        systemIdentifier: "1", database: "app", oid: 1, serverVersion: "15.20", serverVersionNumber: 150_020,
        host: "db:5432", standby: false, bytes: 1, properties: properties),
      tools: [], format: .directory, compression: "none",
      snapshot: Manifest.Snapshot(pgCurrentSnapshot: "1:1:", walLsn: "0/0"), files: [],
      digests: DatabaseDigest(tables: [], sequences: none, largeObjects: none, schema: none),
      needs: Manifest.Needs(roles: [], extensions: [], tablespaces: []), excludeTableData: [], timings: [])
    var report = StatusReport(
      lastGood: Backup(manifest: manifest, path: "/x", hold: nil, verifications: []), damaged: 0, unreadable: 0,
      backups: 1, storedBytes: 0, freeBytes: 0, deploys: [], hasRepository: true, kept: [], now: now,
      holdFor: .seconds(14 * 86_400), freshness: Freshness(taken: [now], now: now, maxAge: nil),
      releasedSnapshots: [])
    change(&report)
    return report
  }

  private static func deploy(
    _ steps: [DeployEvent.Step], at moment: Date = now, migration: String? = nil, error: String? = nil
  ) throws -> DeployRecord {
    let events = steps.map { step in
      DeployEvent(
        step, at: moment, migration: migration, migrations: step == .began ? ["1"] : nil, backup: "snapshot",
        database: "app", error: step == .finished ? error : nil)
    }
    return try #require(DeployRecord(id: "d", events: events))
  }

  private static let failure = Failure("x", exit: .failed, what: "", why: "", nextStep: "")

  @Test func `when all is well, nobody has to look`() throws {
    #expect(try Self.report().attention.isEmpty)
    #expect(try !Self.report().needsAttention)
  }

  @Test func `each thing that is wrong is a reason of its own`() throws {
    let wrong: [(Attention, (inout StatusReport) -> Void)] = [
      (.noBackup, { $0.lastGood = nil }), (.staleBackup, { $0.freshness.isStale = true }),
      (.futureBackup, { $0.freshness.isFromFuture = true }), (.damagedBackups, { $0.damaged = 1 }),
      (.unreadableBackups, { $0.unreadable = 1 }), (.otherRepository, { $0.otherRepository = Self.failure }),
      (.otherDatabase, { $0.otherDatabase = Self.failure }), (.server, { $0.serverProblem = Self.failure }),
      (.noRoom, { $0.lastGood?.manifest.files = [StoredFile(path: "data.sql", bytes: 1, sha256: "")] }),
    ]
    for (reason, change) in wrong { #expect(try Self.report(change).attention == [reason]) }
  }

  @Test func `a failed deploy is one, until somebody says that all is well`() throws {
    // By a health check: its migrations are applied.
    let failed = try Self.deploy([.began, .snapshotTaken, .applied, .finished], error: "health_check_failed: x")
    #expect(try Self.report { $0.deploys = [failed] }.attention == [.failedDeploy])
    #expect(
      try Self.report {
        $0.deploys = [failed]
        $0.releasedSnapshots = ["snapshot"]
      }.attention.isEmpty)
    let good = try Self.deploy([.began, .snapshotTaken, .applied, .finished], at: Self.now + 60)
    #expect(try Self.report { $0.deploys = [good, failed] }.attention.isEmpty)
    #expect(try Self.report { $0.deploys = [failed, good] }.attention == [.failedDeploy])
    // What was given up before its first migration came between.
    let given = try Self.deploy([.began, .abandoned], at: Self.now + 60)
    #expect(try Self.report { $0.deploys = [given, failed] }.attention == [.failedDeploy])
  }

  @Test func `a last deploy without a way back is one, as long as its snapshot was to be kept`() throws {
    let days = { (count: Double) in Self.now - count * 86_400 }
    for (age, copied, seconds, isWrong) in [
      (1, false, nil, true), (13.9, false, nil, true), (14.1, false, nil, false), (1, true, nil, false),
      (1, false, 5, false),
    ] as [(Double, Bool, Double?, Bool)] {
      let deploy = try Self.deploy([.began, .snapshotTaken, .applied, .finished], at: days(age))
      let report = try Self.report {
        $0.deploys = [deploy]
        $0.lastDeploy = .stands(deploy)
        $0.isCopied = copied
        $0.secondsBack = seconds
      }
      #expect(report.attention == (isWrong ? [.noWayBack] : []), "\(age) \(copied)")
    }
  }

  @Test(
    arguments: [
      ([], 1, false, false), ([0], nil, false, false), ([-40], nil, false, false), ([-25], 26, false, false),
      ([-27], 26, true, false), ([-27, -1], 26, false, false), ([30], 26, true, true), ([30, -1], 26, false, true),
      ([30], nil, false, true), ([0.05], 26, false, false),
    ] as [([Double], Int?, Bool, Bool)])
  func `a backup is too old by backup.max_age, and one of the future is not fresh`(
    hours: [Double], limit: Int?, isStale: Bool, isFromFuture: Bool
  ) {
    let freshness = Freshness(
      taken: hours.map { Self.now.addingTimeInterval($0 * 3600) }, now: Self.now,
      maxAge: limit.map { .seconds($0 * 3600) })
    #expect(freshness.isStale == isStale)
    #expect(freshness.isFromFuture == isFromFuture)
  }
}

/// Reasons that a deploy gives, with a real server.
@Suite struct AttentionAfterDeployTests {
  private func reasons(_ bench: DeployBench) throws -> [String] {
    let status = try bench.run("status", "--json").json
    return (status.array("reasons") ?? []).indices.compactMap { status.string("reasons", $0) }
  }

  @Test func `a role that the snapshot needs and the server lacks is a reason`() throws {
    try DeployBench.with { bench in
      let role = "needed_\(bench.database)"
      try bench.maintain("CREATE ROLE \(role)")
      defer {
        bench.dropCopies()
        _ = try? bench.psql("DROP OWNED BY \(role)")
        _ = try? bench.maintain("DROP ROLE IF EXISTS \(role)")
      }
      try bench.psql("GRANT SELECT ON orders TO \(role)")
      try bench.deploy("20240201000000_more", "CREATE TABLE more (a int);")
      #expect(try reasons(bench) == [])
      try bench.psql("REVOKE SELECT ON orders FROM \(role)")
      try bench.maintain("DROP ROLE \(role)")
      #expect(try reasons(bench) == ["rollback_needs"])
      #expect(try bench.run("status").stdout.contains(role))
      try bench.maintain("CREATE ROLE \(role)")
      #expect(try reasons(bench) == [])
    }
  }

  @Test func `a rollback that has failed is a reason until a restore of its snapshot went well`() throws {
    try DeployBench.with { bench in
      try bench.deploy("20240201000000_more", "CREATE TABLE more (a int);")
      let snapshot = try #require(try bench.deploys().first?.backup)
      let tools = "\(bench.bench.folder)/tools"
      _ = try shell(
        "mkdir tools && ln -s '\(bench.cluster.binaries)'/* tools && rm tools/pg_restore", in: bench.bench.folder)
      let broken = """
        #!/bin/sh
        case "$*" in *--section=post-data*) kill -9 $$;; esac
        exec '\(bench.cluster.binaries)/pg_restore' "$@"
        """
      try Data(broken.utf8).write(to: URL(fileURLWithPath: "\(tools)/pg_restore"))
      _ = try shell("chmod +x tools/pg_restore", in: bench.bench.folder)
      try bench.writePolicy(more: "tools: {directory: \"\(tools)\"}")
      let rollback = try bench.confirmed("rollback")
      #expect(rollback.exit == 1, "\(rollback.stdout)\(rollback.stderr)")
      #expect(try reasons(bench) == ["rollback_failed"])
      #expect(try bench.run("status").exit == 2)
      try bench.writePolicy()
      #expect(try bench.run("restore", snapshot, "--into", "\(bench.database)_tried").exit == 0)
      #expect(try reasons(bench) == [])
      try bench.maintain("DROP DATABASE \"\(bench.database)_tried\"")
      #expect(try bench.confirmed("rollback").exit == 0)
    }
  }
}
